#include "kernels/idot/idot.h"

#include <algorithm>
#include <cstring>

#include "kernels/scratch.h"

namespace mote::kernels::idot {

#define MOTE_IDOT_KERNEL(ns, isa)                    \
  namespace ns {                                     \
  void run(const Params&, TileRange) noexcept;       \
  void depthwise(const Params&, TileRange) noexcept; \
  }
#include "kernels/idot/kernels.inc"
#undef MOTE_IDOT_KERNEL

namespace {

#if defined(__x86_64__)
#define MOTE_HAS_avx512vnni &avx512vnni::run, &avx512vnni::depthwise, false
#define MOTE_HAS_avx512 &avx512::run, &avx512::depthwise, false
#define MOTE_HAS_avxvnni &avxvnni::run, &avxvnni::depthwise, false
#define MOTE_HAS_avx2 &avx2::run, &avx2::depthwise, false
#else
#define MOTE_HAS_avx512vnni nullptr, nullptr, false
#define MOTE_HAS_avx512 nullptr, nullptr, false
#define MOTE_HAS_avxvnni nullptr, nullptr, false
#define MOTE_HAS_avx2 nullptr, nullptr, false
#endif
#if defined(__aarch64__)
#define MOTE_HAS_neon &neon::run, &neon::depthwise, true
#define MOTE_HAS_neondot &neondot::run, &neondot::depthwise, true
#else
#define MOTE_HAS_neon nullptr, nullptr, true
#define MOTE_HAS_neondot nullptr, nullptr, true
#endif
#define MOTE_HAS_scalar &scalar::run, &scalar::depthwise, false

constexpr Row kRows[] = {
#define MOTE_IDOT_KERNEL(ns, isa) {"idot_" #isa, Isa::isa, Numerics::kExact, MOTE_HAS_##ns},
#include "kernels/idot/kernels.inc"
#undef MOTE_IDOT_KERNEL
};

constexpr std::int64_t kTileMacs = 4 << 20;

std::int64_t rounded_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }

std::int32_t zero_of(const std::byte* p, std::int64_t i, bool is_signed) {
  return is_signed ? static_cast<std::int32_t>(reinterpret_cast<const std::int8_t*>(p)[i])
                   : static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t*>(p)[i]);
}

}  // namespace

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  return *std::find_if(std::begin(kRows), std::end(kRows) - 1,
                       [&](const Row& r) { return r.run != nullptr && cpu.has(r.isa); });
}

void pack(const std::uint8_t* b, bool is_signed, std::int64_t k, std::int64_t n, std::int64_t k_stride,
          std::int64_t n_stride, std::byte* out) noexcept {
  const std::uint8_t flip = is_signed ? 0 : 0x80;
  auto* to = reinterpret_cast<std::int8_t*>(out);
  std::byte* sums = out + panels_of(n) * quads_of(k) * 64;
  for (std::int64_t j = 0; j < panels_of(n) * kPanel; ++j) {
    std::int8_t* column = to + j / kPanel * quads_of(k) * 64 + j % kPanel * 4;
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < quads_of(k) * 4; ++i) {
      std::int8_t v = 0;
      if (i < k && j < n) v = static_cast<std::int8_t>(b[i * k_stride + j * n_stride] ^ flip);
      column[i / 4 * 64 + i % 4] = v;
      sum += v;
    }
    std::memcpy(sums + j * 4, &sum, 4);
  }
}

void pack_run(const Params& p, TileRange range) noexcept {
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    pack(p.b_plain + t * p.b_plain_batch, p.b_signed, p.k, p.n, p.b_k_stride, p.b_n_stride,
         const_cast<std::byte*>(p.b) + t * p.b_batch);
  }
}

Scales scales_at(std::int32_t* words, std::int64_t columns, Recipe recipe) {
  Scales s{};
  auto* floats = reinterpret_cast<float*>(words);
  if (recipe == Recipe::kHalfAway) {
    s.f64 = reinterpret_cast<double*>(words);
  } else if (recipe == Recipe::kFixed) {
    s.fixed = {words, words + columns};
  } else {
    s.f32 = {floats, floats + columns};
  }
  return s;
}

