// References: the naive, clear implementation of an op, the oracle of every fast kernel. One thread, dense row-major
// operands.
//
// A reference checks what the model's values can make illegal (an index out of range) and says so; extents have been
// checked by the op's inference. It asks for each output with `out`, giving the shape it found: where the plan already
// knows the shape, a different one is an error; otherwise the context takes memory for it, within its budget.
//
// A deadline or a cancellation stops a run inside of a reference: what it does between two looks is bounded, however
// large its operands are. So its loops over elements are ranges of the context, which end when the run shall stop:
//     for (std::int64_t i : ctx.range(n)) y[i] = f(x[i]);
// or are in helpers that take the context (loops.h, product.h, widen.h). From then on every range is empty; the
// reference goes on with what there is, to its end, and run_reference says that it was stopped.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "tensor/view.h"

namespace mote {

// An element of a string tensor: a range of the context's string heap.
struct StringRef {
  std::uint64_t offset, length;
};

// A list or optional at run time: its tensors, in order. An optional holds zero or one.
struct ListView {
  std::vector<TensorView> items;
};

class ReferenceContext;

// Elements [begin, end) of what is done at once.
template <class I>
struct PacedPiece {
  I begin, end;
};

// The pieces of [begin, end), each spent when it comes up.
template <class I>
class PacedPieces {
 public:
  struct End {};
  class Iterator {
   public:
    Iterator(ReferenceContext& ctx, I begin, I end, std::int64_t work)
        : ctx_(&ctx), piece_{begin, begin}, last_(end), work_(work) {}
    bool operator!=(End) { return next(); }
    void operator++() {}
    PacedPiece<I> operator*() const { return piece_; }

   private:
    bool next();

    ReferenceContext* ctx_;
    PacedPiece<I> piece_;
    I last_;
    std::int64_t work_;
    template <class>
    friend class PacedRange;
  };

  PacedPieces(ReferenceContext& ctx, I begin, I end, std::int64_t work) : first_(ctx, begin, end, work) {}
  Iterator begin() const { return first_; }
  End end() const { return {}; }

 private:
  Iterator first_;
};

// The numbers of [begin, end), in order.
template <class I>
class PacedRange {
 public:
  using End = typename PacedPieces<I>::End;
  class Iterator {
   public:
    explicit Iterator(const typename PacedPieces<I>::Iterator& pieces) : pieces_(pieces), at_(pieces.piece_.begin) {}
    bool operator!=(End) { return at_ != pieces_.piece_.end || pieces_.next(); }
    void operator++() { ++at_; }
    I operator*() const { return at_; }

   private:
    typename PacedPieces<I>::Iterator pieces_;
    I at_;
  };

  explicit PacedRange(const PacedPieces<I>& pieces) : pieces_(pieces) {}
  Iterator begin() const { return Iterator(pieces_.begin()); }
  End end() const { return {}; }

 private:
  PacedPieces<I> pieces_;
};

class ReferenceContext {
 public:
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;
  virtual bool has(int input) const = 0;
  // Dense tensor input. Requires has(input).
  virtual const TensorView& in(int input) const = 0;
  // Items of a list or optional input.
  virtual std::vector<TensorView> list(int input) const = 0;
  virtual bool is_list(int input) const = 0;

  virtual bool wants(int output) const = 0;
  // Whether output `output` is a list or an optional.
  virtual bool gives_list(int output) const {
    (void)output;
    return false;
  }
  // Memory for output `output`, dense. Fails when the plan expects another shape, or beyond the memory budget.
  virtual Result<TensorView> out(int output, DType dtype, std::span<const std::int64_t> shape) = 0;
  // Sets a list or optional output to copies of `items`.
  virtual Status out_list(int output, std::span<const TensorView> items) = 0;

  // Scratch that lives until the step ends, zeroed. Fails beyond the budget, and when the run shall stop.
  virtual Result<std::span<std::byte>> scratch(std::size_t bytes) = 0;

  virtual std::string_view string(StringRef ref) const = 0;
  virtual Result<StringRef> add_string(std::string_view s) = 0;

  // The next 32 random bits of this node's Philox stream.
  virtual std::uint32_t random() = 0;

