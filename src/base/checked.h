// Arithmetic on numbers that come from files: sizes in 64 bits, signed, with overflow noticed instead of wrapped, and
// reals as integers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

namespace mote {

inline bool checked_add(std::int64_t a, std::int64_t b, std::int64_t* out) {
  return !__builtin_add_overflow(a, b, out);
}
inline bool checked_sub(std::int64_t a, std::int64_t b, std::int64_t* out) {
  return !__builtin_sub_overflow(a, b, out);
}
inline bool checked_mul(std::int64_t a, std::int64_t b, std::int64_t* out) {
  return !__builtin_mul_overflow(a, b, out);
}

// A real number as an integer of [low, high], which are whole and below 2^63; NaN as 0 or the bound next to it.
inline std::int64_t clamp_to_int(double v, double low, double high) {
  return static_cast<std::int64_t>(std::clamp(std::isnan(v) ? 0.0 : v, low, high));
}

// A value that remembers that a step on the way to it overflowed; value() is then meaningless.
class Checked {
 public:
  Checked(std::int64_t v) : value_(v) {}  // NOLINT(google-explicit-constructor)
  Checked& operator+=(Checked o) { return step(o, checked_add(value_, o.value_, &value_)); }
  Checked& operator-=(Checked o) { return step(o, checked_sub(value_, o.value_, &value_)); }
  Checked& operator*=(Checked o) { return step(o, checked_mul(value_, o.value_, &value_)); }
  friend Checked operator+(Checked a, Checked b) { return a += b; }
  friend Checked operator-(Checked a, Checked b) { return a -= b; }
  friend Checked operator*(Checked a, Checked b) { return a *= b; }
  bool ok() const { return ok_; }
  std::int64_t value() const { return value_; }
  std::optional<std::int64_t> get() const { return ok_ ? std::optional(value_) : std::nullopt; }

 private:
  Checked& step(const Checked& o, bool fine) {
    ok_ = ok_ && o.ok_ && fine;
    return *this;
  }
  std::int64_t value_;
  bool ok_ = true;
};

// The number of elements of a shape; none for a negative dimension or on overflow. 0 if a dimension is 0, whatever the
// others.
inline std::optional<std::int64_t> element_count(std::span<const std::int64_t> dims) {
  std::int64_t n = 1;
  bool empty = false, fits = true;
  for (std::int64_t d : dims) {
    if (d < 0) return std::nullopt;
    empty = empty || d == 0;
    fits = fits && checked_mul(n, d, &n);
  }
  if (empty) return 0;
  return fits ? std::optional(n) : std::nullopt;
}

inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 46;

// The number of elements of a tensor that could exist somewhere; none for extents that arithmetic on sizes may not go
// on with: a negative one, or a product, of those that are not 0, beyond kMaxElements.
inline std::optional<std::int64_t> usable_count(std::span<const std::int64_t> dims) {
  std::int64_t n = 1;
  bool empty = false;
  for (std::int64_t d : dims) {
    empty = empty || d == 0;
    if (d < 0 || !checked_mul(n, d == 0 ? 1 : d, &n) || n > kMaxElements) return std::nullopt;
  }
  return empty ? 0 : n;
}

// a rounded up to a multiple of b, b > 0; the caller knows that it fits.
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b * b; }
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace mote
