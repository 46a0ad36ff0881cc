// Status and Result<T>: how every function of Mote that can fail says so. Nothing in Mote throws.
//
// A Status is ok or carries: a code, a message (what was wrong), a place (file, node, byte offset; outermost first),
// and a hint (what the user can do). Callers add places on the way up with `at()`:
//     return status.at("node 'conv3'").at("model.onnx");      // place: "model.onnx: node 'conv3'"
// The cost of an ok Status is one null pointer.
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mote {

enum class Code : unsigned char {
  kOk,
  kInvalid,            // malformed file, wrong argument
  kUnsupported,        // understood, but Mote cannot do it
  kNotFound,           // a file, a name
  kOutOfRange,         // a value the model itself makes illegal, such as an index
  kResourceExhausted,  // memory budget, node budget
  kCancelled,
  kDeadlineExceeded,
  kIo,        // the system refused: permission, disk full
  kInternal,  // a bug of Mote
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : info_(std::make_unique<Info>(Info{code, std::move(message), {}, {}})) {}
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& o) : info_(o.info_ ? std::make_unique<Info>(*o.info_) : nullptr) {}
  Status& operator=(const Status& o) {
    if (this != &o) info_ = o.info_ ? std::make_unique<Info>(*o.info_) : nullptr;
    return *this;
  }

  bool ok() const { return info_ == nullptr; }
  Code code() const { return info_ ? info_->code : Code::kOk; }
  std::string_view message() const { return info_ ? std::string_view(info_->message) : std::string_view(); }
  std::string_view where() const { return info_ ? std::string_view(info_->where) : std::string_view(); }
  std::string_view hint() const { return info_ ? std::string_view(info_->hint) : std::string_view(); }

  // Puts `place` in front of the places already there. No effect on an ok status.
  Status at(std::string_view place) && {
    if (info_) info_->where = info_->where.empty() ? std::string(place) : std::string(place) + ": " + info_->where;
    return std::move(*this);
  }
  // What the user can do about it; the first hint given stays.
  Status hint(std::string_view text) && {
    if (info_ && info_->hint.empty()) info_->hint = text;
    return std::move(*this);
  }
  // "where: message (hint)" on one line.
  std::string to_string() const {
    if (!info_) return "ok";
    std::string s = info_->where.empty() ? info_->message : info_->where + ": " + info_->message;
    if (!info_->hint.empty()) s += " (" + info_->hint + ")";
    return s;
  }

 private:
  struct Info {
    Code code;
    std::string message, where, hint;
  };
  std::unique_ptr<Info> info_;
};

inline Status invalid(std::string message) { return Status(Code::kInvalid, std::move(message)); }
inline Status unsupported(std::string message) { return Status(Code::kUnsupported, std::move(message)); }
inline Status internal_error(std::string message) { return Status(Code::kInternal, std::move(message)); }

// A T or the Status that says why there is none. T needs only to be movable.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status status() && { return std::move(status_); }
  // Requires ok().
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace mote

// Returns from the enclosing function when `expr` is a failed Status.
#define MOTE_TRY(expr)                                                                 \
  do {                                                                                 \
    if (::mote::Status mote_status_ = (expr); !mote_status_.ok()) return mote_status_; \
  } while (false)

#define MOTE_CONCAT_INNER(a, b) a##b
#define MOTE_CONCAT(a, b) MOTE_CONCAT_INNER(a, b)
// MOTE_ASSIGN(auto x, f());  binds the value of a Result, or returns its Status.
#define MOTE_ASSIGN(lhs, expr) MOTE_ASSIGN_INNER(MOTE_CONCAT(mote_result_, __LINE__), lhs, expr)
#define MOTE_ASSIGN_INNER(tmp, lhs, expr)        \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
