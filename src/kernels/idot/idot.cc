#include "kernels/idot/idot.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::idot {

#define MOTE_IDOT_KERNEL(ns, isa, winograd, reads, signed_a, depth) \
  namespace ns {                                                    \
  void run(const Params&, TileRange) noexcept;                      \
  void depthwise(const Params&, TileRange) noexcept;                \
  void run_words(const Params&, TileRange) noexcept;                \
  void depthwise_of_words(const Params&, TileRange) noexcept;       \
  void run_winograd(const Params&, TileRange) noexcept;             \
  }
#include "kernels/idot/kernels.inc"
#undef MOTE_IDOT_KERNEL

namespace {

#define MOTE_WINOGRAD_0(x) nullptr
#define MOTE_WINOGRAD_1(x) x
#define MOTE_WINOGRAD_2(x) x
constexpr Row kRows[] = {
#define MOTE_IDOT_KERNEL(ns, isa, winograd, reads, signed_a, depth) \
  {"idot_" #isa,                                                    \
   Isa::isa,                                                        \
   Numerics::kExact,                                                \
   MOTE_IF_##ns(&ns::run),                                          \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::depthwise),                       \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::run_words),                       \
   MOTE_IF_##ns(&MOTE_SHARED(ns)::depthwise_of_words),              \
   MOTE_WINOGRAD_##winograd(MOTE_IF_##ns(&ns::run_winograd)),       \
   winograd,                                                        \
   reads,                                                           \
   signed_a,                                                        \
   depth},
#include "kernels/idot/kernels.inc"
#undef MOTE_IDOT_KERNEL
};
#undef MOTE_WINOGRAD_0
#undef MOTE_WINOGRAD_1
#undef MOTE_WINOGRAD_2

std::int64_t rounded_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }

std::int32_t zero_of(const std::byte* p, std::int64_t i, bool is_signed) {
  return is_signed ? static_cast<std::int32_t>(reinterpret_cast<const std::int8_t*>(p)[i])
                   : static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t*>(p)[i]);
}

}  // namespace

std::int32_t y_zero_of(const Params& p) {
  if (!p.y_zero) return 0;
  std::int16_t word = 0;
  if (p.out == DType::i16 || p.out == DType::u16) std::memcpy(&word, p.y_zero, 2);
  if (p.out == DType::i16) return word;
  if (p.out == DType::u16) return static_cast<std::uint16_t>(word);
  return zero_of(p.y_zero, 0, p.out == DType::i8);
}

std::int64_t bias_of(const Params& p, std::int64_t column) {
  if (p.wide_bias) return p.wide_bias[column];
  return p.bias ? p.bias[column] : 0;
}

std::span<const Row> kernels() { return kRows; }

const Row& select(const CpuFeatures& cpu) {
  // Of a CPU that plans are prepared for, which may lack kernels here: a row says how weights are laid out.
  return select_row(kernels(), cpu);
}

namespace {

// The sum of 8 bytes, each from 0 to 255.
std::uint32_t sum_of_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kEven = 0x00ff00ff00ff00ff;
  return static_cast<std::uint32_t>(((bytes & kEven) + (bytes >> 8 & kEven)) * 0x0001000100010001 >> 48);
}

// Bytes of a step of a panel, and where k and a column stand in it.
template <int kDepth>
struct Layout {
  static constexpr std::int64_t kK = kDepth, kPiece = kDepth;  // k of a step, and those of a column side by side
  static constexpr std::int64_t column(std::int64_t j) { return j * kDepth; }
  static constexpr std::int64_t at(std::int64_t k) { return k; }
};
template <>
struct Layout<kHalves> {
  static constexpr std::int64_t kK = 8, kPiece = 4;
  static constexpr std::int64_t column(std::int64_t j) { return j / 2 * 16 + j % 2 * 4; }
  static constexpr std::int64_t at(std::int64_t k) { return k / 4 * 8 + k % 4; }
};

// Elements of a column that lie side by side, 8 at a time, from the first of a step on; their sum.
template <class L>
std::uint32_t pack_eights(const std::uint8_t* from, std::int64_t eights, std::uint8_t flip, std::int8_t* to) {
  constexpr std::int64_t kSteps = 8 / L::kK;
  const std::uint64_t flips = flip * std::uint64_t{0x0101010101010101};
  const std::uint64_t to_unsigned = std::uint64_t{0x8080808080808080};
  std::uint32_t sum = 0;
  for (std::int64_t i = 0; i < eights; ++i, from += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, from, 8);
    bytes ^= flips;
    sum += sum_of_bytes(bytes ^ to_unsigned) - 8 * 128;
    const auto words = std::bit_cast<std::array<std::int8_t, 8>>(bytes);
    const std::int8_t* at = words.data();
    for (std::int64_t step = 0; step < kSteps; ++step, to += L::kK * kPanel) {
      for (std::int64_t k = 0; k < L::kK; k += L::kPiece, at += L::kPiece) std::memcpy(to + L::at(k), at, L::kPiece);
    }
  }
  return sum;
}

