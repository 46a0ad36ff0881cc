#include "kernels/idot/depthwise.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernels/compact.h"
#include "kernels/scratch.h"

namespace mote::kernels::idot {
namespace {

constexpr double kLeastMacs = 1 << 15, kTileMacs = 1 << 19;
constexpr std::int64_t kBandBytes = 192 << 10, kLeastBand = 7, kMostColumns = 1 << 12;

std::int32_t byte_at(const std::byte* p, std::int64_t i, bool is_signed) {
  return is_signed ? static_cast<std::int32_t>(reinterpret_cast<const std::int8_t*>(p)[i])
                   : static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t*>(p)[i]);
}

std::int64_t shared_words(const Params& p) {
  const std::int64_t pitch = panels_of(p.groups) * kPanel;
  if (p.words) return 16 + pitch * (6 + p.k + pairs_of(p.k));
  const std::int64_t forms =
      p.depthwise == Depthwise::kRows ? 1 + row_words_of(p.window) / 2 : 3 + quads_of(p.k) + pairs_of(p.k);
  return 16 + pitch * (3 + p.k + forms) + pitch / 4;
}

}  // namespace

Filters filters_of(const Params& p) {
  const std::int64_t pitch = panels_of(p.groups) * kPanel;
  auto* at = reinterpret_cast<std::int32_t*>(p.shared);
  auto take = [&](std::int64_t n) {
    std::int32_t* here = at;
    at += n;
    return here;
  };
  Filters f{};
  f.pitch = pitch;
  f.flags = take(16);
  f.add = take(pitch);
  f.scales = scales_at(take(2 * pitch), pitch, p.recipe);
  f.weights = take(p.k * pitch);
  if (p.words) {
    f.fill = reinterpret_cast<std::uint8_t*>(take(pitch));
    f.wide_add = reinterpret_cast<std::int64_t*>(take(2 * pitch));
    f.pairs = reinterpret_cast<std::int16_t*>(take(pairs_of(p.k) * pitch));
    return f;
  }
  f.fill = reinterpret_cast<std::uint8_t*>(take(pitch / 4));
  if (p.depthwise == Depthwise::kRows) {
    f.row_add = take(pitch);
    f.rows = reinterpret_cast<std::int16_t*>(take(pitch * row_words_of(p.window) / 2));
    return f;
  }
  f.quad_add = take(pitch);
  f.quad_scale = reinterpret_cast<float*>(take(pitch));
  f.quads = reinterpret_cast<std::int8_t*>(take(quads_of(p.k) * pitch));
  f.pair_add = take(pitch);
  f.pairs = reinterpret_cast<std::int16_t*>(take(pairs_of(p.k) * pitch));
  return f;
}

namespace {

double macs_of(const Params& p) {
  return static_cast<double>(p.m) * static_cast<double>(panels_of(p.groups) * kPanel) * static_cast<double>(p.k);
}

// Whether to read the image by pairs of rows; cuts it into bands, whose rows stay in the second cache, and those by
// channels.
bool cut_rows(Params* p) {
  const Window& w = p->window;
  const bool flat = w.kernel[0] == 1 && w.stride[0] == 1 && w.pad[0] == 0 && w.in[0] == w.out[0];
  const bool bytes = (p->out == DType::u8 || p->out == DType::i8) && p->recipe != Recipe::kHalfAway;
  if (!flat || !bytes || w.kernel[1] < 2 || pair_rows_of(w.kernel[1]) > kMostPairRows || w.dilation[1] != 1 ||
      w.dilation[2] != 1)
    return false;
  // On Arm as rows of taps that are known. There, a last block of channels overlaps others of its part: the last one of
  // several has more than one.
  if (p->signed_kernel && ((w.kernel[2] != 3 && w.kernel[2] != 5) || w.stride[2] > 2 || p->groups < kPanel))
    return false;
  p->piece_columns = (w.out[2] - 1) * w.stride[2] + w.kernel[2];
  if (p->piece_columns > kMostColumns) return false;
  const double row_bytes =
      static_cast<double>(w.in[2]) * static_cast<double>(p->a_row) * static_cast<double>(w.stride[1]);
  const std::int64_t images = p->m / (w.out[1] * w.out[2]), parts = parts_of(macs_of(*p), kLeastMacs, kTileMacs);
  // Bands first: threads then read what they wrote, where the step before was cut by rows too.
  const auto most = std::clamp<std::int64_t>(static_cast<std::int64_t>(kBandBytes / std::max(row_bytes, 1.0)),
                                             std::min(w.out[1], kLeastBand), w.out[1]);
  p->rows = {w.out[1], p->quads ? quad_rows_of(w) : 1,
             std::max((w.out[1] + most - 1) / most, parts_within(parts / images, w.out[1] / kLeastBand))};
  p->row_tiles = images * p->rows.count;
  p->cols = {p->groups, kPanel, parts_within(parts / p->row_tiles, (panels_of(p->groups) + 1) / 2)};
  return true;
}

}  // namespace

