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

// t = 2G w.
void weight_line(const std::int32_t* w, std::int64_t step, std::int32_t* t) {
  const std::int32_t a = w[0], b = w[step], c = w[2 * step];
  t[0] = 2 * a;
  t[1] = a + b + c;
  t[2] = a - b + c;
  t[3] = 2 * c;
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

void pack_winograd(const std::uint8_t* b, bool is_signed, std::int64_t channels, std::int64_t n, int depth,
                   std::byte* out) noexcept {
  const std::uint8_t flip = is_signed ? 0 : 0x80;
  const std::int64_t padded = (channels + 1) / 2 * 2, panel_bytes = winograd_steps(channels) * 64;
  std::byte* sums = out + panels_of(n) * panel_bytes;
  std::memset(out, 0, static_cast<std::size_t>(panels_of(n) * panel_bytes));
  for (std::int64_t j = 0; j < panels_of(n) * kPanel; ++j) {
    auto* column = reinterpret_cast<std::int16_t*>(out + j / kPanel * panel_bytes) + j % kPanel * depth;
    std::int32_t sum = 0;
    for (std::int64_t c = 0; c < channels && j < n; ++c) {
      std::int32_t w[9], half[12];
      for (std::int64_t t = 0; t < 9; ++t) {
        w[t] = static_cast<std::int8_t>(b[(j * 9 + t) * channels + c] ^ flip);
        sum += w[t];
      }
      for (std::int64_t i = 0; i < 3; ++i) {
        std::int32_t line[4];
        weight_line(w + i, 3, line);
        for (std::int64_t r = 0; r < 4; ++r) half[r * 3 + i] = line[r];
      }
      for (std::int64_t r = 0; r < 4; ++r) {
        std::int32_t line[4];
        weight_line(half + r * 3, 1, line);
        for (std::int64_t q = 0; q < 4; ++q)
          column[((r * 4 + q) * padded + c / depth * depth) * kPanel + c % depth] = static_cast<std::int16_t>(line[q]);
      }
    }
    std::memcpy(sums + j * 4, &sum, 4);
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
  constexpr std::int64_t kBlockBytes = 256 << 10, kTileMacs = 4 << 20, kMostTiles = 96, kRows = 6;
  p->steps = winograd_steps(p->window.channels);
  if (p->m == 0 || p->n == 0) return {0, 0, 0};
  const Window& w = p->window;
  const std::int64_t tiles = ceil_div(w.out[1], 2) * ceil_div(w.out[2], 2), images = p->m / (w.out[1] * w.out[2]),
                     padded = panels_of(p->n) * kPanel;
  // What of V stays in the second cache; several blocks, where they are not too small.
  const std::int64_t fit = kBlockBytes / (kPositions * 2 * rounded_up(w.channels, 16));
  std::int64_t block = std::clamp(std::min(fit, tiles / 4), 4 * kRows, kMostTiles);
  block = std::min(rounded_up(ceil_div(tiles, ceil_div(tiles, block)), kRows), tiles);
  p->row_step = block;
  p->row_tiles = ceil_div(tiles, block) * images;
  p->col_step = std::min(std::max(kTileMacs / (block * kPositions * w.channels) / 64, std::int64_t{1}) * 64, padded);
  p->col_tiles = ceil_div(padded, p->col_step);
  return {p->groups * p->row_tiles * p->col_tiles, scratch_size(winograd_scratch(*p).bytes),
          scratch_size(shared_bytes_of(*p))};
}

}  // namespace mote::kernels::idot