// One column of a panel, from `from` in steps of k_stride; the sum of its elements.
template <class L>
std::uint32_t pack_column(const std::uint8_t* from, std::int64_t k_stride, std::uint8_t flip, const Segments& k,
                          std::int8_t* column) {
  std::uint32_t sum = 0;
  auto put = [&](std::int8_t* to) {
    *to = static_cast<std::int8_t>(*from ^ flip);
    sum += static_cast<std::uint32_t>(*to);
    from += k_stride;
  };
  for (std::int64_t s = 0; s < k.count; ++s) {
    std::int64_t i = s * k.pitch;
    const std::int64_t end = i + k.length;
    auto at = [&] { return column + i / L::kK * L::kK * kPanel + L::at(i % L::kK); };
    for (; i < end && i % L::kK != 0; ++i) put(at());
    if (k_stride == 1 && end - i >= 8) {
      const std::int64_t eights = (end - i) / 8;
      sum += pack_eights<L>(from, eights, flip, at());
      from += eights * 8;
      i += eights * 8;
    }
    for (std::int8_t* step = at(); end - i >= L::kK; i += L::kK, step += L::kK * kPanel) {
      for (std::int64_t d = 0; d < L::kK; ++d) put(step + L::at(d));
    }
    for (; i < end; ++i) put(at());
  }
  return sum;
}

// Adds columns of `k`, that lie in `out` from `k_begin` on, to panels of `quads` and to the sums behind them.
void pack_columns(const std::uint8_t* b, bool is_signed, const Segments& k, std::int64_t quads, std::int64_t n,
                  const Piece& piece, std::int64_t k_stride, std::int64_t n_stride, int depth, std::byte* out) {
  const std::uint8_t flip = is_signed ? 0 : 0x80;
  std::byte* sums = out + panels_of(n) * quads * 64;
  const auto column_of = depth == 2   ? pack_column<Layout<2>>
                         : depth == 4 ? pack_column<Layout<4>>
                         : depth == 8 ? pack_column<Layout<8>>
                                      : pack_column<Layout<kHalves>>;
  for (std::int64_t i = 0; i < piece.n_count; ++i) {
    const std::int64_t j = piece.n_begin + i, in_panel = j % kPanel;
    auto* column = reinterpret_cast<std::int8_t*>(out) + j / kPanel * quads * 64 +
                   (depth == kHalves ? Layout<kHalves>::column(in_panel) : in_panel * depth);
    std::uint32_t sum;
    std::memcpy(&sum, sums + j * 4, 4);
    sum += column_of(b + i * n_stride, k_stride, flip, k, column + piece.k_begin * kPanel);
    std::memcpy(sums + j * 4, &sum, 4);
  }
}

}  // namespace

void pack(const std::uint8_t* b, bool is_signed, const Segments& k, std::int64_t n, std::int64_t k_stride,
          std::int64_t n_stride, int depth, std::byte* out) noexcept {
  const std::int64_t quads = quads_of(k.packed_k());
  std::memset(out, 0, static_cast<std::size_t>(panels_of(n) * (quads * 64 + kPanel * 4)));
  pack_columns(b, is_signed, k, quads, n, {0, k.packed_k(), 0, n}, k_stride, n_stride, depth, out);
}

void pack_piece(const std::uint8_t* b, bool is_signed, std::int64_t k, std::int64_t n, const Piece& piece,
                std::int64_t k_stride, std::int64_t n_stride, int depth, std::byte* out) noexcept {
  const Segments whole = segments_of(k, depth);
  pack_columns(b, is_signed, {1, piece.k_count, whole.pitch}, quads_of(whole.packed_k()), n, piece, k_stride, n_stride,
               depth, out);
}

void pack_run(const Params& p, TileRange range) noexcept {
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    pack(p.b_plain + t * p.b_plain_batch, p.b_signed, p.segments, p.n, p.b_k_stride, p.b_n_stride, p.depth,
         const_cast<std::byte*>(p.b) + t * p.b_batch);
  }
}