Work setup_depthwise(const Row& row, Params* p) {
  p->signed_kernel = row.signed_a;
  p->quads = row.signed_a && row.depth != kHalves;
  if (p->m == 0 || p->groups == 0) return {0, 0, 0};
  if (!p->words && row.reads == Depthwise::kRows && cut_rows(p)) {
    p->depthwise = Depthwise::kRows;
    return {p->row_tiles * p->cols.count, scratch_size(pair_rows_of(p->window.kernel[1]) * p->piece_columns * 64),
            scratch_size(shared_words(*p) * 4)};
  }
  p->rows = {p->m, 1, std::min(parts_of(macs_of(*p), kLeastMacs, kTileMacs), p->m)};
  return {p->rows.count, 0, scratch_size(shared_words(*p) * 4)};
}

namespace {

// The filters by fours, from those with i32.
void prepare_quads(const Params& p, const Filters& f) {
  const std::int64_t quads = quads_of(p.k), a_zero = f.flags[0] + (p.a_signed ? 128 : 0);
  for (std::int64_t c = 0, width = 0; c < p.groups; c += width) {
    width = block_of(p.groups - c);
    for (std::int64_t j = 0; j < width; ++j) {
      // Channel j of the block: where its sum comes out.
      const std::int64_t at = j % 16 / 4 * (width / 4) + j / 16 * 4 + j % 4;
      std::int32_t sum = 0;
      for (std::int64_t t = 0; t < quads * 4; ++t) {
        std::int32_t w = t < p.k ? f.weights[t * f.pitch + c + j] : 0;
        sum += w;
        f.quads[c * quads * 4 + (t / 4 * width + at) * 4 + t % 4] = static_cast<std::int8_t>(w);
      }
      f.quad_add[c + at] = static_cast<std::int32_t>(std::int64_t{f.add[c + j]} - a_zero * sum);
      f.quad_scale[c + at] = f.scales.f32.factor[c + j];
    }
  }
}

// The filters by pairs, from those with i32.
void prepare_pairs(const Params& p, const Filters& f) {
  const std::int64_t pairs = pairs_of(p.k), a_zero = f.flags[0] + (p.a_signed ? 128 : 0);
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t sum = 0;
    for (std::int64_t t = 0; t < pairs * 2; ++t) {
      const std::int32_t w = t < p.k ? f.weights[t * f.pitch + c] : 0;
      sum += w;
      f.pairs[c / 16 * 16 * pairs * 2 + (t / 2 * 16 + c % 16) * 2 + t % 2] = static_cast<std::int16_t>(w);
    }
    f.pair_add[c] = static_cast<std::int32_t>(f.add[c] - a_zero * sum);
  }
}

