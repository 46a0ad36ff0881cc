// Internal: weights of fewer bits (narrow.h) over the vector layer, one instance per ISA file.
#pragma once

#include <type_traits>

#include "kernels/compact.h"
#include "kernels/dot/narrow.h"
#include "simd/vec.h"

namespace mote::kernels::MOTE_SIMD_NS {
namespace {

using dot::Narrow;
using dot::NarrowRows;
using dot::Store;

// Panels that are multiplied at once: enough chains for the latency of an addition.
#if defined(MOTE_SIMD_SCALAR)
inline constexpr int kRowPanels = 1;
#else
inline constexpr int kRowPanels = kCompact ? 1 : simd::MOTE_SIMD_NS::kLanes == 16 ? 4 : 2;
#endif

// Registers of kPanels panels: register r is part r % kPart of panel r / kPart.
template <Store kStore, int kPanels>
struct Weights {
  static constexpr int kParts = dot::kPanel / simd::MOTE_SIMD_NS::kLanes, kRegs = kPanels * kParts;
  using F32 = simd::MOTE_SIMD_NS::F32;
  using I32 = simd::MOTE_SIMD_NS::I32;

  const Narrow& b;
  const std::byte* data;  // of the first panel
  const float* scales;
  const std::uint8_t* zeros;
  std::int64_t panel, scale_panel;  // to the next one: bytes, elements

  Weights(const Narrow& narrow, std::int64_t first) : b(narrow) {
    panel = dot::panel_bytes(kStore, b.k);
    data = b.data + first * panel;
    scales = nullptr;
    zeros = nullptr;
    scale_panel = 0;
    if constexpr (dot::has_blocks(kStore)) {
      scale_panel = dot::blocks_of(b.k, b.block) * dot::kPanel;
      scales = b.scales + first * scale_panel;
      if (b.zeros) zeros = b.zeros + first * scale_panel;
    }
  }

  // Calls f(k, w), w the weights of k in registers, for k of [begin, end) in order; begin starts a word.
  template <class F>
  MOTE_INLINE void each(std::int64_t begin, std::int64_t end, F f) const {
    if constexpr (dot::has_blocks(kStore)) {
      for (std::int64_t k = begin; k < end;) {
        const std::int64_t block = k / b.block, last = (block + 1) * b.block;
        each_of_block(block, k, last < end ? last : end, f);
        k = last;
      }
    } else {
      for (std::int64_t k = begin; k < end; ++k) {
        F32 w[kRegs];
        const std::byte* line = data + k * dot::kPanel * 2;
        ahead(line, k * dot::kPanel * 2);
#pragma GCC unroll 8
        for (int r = 0; r < kRegs; ++r) {
          using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
          const auto* p = reinterpret_cast<const std::uint16_t*>(line + r / kParts * panel) + r % kParts * kLanes;
          w[r] = kStore == Store::kF16 ? load_f16(p) : load_bf16(p);
        }
        f(k, w);
      }
    }
  }

 private:
  // Prefetches what is read next but a few: of the next panels near the end of these.
  MOTE_INLINE void ahead(const std::byte* line, std::int64_t offset) const {
    constexpr std::int64_t kDistance = 2048;
    const std::byte* p = line + kDistance + (offset + kDistance < panel ? 0 : (kPanels - 1) * panel);
#pragma GCC unroll 4
    for (int i = 0; i < kPanels; ++i) simd::MOTE_SIMD_NS::prefetch(p + i * panel);
  }