Scales scales_at(std::int32_t* words, std::int64_t columns, Recipe recipe) {
  Scales s{};
  auto* floats = reinterpret_cast<float*>(words);
  if (recipe == Recipe::kHalfAway) {
    s.f64 = reinterpret_cast<double*>(words);
  } else if (recipe == Recipe::kFixed || recipe == Recipe::kFixedWide) {
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
  } else if (p.recipe == Recipe::kFixedWide) {
    const WideScale wide = wide_scale(fixed_scale(scale));
    to.fixed.multiplier[at] = static_cast<std::int32_t>(wide.multiplier);
    to.fixed.shift[at] = wide.shift;
  } else {
    to.f32.factor[at] = *p.a_scale * b_scale;
    if (p.out != DType::f32) to.f32.factor[at] /= *p.y_scale;
    to.f32.bias[at] = p.float_bias ? p.float_bias[column] : 0;
  }
}

Shared shared_of(const Params& p) {
  std::int64_t n = shared_columns(p), batch = p.b_batch != 0 ? p.batch : 1;
  auto* at = reinterpret_cast<std::int32_t*>(p.shared);
  std::int32_t* scales = at + 16 + n * (batch + 1);
  return {at + 16, at + 16 + n * batch, scales_at(scales, n, p.recipe), at,
          reinterpret_cast<std::int64_t*>(scales + 2 * n)};
}

std::int64_t shared_bytes_of(const Params& p) {
  const std::int64_t batch = p.b_batch != 0 ? p.batch : 1;
  return (16 + shared_columns(p) * (batch * (p.words ? 3 : 1) + 3)) * 4;
}

std::int32_t word_zero(const Params& p) {
  std::uint16_t zero = 0;
  if (p.a_zero) std::memcpy(&zero, p.a_zero, 2);
  return p.a_signed ? static_cast<std::int32_t>(static_cast<std::int16_t>(zero)) : static_cast<std::int32_t>(zero);
}

double word_reach(const Params& p) {
  const std::int32_t zero = word_zero(p), least = p.a_signed ? -(1 << 15) : 0;
  return std::max(zero - least, least + 0xffff - zero);
}

namespace {

// Whether one of the bytes, a multiple of 64, is -128.
bool holds_least(const std::byte* from, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) {
    std::uint32_t found = 0;
    for (std::int64_t j = 0; j < 64; ++j) found |= from[i + j] == std::byte{0x80} ? 1 : 0;
    if (found != 0) return true;
  }
  return false;
}

// The sum of the magnitudes of column j of a packed [k, n] of pairs.
std::int64_t magnitude_of(const std::byte* packed, std::int64_t quads, std::int64_t j) {
  const auto* at = reinterpret_cast<const std::int8_t*>(packed) + j / kPanel * quads * 64 + j % kPanel * 2;
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < quads * 2; ++i, at += 2 * kPanel) sum += std::abs(int{at[0]}) + std::abs(int{at[1]});
  return sum;
}

}  // namespace