// The filters as words, tap by tap of 16 channels each; the last block overlaps the one before where it is not whole.
void prepare_single(const Params& p, const Filters& f) {
  std::int16_t* to = f.pairs;
  for (std::int64_t c = 0; c < p.groups; c += 16) {
    const std::int64_t first = c + 16 <= p.groups ? c : std::max<std::int64_t>(p.groups - 16, 0);
    for (std::int64_t t = 0; t < p.k; ++t) {
      for (std::int64_t j = 0; j < 16; ++j) *to++ = static_cast<std::int16_t>(f.weights[t * f.pitch + first + j]);
    }
  }
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t sum = 0;
    for (std::int64_t t = 0; t < p.k; ++t) sum += f.weights[t * f.pitch + c];
    f.pair_add[c] = static_cast<std::int32_t>(f.add[c] - f.flags[0] * sum);
  }
}

// Of words: the filters by pairs, what is added, and whether i32 is enough for it.
void prepare_words(const Params& p, const Filters& f) {
  const std::int64_t pairs = pairs_of(p.k), a_zero = word_zero(p) - (p.a_signed ? 0 : 1 << 15);
  const double reach = word_reach(p);
  double most = 0;
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t sum = 0, magnitude = 0;
    for (std::int64_t t = 0; t < pairs * 2; ++t) {
      const std::int32_t w = t < p.k ? f.weights[t * f.pitch + c] : 0;
      sum += w;
      magnitude += std::abs(w);
      // Where interleaving leaves the channel.
      const std::int64_t at = c % 16 / 4 % 2 * 8 + c % 16 / 8 * 4 + c % 4;
      f.pairs[c / 16 * 16 * pairs * 2 + (t / 2 * 16 + at) * 2 + t % 2] = static_cast<std::int16_t>(w);
    }
    const std::int64_t bias = bias_of(p, std::min(c, p.groups - 1));
    const std::uint64_t add = static_cast<std::uint64_t>(bias) - static_cast<std::uint64_t>(a_zero * sum);
    f.wide_add[c] = static_cast<std::int64_t>(add);
    f.add[c] = static_cast<std::int32_t>(add);
    most = std::max(most, reach * static_cast<double>(magnitude) + std::abs(static_cast<double>(bias)));
  }
  f.flags[2] = narrow_sums(p.recipe, most);
  auto* fill = reinterpret_cast<std::uint16_t*>(f.fill);
  std::fill_n(fill, f.pitch, static_cast<std::uint16_t>(word_zero(p)));
}

// The filters by pairs of rows, from those with i32.
void prepare_rows(const Params& p, const Filters& f) {
  const Window& w = p.window;
  const std::int64_t pairs = pair_rows_of(w.kernel[1]), each = row_words_of(w) / 2;
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    f.row_add[c] = f.add[c];
    for (std::int64_t t = 0; t < p.k; ++t) {
      f.row_add[c] =
          static_cast<std::int32_t>(std::int64_t{f.row_add[c]} - std::int64_t{f.flags[0]} * f.weights[t * f.pitch + c]);
    }
    // Where interleaving leaves the channel.
    std::int64_t at = c % 16;
    if (kCompact || p.groups - c / 16 * 16 > 8) at = at / 8 * 4 + at / 4 % 2 * 8 + at % 4;
    for (std::int64_t t = 0; t < each * 2; ++t) {
      const std::int64_t half = t % 2, column = t / 2 % w.kernel[2], pair = t / 2 / w.kernel[2] % pairs,
                         row = 2 * pair + half - t / 2 / w.kernel[2] / pairs;
      const bool inside = row >= 0 && row < w.kernel[1];
      f.rows[c / 16 * 16 * each * 2 + (t / 2 * 16 + at) * 2 + half] =
          static_cast<std::int16_t>(inside ? f.weights[(row * w.kernel[2] + column) * f.pitch + c] : 0);
    }
  }
}

