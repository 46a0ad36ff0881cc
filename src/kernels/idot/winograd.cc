#include "kernels/idot/winograd.h"

#include <algorithm>
#include <cstring>

#include "kernels/scratch.h"

namespace mote::kernels::idot {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t rounded_up(std::int64_t x, std::int64_t to) { return ceil_div(x, to) * to; }

// What a tile's transforms take, per channel and per column, in multiply-adds; what a byte of weights takes that comes
// from beyond the second cache.
constexpr double kInputMacs = 30, kOutputMacs = 70, kByteMacs = 3, kGain = 1.5;

using Lanes = std::int16_t[kPanel];

// t = 2G w, of the weights of a panel's columns.
void weight_line(const Lanes& a, const Lanes& b, const Lanes& c, Lanes (&t)[4]) {
  for (std::int64_t o = 0; o < kPanel; ++o) {
    const int ends = a[o] + c[o];
    t[0][o] = static_cast<std::int16_t>(2 * a[o]);
    t[1][o] = static_cast<std::int16_t>(ends + b[o]);
    t[2][o] = static_cast<std::int16_t>(ends - b[o]);
    t[3][o] = static_cast<std::int16_t>(2 * c[o]);
  }
}

}  // namespace

bool winograd_can(const Window& w) {
  for (int d = 0; d < 3; ++d) {
    if (w.kernel[d] != (d == 0 ? 1 : 3) || w.stride[d] != 1 || (d > 0 && w.dilation[d] != 1)) return false;
  }
  return w.pad[0] == 0 && w.channels >= 1 && w.channels <= kMostWinogradChannels;
}

bool winograd_suits(const Window& w, std::int64_t n) {
  if (!winograd_can(w) || w.in[0] != w.out[0]) return false;
  const auto tiles = static_cast<double>(ceil_div(w.out[1], 2) * ceil_div(w.out[2], 2)),
             k = static_cast<double>(w.channels), columns = static_cast<double>(panels_of(n) * kPanel);
  const double direct = 9 * k * columns * static_cast<double>(w.out[1] * w.out[2]) + 9 * k * columns * kByteMacs;
  const double by_tiles =
      tiles * (16 * k * columns + kInputMacs * k + kOutputMacs * columns) + 32 * k * columns * kByteMacs;
  return direct >= kGain * by_tiles;
}

void pack_winograd(const std::uint8_t* b, bool is_signed, std::int64_t channels, std::int64_t n,
                   std::int64_t channel_stride, std::int64_t tap_stride, int depth, std::byte* out) noexcept {
  const std::uint8_t flip = is_signed ? 0 : 0x80;
  const std::int64_t padded = (channels + 1) / 2 * 2, panel_bytes = winograd_steps(channels) * 64;
  std::byte* all_sums = out + panels_of(n) * panel_bytes;
  std::memset(out, 0, static_cast<std::size_t>(panels_of(n) * panel_bytes));
  for (std::int64_t first = 0; first < n; first += kPanel) {
    auto* panel = reinterpret_cast<std::int16_t*>(out + first / kPanel * panel_bytes);
    std::int32_t sums[kPanel] = {};
    for (std::int64_t c = 0; c < channels; ++c) {
      Lanes w[9] = {}, half[3][4], lines[4];
      for (std::int64_t o = 0; o < std::min(kPanel, n - first); ++o) {
        const std::uint8_t* from = b + (first + o) * 9 * channels + c * channel_stride;
        for (int t = 0; t < 9; ++t) {
          w[t][o] = static_cast<std::int8_t>(from[t * tap_stride] ^ flip);
          sums[o] += w[t][o];
        }
      }
      for (int j = 0; j < 3; ++j) weight_line(w[j], w[3 + j], w[6 + j], half[j]);
      std::int16_t* to = panel + c / depth * depth * kPanel + c % depth;
      for (int i = 0; i < 4; ++i) {
        weight_line(half[0][i], half[1][i], half[2][i], lines);
        for (int j = 0; j < 4; ++j, to += padded * kPanel) {
          for (std::int64_t o = 0; o < kPanel; ++o) to[o * depth] = lines[j][o];
        }
      }
    }
    std::memcpy(all_sums + first * 4, sums, sizeof sums);
  }
}

WinogradScratch winograd_scratch(const Params& p) {
  WinogradScratch s;
  s.v_row = rounded_up(p.window.channels, 16);
  s.v_step = p.row_step * s.v_row + 32;
  s.m_step = p.row_step * kPanel + 16;
  s.v = rounded_up(p.window.channels, 64);
  s.m = s.v + rounded_up(kPositions * s.v_step * 2, 64);
  s.sums = s.m + kPositions * s.m_step * 4;
  s.bytes = s.sums + rounded_up(p.row_step * 4 * 4, 64);
  return s;
}

Work setup_winograd(Params* p) {
  constexpr std::int64_t kBlockBytes = 256 << 10, kMostTiles = 96, kRows = 6;
  constexpr double kLeastMacs = 1 << 17, kTileMacs = 4 << 20;
  p->steps = winograd_steps(p->window.channels);
  if (p->m == 0 || p->n == 0) return {0, 0, 0};
  const Window& w = p->window;
  const std::int64_t tiles = ceil_div(w.out[1], 2) * ceil_div(w.out[2], 2), images = p->m / (w.out[1] * w.out[2]),
                     padded = panels_of(p->n) * kPanel;
  // What of V stays in the second cache; several blocks, where they are not too small.
  const std::int64_t fit = kBlockBytes / (kPositions * 2 * rounded_up(w.channels, 16));
  const std::int64_t block = std::clamp(std::min(fit, tiles / 4), 4 * kRows, kMostTiles);
  p->rows = {tiles, kRows, ceil_div(tiles, block)};
  p->row_step = p->rows.most();
  p->row_tiles = p->rows.count * images;
  const double macs = static_cast<double>(tiles * images) * static_cast<double>(kPositions * w.channels) *
                      static_cast<double>(padded * p->groups);
  const std::int64_t parts = parts_of(macs, kLeastMacs, kTileMacs) / (p->groups * p->row_tiles);
  p->cols = {padded, kPanel, parts_within(parts, ceil_div(padded, 4 * kPanel))};
  return {p->groups * p->row_tiles * p->cols.count, scratch_size(winograd_scratch(*p).bytes),
          scratch_size(shared_bytes_of(*p))};
}

}  // namespace mote::kernels::idot
