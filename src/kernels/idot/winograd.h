// 3x3 convolutions of bytes at stride 1 by Winograd's F(2x2, 3x3), exact: for CPUs that multiply 8 bits no faster than
// 16. Channels-last, as in idot.h. With points 0, 1, -1, infinity (Lavin and Gray, "Fast algorithms for convolutional
// neural networks", 2015) and the weights' matrix doubled,
//
//   4 y = A^T [sum over channels of (2G w 2G^T) * (B^T x B)] A
//
// all is integers: of bytes the image's part is at most 1,020, the weights' 1,152, and sums may wrap around, since four
// times the sum that comes out fits 32 bits where there are at most kMostWinogradChannels channels. A tile of the
// result is 2x2 pixels; a block of tiles is transformed, multiplied at each of the 16 positions, and transformed back.
//
// B is packed per panel of 16 columns as [position][channels / depth][16][depth] words, depth 2 or 1 (Row), channels
// filled up to an even number; behind the panels follow the columns' sums, as in idot.h.
#pragma once

#include "kernels/idot/idot.h"

namespace mote::kernels::idot {

inline constexpr std::int64_t kPositions = 16;
inline constexpr std::int64_t kMostWinogradChannels = ((std::int64_t{1} << 31) - 1) / (4 * 9 * 255 * 128);

// Whether it can do the window of one group, extents apart.
bool winograd_can(const Window& window);
// Whether it is much faster than the direct sum at these extents, with n columns.
bool winograd_suits(const Window& window, std::int64_t n);

constexpr std::int64_t winograd_steps(std::int64_t channels) { return kPositions * ((channels + 1) / 2); }
// Bytes of one packed group, with its column sums.
constexpr std::int64_t winograd_size(std::int64_t channels, std::int64_t n) {
  return panels_of(n) * (winograd_steps(channels) * 64 + kPanel * 4);
}

// b is [n], each of 9 * channels bytes, with these strides from channel to channel and from tap to tap.
void pack_winograd(const std::uint8_t* b, bool is_signed, std::int64_t channels, std::int64_t n,
                   std::int64_t channel_stride, std::int64_t tap_stride, int depth, std::byte* out) noexcept;

Work setup_winograd(Params* params);

// A thread's scratch, in bytes: a pixel of padding; V, [position][tile][channels] words; M, [position][tile][16] i32;
// pixels' sums of A under their windows.
struct WinogradScratch {
  std::int64_t v, m, sums, bytes;      // where they start
  std::int64_t v_row, v_step, m_step;  // words from tile to tile, and from position to position; i32
};
WinogradScratch winograd_scratch(const Params& p);

}  // namespace mote::kernels::idot