void prepare(const Params& p, TileRange) noexcept {
  Shared s = shared_of(p);
  const std::int64_t padded = panels_of(p.n) * kPanel, batch = p.b_batch != 0 ? p.batch : 1;
  const std::int64_t panels = panels_of(p.n) * p.steps * 64, each = panels + padded * 4;
  // In the kernel's forms: a unsigned, b signed.
  std::int64_t a_zero =
      p.a_zero && !p.words ? zero_of(p.a_zero, 0, p.a_signed) + (p.a_signed ? 128 : 0) : (p.a_signed ? 128 : 0);
  if (p.words) a_zero = word_zero(p) - (p.a_signed ? 0 : 1 << 15);
  const double reach = p.words ? word_reach(p) : 0;
  double most = 0;
  s.flags[0] = s.flags[3] = s.flags[4] = 0;
  s.flags[1] = y_zero_of(p);
  for (std::int64_t g = 0; g < p.groups; ++g) {
    for (std::int64_t j = 0; j < padded; ++j) {
      std::int64_t column = g * p.n + std::min(j, p.n - 1), at = g * padded + j;
      std::int64_t zero = p.b_zero.data ? zero_of(p.b_zero.data, p.b_zero.count == 1 ? 0 : column, p.b_signed) : 0;
      zero -= p.b_signed ? 0 : 128;
      s.zero[at] = static_cast<std::int32_t>(zero);
      if (j < p.n && zero != 0) s.flags[0] = 1;
      set_scale(p, column, at, s.scales);
      if (p.out != DType::i32 && p.recipe == Recipe::kHalfEven && !std::isfinite(s.scales.f32.factor[at]))
        s.flags[4] = 1;
      for (std::int64_t i = 0; i < batch; ++i) {
        std::int32_t sum = 0;
        const std::byte* b = p.b + i * p.b_batch + g * each;
        std::memcpy(&sum, b + panels + j * 4, 4);
        const std::int64_t bias = bias_of(p, column);
        auto add = static_cast<std::int64_t>(static_cast<std::uint64_t>(bias) +
                                             static_cast<std::uint64_t>(p.k * a_zero * zero - a_zero * sum));
        if (p.signed_kernel) add += 128 * std::int64_t{sum};
        s.add[i * shared_columns(p) + at] = static_cast<std::int32_t>(static_cast<std::uint64_t>(add));
        if (!p.words) continue;
        s.wide_add[i * shared_columns(p) + at] = add;
        const auto weights =
            static_cast<double>(magnitude_of(b, p.steps, j)) + static_cast<double>(p.k * std::abs(zero));
        most = std::max(most, reach * weights + std::abs(static_cast<double>(bias)));
      }
    }
  }
  s.flags[2] = narrow_sums(p.recipe, most);
  if (p.depth != kHalves) return;
  for (std::int64_t i = 0; i < batch * p.groups && s.flags[3] == 0; ++i)
    s.flags[3] = holds_least(p.b + (batch > 1 ? i * p.b_batch : i * each), panels);
}

namespace {

std::int64_t step_of(int depth) { return depth == kHalves ? 8 : depth; }

}  // namespace

Segments segments_of(std::int64_t k, int depth) { return {1, k, rounded_up(k, step_of(depth))}; }

Segments segments_of(const Window& w, int depth) {
  const bool joined = w.dilation[2] == 1;
  const std::int64_t count = w.kernel[0] * w.kernel[1] * (joined ? 1 : w.kernel[2]),
                     length = w.channels * (joined ? w.kernel[2] : 1);
  return {count, length, rounded_up(length, step_of(depth))};
}

namespace {

// Rows of a tile of packed ones, and its bytes: with kHalves, every byte stands in it twice.
std::int64_t tile_rows_of(int depth) { return depth == kHalves ? 3 : 6; }
std::int64_t packed_tile_bytes(const Params& p) { return 6 * rounded_up(p.segments.packed_k(), 16); }

// Bytes of a value of A in a copy.
std::int64_t copied_value(const Params& p) { return p.depth == 2 ? 2 : 1; }

}  // namespace

RowScratch row_scratch_of(const Params& p) {
  auto rounded = [](std::int64_t bytes) { return rounded_up(bytes, 64); };
  const std::int64_t value = copied_value(p);
  std::int64_t copy = 0;
  if (p.access == Access::kImage) copy = p.piece_rows * p.piece_pitch + 64;
  if (p.access == Access::kPixels || (p.access == Access::kPlace && p.depth == 2 && !p.words))
    copy = p.row_step * p.segments.packed_k() * value + 64;
  RowScratch s;
  s.sums = s.at + rounded(p.row_step * 8);
  s.partial = s.sums + rounded(p.row_step * 4);
  s.segments = s.partial + (p.depth == 2 ? p.row_step * 64 : 0);
  s.packed = s.segments + rounded(p.segments.count * 8);
  s.copy = s.packed + rounded(p.packed_rows / tile_rows_of(p.depth) * packed_tile_bytes(p));
  s.bytes = s.copy + rounded(copy);
  return s;
}

