// Storage types of 16 bits and fewer: what their bits mean, and conversion from and to float and double. One
// description per type serves all of them; half.h has faster code for f16 and bf16.
//
// Rounding is to nearest, ties to even. Beyond the largest finite value (infinity included) the result is that value
// when saturating, otherwise infinity, or NaN in formats without infinity. NaN stays NaN and keeps its sign where the
// format has one for NaN; f4e2m1 has no NaN and gives -0. Formats of the fnuz kind have no -0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "mote/dtype.h"

namespace mote {

struct FloatFormat {
  enum class Kind : std::uint8_t {
    kIeee,    // the top exponent means infinity and NaN
    kFn,      // finite; all exponent and mantissa bits set mean NaN
    kFnuz,    // finite, no negative zero, whose bits mean NaN
    kFinite,  // nothing but finite values
  };
  int exponent_bits, mantissa_bits, bias;
  Kind kind;

  constexpr int bits() const { return 1 + exponent_bits + mantissa_bits; }
};

// For f16, bf16, f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz and f4e2m1.
std::optional<FloatFormat> float_format_of(DType t);

std::uint32_t encode(double value, const FloatFormat& format, bool saturate);
double decode(std::uint32_t bits, const FloatFormat& format);

// f8e8m0: the power of two 2^(bits-127), 255 is NaN. The sign is ignored. Saturating stops at 2^127.
enum class Rounding : std::uint8_t { kNearest, kUp, kDown };
std::uint8_t encode_e8m0(float value, Rounding rounding, bool saturate);
float decode_e8m0(std::uint8_t bits);

// Runs of elements [first, first + count) of a packed or plain tensor of type `t`: any type above, f8e8m0 (rounded up),
// and the integers of 2, 4 and 8 bits (stored: truncated, wrapped to their width as ONNX's Cast does; NaN is 0). False,
// and nothing done, for other types.
bool load_as_f32(DType t, const void* data, std::int64_t first, std::int64_t count, float* out);
bool store_from_f32(DType t, const float* values, std::int64_t count, void* data, std::int64_t first, bool saturate);

// One element of a packed integer tensor (2 or 4 bits), low bits first; signed types are sign-extended.
int load_packed(DType t, const void* data, std::int64_t index);
void store_packed(DType t, void* data, std::int64_t index, int value);

}  // namespace mote