  // The integers' low bits become the mantissa's of 2^23, so that q + 2^23 - (2^23 + zero) is q - zero, exactly.
  template <class F>
  MOTE_INLINE void each_of_block(std::int64_t block, std::int64_t k, std::int64_t end, F f) const {
    using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
    constexpr int kBits = dot::bits_of(kStore), kEach = dot::per_word(kStore);
    constexpr float kMagic = 8388608.0f;
    F32 scale[kRegs], base[kRegs];
#pragma GCC unroll 8
    for (int r = 0; r < kRegs; ++r) {
      const std::int64_t at = r / kParts * scale_panel + block * dot::kPanel + r % kParts * kLanes;
      scale[r] = load(scales + at);
      base[r] = set(kMagic) + (zeros ? to_f32(load_u8(zeros + at)) : set(b.zero));
    }
    const I32 mask = set_i32((1 << kBits) - 1), magic = as_i32(set(kMagic));
    const auto step = [&](std::int64_t i, I32(&word)[kRegs]) {
      F32 w[kRegs];
#pragma GCC unroll 8
      for (int r = 0; r < kRegs; ++r) {
        w[r] = (as_f32((word[r] & mask) | magic) - base[r]) * scale[r];
        word[r] = shr<kBits>(word[r]);
      }
      f(i, w);
    };
    for (; k < end; k += kEach) {
      I32 word[kRegs];
      const std::int64_t offset = k / kEach * dot::kPanel * 4;
      const std::byte* line = data + offset;
      ahead(line, offset);
#pragma GCC unroll 8
      for (int r = 0; r < kRegs; ++r) {
        word[r] = load(reinterpret_cast<const std::int32_t*>(line + r / kParts * panel) + r % kParts * kLanes);
      }
      if (k + kEach <= end) {
#pragma GCC unroll 16
        for (int e = 0; e < kEach; ++e) step(k + e, word);
      } else {
        for (std::int64_t i = k; i < end; ++i) step(i, word);
      }
    }
  }
};

template <Store kStore, int kPanels>
MOTE_NOINLINE void unpack_panels(const Narrow& b, std::int64_t panel, std::int64_t k, std::int64_t count, float* dst,
                                 std::int64_t dst_panel) noexcept {
  using W = Weights<kStore, kPanels>;
  W(b, panel).each(k, k + count, [&](std::int64_t i, const typename W::F32(&w)[W::kRegs]) {
    float* line = dst + (i - k) * dot::kPanel;
#pragma GCC unroll 8
    for (int r = 0; r < W::kRegs; ++r) {
      simd::MOTE_SIMD_NS::store(line + r / W::kParts * dst_panel + r % W::kParts * simd::MOTE_SIMD_NS::kLanes, w[r]);
    }
  });
}

template <Store kStore, int kPanels, int kRows>
MOTE_NOINLINE void multiply_panels(const Narrow& b, const NarrowRows& rows, std::int64_t panel) noexcept {
  using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)
  using W = Weights<kStore, kPanels>;
  const std::int64_t col = (panel - rows.panel) * dot::kPanel;
  const auto valid = [&](int r) {
    const std::int64_t left = rows.n - col - r * kLanes;
    return left >= kLanes ? kLanes : left > 0 ? static_cast<int>(left) : 0;
  };
  F32 acc[kRows][W::kRegs];
  for (int i = 0; i < kRows; ++i) {
    const float* start = rows.accumulate ? rows.c + i * rows.c_row : rows.bias;
    for (int r = 0; r < W::kRegs; ++r)
      acc[i][r] = start && valid(r) > 0 ? load_n(start + col + r * kLanes, valid(r)) : zero();
  }
  const float* a = rows.a;
  const std::int64_t a_row = rows.a_row;
  W(b, panel).each(0, b.k, [&](std::int64_t k, const F32(&w)[W::kRegs]) {
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const F32 x = set(a[i * a_row + k]);
#pragma GCC unroll 8
      for (int r = 0; r < W::kRegs; ++r) acc[i][r] = fma(x, w[r], acc[i][r]);
    }
  });
  for (int i = 0; i < kRows; ++i) {
    for (int r = 0; r < W::kRegs; ++r) {
      if (valid(r) > 0) store_n(rows.c + i * rows.c_row + col + r * kLanes, acc[i][r], valid(r));
    }
  }
}

template <Store kStore, int kRows>
void multiply_rows(const Narrow& b, const NarrowRows& rows) noexcept {
  constexpr int kPanels = kRows == 1 || kRowPanels == 4 ? kRowPanels : 1;
  std::int64_t panel = rows.panel;
  const std::int64_t end = panel + (rows.n + dot::kPanel - 1) / dot::kPanel;
  for (; panel + kPanels <= end; panel += kPanels) multiply_panels<kStore, kPanels, kRows>(b, rows, panel);
  if constexpr (kPanels > 1) {
    for (; panel < end; ++panel) multiply_panels<kStore, 1, kRows>(b, rows, panel);
  }
}

template <Store kStore>
void unpack_of(const Narrow& b, std::int64_t panel, std::int64_t panels, std::int64_t k, std::int64_t count, float* dst,
               std::int64_t dst_panel) noexcept {
  if constexpr (kRowPanels > 1) {
    for (; panels >= kRowPanels; panels -= kRowPanels, panel += kRowPanels, dst += kRowPanels * dst_panel) {
      unpack_panels<kStore, kRowPanels>(b, panel, k, count, dst, dst_panel);
    }
  }
  for (; panels > 0; --panels, ++panel, dst += dst_panel) unpack_panels<kStore, 1>(b, panel, k, count, dst, dst_panel);
}

template <Store kStore>
void multiply_of(const Narrow& b, const NarrowRows& rows) noexcept {
  if constexpr (kCompact) {
    NarrowRows one = rows;
    for (std::int64_t i = 0; i < rows.rows; ++i, one.a += one.a_row, one.c += one.c_row)
      multiply_rows<kStore, 1>(b, one);
  } else {
    switch (rows.rows) {
      case 1:
        return multiply_rows<kStore, 1>(b, rows);
      case 2:
        return multiply_rows<kStore, 2>(b, rows);
      case 3:
        return multiply_rows<kStore, 3>(b, rows);
      default:
        return multiply_rows<kStore, 4>(b, rows);
    }
  }
}

// Calls f with the store of `b` as a constant.
template <class F>
MOTE_INLINE void with_store(Store store, F f) {
  switch (store) {
    case Store::kF16:
      return f(std::integral_constant<Store, Store::kF16>());
    case Store::kBf16:
      return f(std::integral_constant<Store, Store::kBf16>());
    case Store::kU8:
      return f(std::integral_constant<Store, Store::kU8>());
    case Store::kU4:
      return f(std::integral_constant<Store, Store::kU4>());
    case Store::kU2:
      return f(std::integral_constant<Store, Store::kU2>());
    case Store::kF32:
      return;
  }
}

void unpack_narrow(const Narrow& b, std::int64_t panel, std::int64_t panels, std::int64_t k, std::int64_t count,
                   float* dst, std::int64_t dst_panel) noexcept {
  with_store(b.store, [&](auto store) { unpack_of<store()>(b, panel, panels, k, count, dst, dst_panel); });
}

void multiply_narrow(const Narrow& b, const NarrowRows& rows) noexcept {
  with_store(b.store, [&](auto store) { multiply_of<store()>(b, rows); });
  if (!rows.program) return;
  MOTE_SIMD_BASE_NS::apply_epilogue(*rows.program,
                                    {rows.c, rows.c_row, rows.rows, rows.n, rows.program_row, 1, rows.program_col});
}

}  // namespace
}  // namespace mote::kernels::MOTE_SIMD_NS