namespace {

// Multiply-adds of a tile: at most, at least, and where an instruction does several times as many.
constexpr double kTileMacs = 4 << 20, kLeastMacs = 1 << 17, kLeastFastMacs = 1 << 18;
constexpr std::int64_t kLeastRows = 48, kMostRows = 480, kRowUnit = 6;
constexpr double kPieceBytes = 192 << 10, kMostPieceBytes = 4 << 20;
constexpr std::int64_t kPackedBytes = 32 << 10;  // of A's rows

// Rows and columns of the image under one more row or column of the result.
double span_of(const Window& w, int d, std::int64_t outputs) {
  return static_cast<double>(outputs - 1) * static_cast<double>(w.stride[d]) +
         static_cast<double>(w.kernel[d] - 1) * static_cast<double>(w.dilation[d]) + 1;
}

double piece_bytes(const Params& p, std::int64_t band, std::int64_t strip) {
  return span_of(p.window, 1, band) * span_of(p.window, 2, strip) * static_cast<double>(p.window.channels) *
         static_cast<double>(copied_value(p));
}

Access access_of(const Params& p) {
  if (!p.gather) return Access::kPlace;
  const Window& w = p.window;
  bool points = true;
  for (int d = 0; d < 3; ++d)
    points = points && w.kernel[d] == 1 && w.pad[d] == 0 && (w.out[d] - 1) * w.stride[d] < w.in[d];
  if (points) return Access::kPlace;
  const bool flat = w.kernel[0] == 1 && w.stride[0] == 1 && w.pad[0] == 0 && w.in[0] == w.out[0];
  return flat ? Access::kImage : Access::kPixels;
}

// Cuts the result into pieces of about `pixels`, whose images stay in the second cache.
void cut_image(Params* p, std::int64_t pixels) {
  const Window& w = p->window;
  std::int64_t strip = w.out[2], band = std::clamp<std::int64_t>((pixels + strip - 1) / strip, 1, w.out[1]);
  while (band > 1 && piece_bytes(*p, band, strip) > kPieceBytes) band = (band + 1) / 2;
  if (band == 1) strip = std::min(strip, std::max<std::int64_t>(pixels, 1));
  while (strip > 1 && piece_bytes(*p, band, strip) > kPieceBytes) strip = (strip + 1) / 2;
  if (piece_bytes(*p, band, strip) > kMostPieceBytes) {
    p->access = Access::kPixels;
    return;
  }
  p->rows = {w.out[1], 1, (w.out[1] + band - 1) / band};
  p->strips = {w.out[2], 1, (w.out[2] + strip - 1) / strip};
  p->piece_rows = (p->rows.most() - 1) * w.stride[1] + (w.kernel[1] - 1) * w.dilation[1] + 1;
  p->piece_columns = (p->strips.most() - 1) * w.stride[2] + (w.kernel[2] - 1) * w.dilation[2] + 1;
  p->piece_pitch = p->piece_columns * w.channels * copied_value(*p);
  p->row_step = p->rows.most() * p->strips.most();
  p->row_tiles = p->m / (w.out[1] * w.out[2]) * p->rows.count * p->strips.count;
}

}  // namespace

Work setup(const Row& row, Params* p) {
  p->signed_kernel = !p->words && (row.depth == 8 ? p->a_signed : row.signed_a);
  p->depth = depth_of(row, p->words);
  p->segments = p->gather ? segments_of(p->window, p->depth) : segments_of(p->k, p->depth);
  p->steps = quads_of(p->segments.packed_k());
  if (p->m == 0 || p->n == 0 || p->batch == 0) return {0, 0, 0};
  p->access = access_of(*p);
  const std::int64_t padded = panels_of(p->n) * kPanel, products = p->batch * p->groups;
  const double macs = static_cast<double>(p->m) * static_cast<double>(p->segments.packed_k()) *
                      static_cast<double>(padded) * static_cast<double>(products);
  const std::int64_t parts =
      std::max<std::int64_t>(parts_of(macs, p->depth == 2 ? kLeastMacs : kLeastFastMacs, kTileMacs) / products, 1);
  // Rows first: a tile of the packed weights' width; then columns, where rows are few.
  const std::int64_t by_rows = std::max(parts_within(parts, p->m / kLeastRows), (p->m + kMostRows - 1) / kMostRows);
  if (p->access == Access::kImage) cut_image(p, (p->m + by_rows - 1) / by_rows);
  if (p->access != Access::kImage) {
    p->rows = {p->m, kRowUnit, by_rows};
    p->row_step = p->rows.most();
    p->row_tiles = by_rows;
  }
  if (row.signed_a && !p->words) {
    const std::int64_t tiles = (p->row_step + tile_rows_of(p->depth) - 1) / tile_rows_of(p->depth);
    p->packed_rows = std::clamp<std::int64_t>(kPackedBytes / packed_tile_bytes(*p), 1, tiles) * tile_rows_of(p->depth);
  }
  p->cols = {padded, p->depth == 2 ? kPanel : 4 * kPanel,
             parts_within(parts / p->row_tiles, (padded + 4 * kPanel - 1) / (4 * kPanel))};
  return {products * p->row_tiles * p->cols.count, scratch_size(row_scratch_of(*p).bytes),
          scratch_size(shared_bytes_of(*p))};
}

}  // namespace mote::kernels::idot
