// Helpers that many ops' `infer` share: dtype checks, broadcasting, axes, and arithmetic on known values.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/infer.h"

namespace mote {

// Classes of dtypes, as bits.
enum : std::uint32_t {
  kFloats = 1u << 0,         // f16, bf16, f32, f64
  kFloat8 = 1u << 1,         // the 8-bit floats but f8e8m0
  kFloat4 = 1u << 2,         // f4e2m1, f8e8m0
  kSigned = 1u << 3,         // i8 .. i64
  kUnsigned = 1u << 4,       // u8 .. u64
  kSmallSigned = 1u << 5,    // i4, i2
  kSmallUnsigned = 1u << 6,  // u4, u2
  kBool = 1u << 7,
  kString = 1u << 8,
  kComplex = 1u << 9,
  kInts = kSigned | kUnsigned,
  kSmallInts = kSmallSigned | kSmallUnsigned,
  kNumbers = kFloats | kInts,
  kAny = 0x3ffu,
};
std::uint32_t class_of(DType t);

// Fails unless input i is absent, of a dtype not known yet, or of one of `classes`.
Status check_dtype(const InferContext& ctx, int i, std::uint32_t classes);
// Fails when inputs a and b are present with different known dtypes.
Status check_same_dtype(const InferContext& ctx, int a, int b);
// Fails unless input i is absent, of unknown rank, or has from lo to hi axes.
Status check_rank(const InferContext& ctx, int i, int lo, int hi);
// Fails when input i is present and not a tensor.
Status check_tensors(const InferContext& ctx);

// The numpy broadcast of inputs [first, last); nothing when a rank is unknown. Absent inputs are skipped.
Result<std::optional<Shape>> broadcast_inputs(const InferContext& ctx, int first, int last);

// Axes made non-negative and unique.
Result<std::vector<int>> normal_axes(const InferContext& ctx, const std::vector<std::int64_t>& axes, int rank);

// Output i gets `dtype` and the shape, when there is one.
void output_maybe(InferContext& ctx, int i, DType dtype, std::optional<Shape> shape);

// Known values of input i broadcast to `shape` (constant extents, at most kMaxKnown elements), or nothing.
std::optional<KnownValue> known_broadcast(const InferContext& ctx, int i, const Shape& shape);

// Sets output 0's known value to f of each element; f gives nothing where it cannot tell.
using KnownUnary = std::optional<Dim> (*)(const Dim&);
using KnownBinary = std::optional<Dim> (*)(const Dim&, const Dim&);
void known_map(InferContext& ctx, KnownUnary f);
void known_map(InferContext& ctx, const Shape& shape, KnownBinary f);

// Sets output i's known value, unless a constant element does not fit `dtype`.
void output_known(InferContext& ctx, int i, DType dtype, KnownValue value);

// x < y, when it is the same for all values of the symbols; extents and symbols are never negative.
std::optional<bool> known_less(const Dim& x, const Dim& y);
std::optional<bool> known_equal(const Dim& x, const Dim& y);

// Integer division that truncates, where floor division is the same or the operands are constants.
std::optional<Dim> truncating_div(const Dim& x, const Dim& y);

// max(d, 0), or d where that is the same for all symbols of at least 0.
Dim at_least_zero(const Dim& d);

// True when d cannot be negative, given symbols of at least 1.
bool never_negative(const Dim& d);

// Output 0's known value is input 0's.
void pass_known(InferContext& ctx);

// The number of elements of `shape` where it is constant and at most kMaxKnown, else -1.
inline std::int64_t known_count(const Shape& shape) {
  std::int64_t n = 1;
  for (const Dim& d : shape) {
    if (!d.is_const() || d.value() < 0) return -1;
    n *= d.value();
    if (n > static_cast<std::int64_t>(kMaxKnown)) return -1;
  }
  return n;
}

}  // namespace mote