  // Before `work` units of it: one for an element that is read or written, or for a multiply-add. False when the run
  // shall stop, which is looked at once in kWorkBetweenPolls units.
  bool spend(std::int64_t work) {
    left_ -= work;
    return left_ >= 0 || look();
  }
  bool stopped() const { return !stop_.ok(); }
  // How many iterations of that much work are spent at once.
  std::int64_t piece(std::int64_t work = 1) const { return work <= 1 ? most_ : work < most_ ? most_ / work : 1; }

  // 0, 1, ... n - 1, or as many of them as the run goes on for. `work`: of one iteration, beyond what it spends itself.
  template <class I>
  PacedRange<I> range(I n, std::int64_t work = 1) {
    return PacedRange<I>(PacedPieces<I>(*this, I(0), n, work));
  }
  template <class I>
  PacedRange<I> range_from(I begin, I end, std::int64_t work = 1) {
    return PacedRange<I>(PacedPieces<I>(*this, begin, end, work));
  }
  // For what takes many elements at a time: [0, n) in pieces.
  template <class I>
  PacedPieces<I> pieces(I n, std::int64_t work = 1) {
    return PacedPieces<I>(*this, I(0), n, work);
  }

  static constexpr std::int64_t kWorkBetweenPolls = 1 << 15;
  static constexpr std::int64_t kMostAtOnce = 1 << 12;

  const Op& op() const { return *op_; }
  const Attrs& attrs() const { return *attrs_; }
  bool has_attr(std::string_view n) const { return attrs_->has(n); }
  std::int64_t attr_int(std::string_view n) const { return mote::attr_int(*op_, *attrs_, n); }
  double attr_float(std::string_view n) const { return mote::attr_float(*op_, *attrs_, n); }
  std::string attr_string(std::string_view n) const { return mote::attr_string(*op_, *attrs_, n); }
  std::vector<std::int64_t> attr_ints(std::string_view n) const { return mote::attr_ints(*op_, *attrs_, n); }
  std::vector<double> attr_floats(std::string_view n) const { return mote::attr_floats(*op_, *attrs_, n); }
  std::vector<std::string> attr_strings(std::string_view n) const { return mote::attr_strings(*op_, *attrs_, n); }
  DType attr_dtype(std::string_view n) const { return mote::attr_dtype(*op_, *attrs_, n); }

 protected:
  // Tests, which count, have smaller numbers.
  ReferenceContext(const Op& op, const Attrs& attrs, std::int64_t between_polls = kWorkBetweenPolls,
                   std::int64_t most_at_once = kMostAtOnce)
      : op_(&op), attrs_(&attrs), left_(between_polls), between_(between_polls), most_(most_at_once) {}
  ~ReferenceContext() = default;

 private:
  // Fails when the run shall stop. `work` is what was spent since the last call.
  virtual Status poll(std::int64_t work) = 0;
  bool look() {
    if (stop_.ok()) stop_ = poll(between_ - left_);
    left_ = stop_.ok() ? between_ : -1;
    return stop_.ok();
  }
  friend Status run_reference(Status (*fn)(ReferenceContext&), ReferenceContext& ctx);

  const Op* op_;
  const Attrs* attrs_;
  std::int64_t left_, between_, most_;
  Status stop_;
};

template <class I>
bool PacedPieces<I>::Iterator::next() {
  piece_.begin = piece_.end;
  if (piece_.begin >= last_) return false;
  const std::int64_t left = static_cast<std::int64_t>(last_ - piece_.begin), most = ctx_->piece(work_),
                     n = left < most ? left : most;
  if (!ctx_->spend(n * work_)) return false;
  piece_.end = static_cast<I>(piece_.begin + static_cast<I>(n));
  return true;
}

using ReferenceFn = Status (*)(ReferenceContext&);

// Runs a reference. Why the run shall stop goes before what the reference says of a computation that it did not end.
inline Status run_reference(ReferenceFn fn, ReferenceContext& ctx) {
  Status s = fn(ctx);
  return ctx.stop_.ok() ? std::move(s) : std::move(ctx.stop_);
}

// Null for an op without one.
ReferenceFn find_reference(const Op& op);

// MOTE_DEFINE_REFERENCE(softmax) = run;  in the op's file.
#define MOTE_DEFINE_REFERENCE(name)          \
  extern const ReferenceFn reference_##name; \
  constinit const ReferenceFn reference_##name

}  // namespace mote
