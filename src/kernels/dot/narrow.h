// Packed weights in fewer than 32 bits: the right side of a dot, widened to f32 while it is multiplied.
//
// Panels of 16 columns as in pack.h. Floats of 16 bits: each panel [k][16]. Integers of 2, 4 or 8 bits, q: each panel
// [words of k][16] of 32-bit words, a word holding what follows each other in k from its low bits up; zero beyond k and
// n. They stand for (q - zero) * scale, f32 rounded once, with one scale and zero for every `block` of k (a multiple of
// a word), in panels [blocks][16] too. A product has the bits that the widened weights would give it (numerics class
// `chain`).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/inline.h"
#include "kernels/dot/pack.h"
#include "kernels/epilogue.h"
#include "mote/dtype.h"

namespace mote::kernels::dot {

enum class Store : std::int32_t { kF32, kF16, kBf16, kU8, kU4, kU2 };

MOTE_INLINE constexpr int bits_of(Store s) {
  return s == Store::kF32                        ? 32
         : s == Store::kF16 || s == Store::kBf16 ? 16
         : s == Store::kU8                       ? 8
         : s == Store::kU4                       ? 4
                                                 : 2;
}
MOTE_INLINE constexpr bool has_blocks(Store s) { return bits_of(s) < 16; }
// Elements of a word.
MOTE_INLINE constexpr int per_word(Store s) { return 32 / bits_of(s); }

MOTE_INLINE constexpr std::int64_t panel_bytes(Store s, std::int64_t k) {
  return has_blocks(s) ? (k + per_word(s) - 1) / per_word(s) * kPanel * 4 : k * kPanel * bits_of(s) / 8;
}
MOTE_INLINE constexpr std::int64_t packed_bytes(Store s, std::int64_t k, std::int64_t n) {
  return panels_of(n) * panel_bytes(s, k);
}
MOTE_INLINE constexpr std::int64_t blocks_of(std::int64_t k, std::int64_t block) { return (k + block - 1) / block; }

// Integers are read through `at`, the element in column j at k, which is below 2^bits.
struct PackIntegers {
  virtual unsigned at(std::int64_t j, std::int64_t k) const = 0;

 protected:
  ~PackIntegers() = default;
};
void pack_integers(Store store, const PackIntegers& source, std::int64_t k, std::int64_t n, std::byte* dst) noexcept;
// Rows [0, k) of columns [0, n) to f16 or bf16; `panel_stride` in bytes, as the one of pack().
void pack_halves(Store store, const PackSource& source, std::int64_t k, std::int64_t n, std::byte* dst,
                 std::int64_t panel_stride) noexcept;

// Packed weights. Those without blocks have no scales.
struct Narrow {
  Store store = Store::kF32;
  const std::byte* data = nullptr;
  std::int64_t k = 0, block = 0;
  const float* scales = nullptr;
  const std::uint8_t* zeros = nullptr;  // or null: `zero` everywhere
  float zero = 0;
};

// Elements [k, k + count) of `panels` panels from `panel` on in f32, panels dst_panel floats apart. k is a multiple of
// a word.
using UnpackFn = void (*)(const Narrow& b, std::int64_t panel, std::int64_t panels, std::int64_t k, std::int64_t count,
                          float* dst, std::int64_t dst_panel) noexcept;

// Up to kMostRows rows: c[i, j] = epilogue(start + sum of a[i, k] * B(k, j)) for n columns from `panel` on; start is c
// where `accumulate`, else the bias (null: 0).
inline constexpr int kMostRows = 4;
struct NarrowRows {
  const float* a;
  std::int64_t rows, a_row, c_row;
  std::int64_t panel, n;
  const float* bias;
  float* c;
  bool accumulate;
  const Epilogue* program;
  std::int64_t program_row, program_col;
};
using RowsFn = void (*)(const Narrow& b, const NarrowRows& rows) noexcept;

}  // namespace mote::kernels::dot