void set_scale(const Params& p, std::int64_t column, std::int64_t at, const Scales& to) {
  if (p.out == DType::i32) return;
  const float b_scale = reinterpret_cast<const float*>(p.b_scale.data)[p.b_scale.count == 1 ? 0 : column];
  const double scale = p.out == DType::f32 ? 0
                                           : static_cast<double>(*p.a_scale) * static_cast<double>(b_scale) /
                                                 static_cast<double>(*p.y_scale);
  if (p.recipe == Recipe::kHalfAway) {
    to.f64[at] = scale;
  } else if (p.recipe == Recipe::kFixed) {
    const FixedScale fixed = fixed_scale(scale);
    to.fixed.multiplier[at] = fixed.multiplier;
    to.fixed.shift[at] = fixed.shift;
  } else {
    to.f32.factor[at] = *p.a_scale * b_scale;
    if (p.out != DType::f32) to.f32.factor[at] /= *p.y_scale;
    to.f32.bias[at] = p.float_bias ? p.float_bias[column] : 0;
  }
}

Shared shared_of(const Params& p) {
  std::int64_t n = shared_columns(p), batch = p.b_batch != 0 ? p.batch : 1;
  auto* at = reinterpret_cast<std::int32_t*>(p.shared);
  return {at + 16, at + 16 + n * batch, scales_at(at + 16 + n * (batch + 1), n, p.recipe), at};
}

void prepare(const Params& p, TileRange) noexcept {
  Shared s = shared_of(p);
  const std::int64_t padded = panels_of(p.n) * kPanel, batch = p.b_batch != 0 ? p.batch : 1;
  // In the kernel's forms: a unsigned, b signed.
  const std::int64_t a_zero =
      p.a_zero ? zero_of(p.a_zero, 0, p.a_signed) + (p.a_signed ? 128 : 0) : (p.a_signed ? 128 : 0);
  s.flags[0] = 0;
  s.flags[1] = p.y_zero ? zero_of(p.y_zero, 0, p.out == DType::i8) : 0;
  for (std::int64_t g = 0; g < p.groups; ++g) {
    for (std::int64_t j = 0; j < padded; ++j) {
      std::int64_t column = g * p.n + std::min(j, p.n - 1), at = g * padded + j;
      std::int64_t zero = p.b_zero.data ? zero_of(p.b_zero.data, p.b_zero.count == 1 ? 0 : column, p.b_signed) : 0;
      zero -= p.b_signed ? 0 : 128;
      s.zero[at] = static_cast<std::int32_t>(zero);
      if (j < p.n && zero != 0) s.flags[0] = 1;
      set_scale(p, column, at, s.scales);
      for (std::int64_t i = 0; i < batch; ++i) {
        std::int32_t sum = 0;
        std::memcpy(&sum, p.b + i * p.b_batch + g * packed_size(p.k, p.n) + panels_of(p.n) * quads_of(p.k) * 64 + j * 4,
                    4);
        std::int64_t add = (p.bias ? p.bias[column] : 0) - a_zero * sum + p.k * a_zero * zero;
        if (p.signed_kernel) add += 128 * std::int64_t{sum};
        s.add[i * shared_columns(p) + at] = static_cast<std::int32_t>(static_cast<std::uint64_t>(add));
      }
    }
  }
}

Work setup(const Row& row, Params* p) {
  p->signed_kernel = row.signed_a;
  if (p->m == 0 || p->n == 0 || p->batch == 0) return {0, 0, 0};
  std::int64_t padded = panels_of(p->n) * kPanel;
  // Rows first: a tile of the packed weights' width; then columns, where rows are few.
  std::int64_t by_macs = kTileMacs / std::max<std::int64_t>(p->k * padded, 1);
  p->row_step = std::clamp<std::int64_t>(by_macs / 12 * 12, 24, 480);
  p->row_step = std::min(p->row_step, p->m);
  p->row_tiles = (p->m + p->row_step - 1) / p->row_step;
  p->col_step = std::clamp(rounded_up(kTileMacs / std::max<std::int64_t>(p->k * p->row_step, 1), 64), std::int64_t{64},
                           rounded_up(padded, 64));
  p->col_tiles = (padded + p->col_step - 1) / p->col_step;
  std::int64_t scratch = rounded_up(p->row_step * 4, 64) + (p->gather ? rounded_up(p->row_step * p->k, 64) : 0);
  std::int64_t batch = p->b_batch != 0 ? p->batch : 1;
  std::int64_t shared = (16 + shared_columns(*p) * (batch + 3)) * 4;
  return {p->batch * p->groups * p->row_tiles * p->col_tiles, scratch_size(scratch), scratch_size(shared)};
}

}  // namespace mote::kernels::idot