// The filters as Arm multiplies them by rows: as words, or by quads of rows.
void prepare_columns(const Params& p, const Filters& f) {
  const Window& w = p.window;
  const bool quads = f.flags[5] != 0;
  const std::int64_t outputs = quads ? quad_rows_of(w) : 1, rows = quads ? row_quads_of(w) : w.kernel[1],
                     deep = quads ? 4 : 1, block_bytes = kPanel * row_words_of(w) * 2;
  auto weight = [&](std::int64_t row, std::int64_t column, std::int64_t c) {
    return row >= 0 && row < w.kernel[1] ? f.weights[(row * w.kernel[2] + column) * f.pitch + c] : 0;
  };
  for (std::int64_t c = 0; c < p.groups; c += kPanel) {
    auto* bytes = reinterpret_cast<std::int8_t*>(f.rows) + c / kPanel * block_bytes;
    auto* words = reinterpret_cast<std::int16_t*>(bytes);
    std::int64_t first = c + kPanel <= p.groups ? c : p.groups - kPanel;
    for (std::int64_t i = 0; i < 2 * rows * outputs * w.kernel[2] * 8 * deep; ++i) {
      const std::int64_t channel = i / deep % 8, column = i / deep / 8 % w.kernel[2], each = i / deep / 8 / w.kernel[2],
                         output = each % outputs, row = each / outputs % rows, half = each / outputs / rows;
      const std::int32_t x = weight(row * deep + i % deep - output, column, first + half * 8 + channel);
      quads ? bytes[i] = static_cast<std::int8_t>(x) : words[i] = static_cast<std::int16_t>(x);
    }
  }
  const std::int64_t a_zero = f.flags[0] - (quads && !p.a_signed ? 128 : 0);
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t sum = 0;
    for (std::int64_t t = 0; t < p.k; ++t) sum += f.weights[t * f.pitch + c];
    f.row_add[c] = static_cast<std::int32_t>(f.add[c] - a_zero * sum);
  }
}

}  // namespace

void prepare_depthwise(const Params& p, TileRange) noexcept {
  Filters f = filters_of(p);
  f.flags[0] = p.words ? word_zero(p) : p.a_zero ? byte_at(p.a_zero, 0, p.a_signed) : 0;
  f.flags[1] = y_zero_of(p);
  f.flags[2] = p.k <= kMostQuadTaps && (p.out == DType::u8 || p.out == DType::i8) && p.recipe == Recipe::kHalfEven;
  bool finite = true, bytes = true;
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t column = std::min(c, p.groups - 1);
    f.add[c] = p.bias && !p.words ? p.bias[column] : 0;
    set_scale(p, column, c, f.scales);
    finite = finite && (p.out == DType::i32 || p.recipe != Recipe::kHalfEven || std::isfinite(f.scales.f32.factor[c]));
    std::int32_t zero = p.b_zero.data ? byte_at(p.b_zero.data, p.b_zero.count == 1 ? 0 : column, p.b_signed) : 0;
    for (std::int64_t t = 0; t < p.k; ++t) {
      std::int32_t w = byte_at(p.b, t * p.groups + column, p.b_signed) - zero;
      f.weights[t * f.pitch + c] = w;
      bytes = bytes && w >= -128 && w <= 127;
    }
  }
  if (p.words) return prepare_words(p, f);
  if (!bytes) f.flags[2] = 0;
  f.flags[4] = finite;
  f.flags[5] = bytes && p.quads;
  std::fill_n(f.fill, f.pitch, static_cast<std::uint8_t>(f.flags[0]));
  if (p.depthwise == Depthwise::kRows) return p.signed_kernel ? prepare_columns(p, f) : prepare_rows(p, f);
  f.flags[3] = p.k <= kMostQuadTaps && (p.out == DType::u8 || p.out == DType::i8) && p.recipe != Recipe::kHalfAway;
  if (f.flags[2] != 0) prepare_quads(p, f);
  if (p.signed_kernel) {
    f.flags[3] = f.flags[3] != 0 && finite && p.groups >= kPanel;
    if (f.flags[3] != 0) prepare_single(p, f);
  } else if (f.flags[3] != 0) {
    prepare_pairs(p, f);
  }
}

}  // namespace mote::kernels::idot
