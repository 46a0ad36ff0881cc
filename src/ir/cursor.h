// A position in text being parsed. The first failure sticks: from then on everything reads as absent and changes
// nothing, so that callers check once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "ir/attr.h"
#include "mote/status.h"

namespace mote {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) { skip(); }

  bool failed() const { return !status_.ok(); }
  bool done() const { return failed() || pos_ >= text_.size(); }
  const Status& status() const { return status_; }

  void fail(std::string message) { fail(invalid(std::move(message)), start_); }
  void fail(Status status) { fail(std::move(status), start_); }

  // The next character, or 0.
  char peek() const { return done() ? '\0' : text_[pos_]; }
  bool take(std::string_view token) {
    if (done() || !text_.substr(pos_).starts_with(token)) return false;
    advance(token.size());
    return true;
  }
  // Takes a word that ends where `token` does.
  bool take_word(std::string_view token) {
    if (done() || bare() != token) return false;
    advance(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!failed() && !take(token)) fail_here("expected '" + std::string(token) + "'");
  }
  void fail_here(const std::string& expected) {
    std::string_view rest = text_.substr(std::min(pos_, text_.size()), 20);
    rest = rest.substr(0, rest.find('\n'));
    fail(invalid(expected + (rest.empty() ? ", found the end of the line" : ", found " + quoted(rest))), pos_);
  }

  // A bare or quoted name; may be empty only when quoted.
  std::string name(const char* what) {
    if (peek() == '"') return string();
    std::string_view word = bare();
    if (word.empty()) fail_here(std::string("expected ") + what);
    advance(word.size());
    return failed() ? std::string() : std::string(word);
  }
  // A quoted string.
  std::string string() {
    if (peek() != '"') {
      fail_here("expected a quoted string");
      return {};
    }
    std::size_t end = quoted_end(pos_);
    std::optional<std::string> s;
    if (end != std::string_view::npos) s = unquote(text_.substr(pos_, end - pos_));
    if (!s) {
      fail_here("string does not end, or has a bad escape");
      return {};
    }
    advance(end - pos_);
    return *std::move(s);
  }
  std::int64_t integer() {
    std::size_t n = pos_;
    if (n < text_.size() && text_[n] == '-') ++n;
    while (n < text_.size() && text_[n] >= '0' && text_[n] <= '9') ++n;
    std::optional<std::int64_t> v = done() ? std::nullopt : parse_int(text_.substr(pos_, n - pos_));
    if (!v) {
      if (!failed()) fail_here("expected an integer");
      return 0;
    }
    advance(n - pos_);
    return *v;
  }
  // The text up to one of `ends` (or a blank) outside quotes and brackets; blanks outside quotes are left out.
  std::string balanced(std::string_view ends) {
    std::string out;
    std::size_t p = pos_;
    int depth = 0;
    while (!failed() && p < text_.size() && text_[p] != '\n') {
      char c = text_[p];
      if (depth == 0 && (c == ' ' || ends.find(c) != std::string_view::npos)) break;
      depth += (c == '[' || c == '(') - (c == ']' || c == ')');
      if (depth < 0) break;
      std::size_t end = c == '"' ? quoted_end(p) : p + 1;
      if (end == std::string_view::npos) break;
      if (c != ' ') out += text_.substr(p, end - p);
      p = end;
    }
    if (!failed()) advance(p - pos_);
    return out;
  }

 private:
  static bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '/' || c == '$';
  }
  std::string_view bare() const {
    std::size_t n = pos_;
    while (n < text_.size() && is_bare(text_[n])) ++n;
    return text_.substr(std::min(pos_, text_.size()), n - pos_);
  }
  // One past the quote that closes the one at `p`.
  std::size_t quoted_end(std::size_t p) const {
    for (++p; p < text_.size() && text_[p] != '"'; ++p) p += text_[p] == '\\';
    return p < text_.size() ? p + 1 : std::string_view::npos;
  }
  void advance(std::size_t n) {
    if (failed()) return;
    start_ = pos_;
    pos_ += n;
    skip();
  }
  void skip() {
    while (pos_ < text_.size()) {
      char c = text_[pos_];
      if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        ++pos_;
      } else if (text_.substr(pos_).starts_with("//")) {
        pos_ = std::min(text_.find('\n', pos_), text_.size());
      } else {
        break;
      }
    }
  }
  void fail(Status status, std::size_t where) {
    if (failed()) return;
    std::string_view before = text_.substr(0, std::min(where, text_.size()));
    std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
    status_ = std::move(status).at("line " + std::to_string(line) + ", column " + std::to_string(column));
  }

  std::string_view text_;
  std::size_t pos_ = 0, start_ = 0;  // start_: of the last token taken
  Status status_;
};

}  // namespace mote
