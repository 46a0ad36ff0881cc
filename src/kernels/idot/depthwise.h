// Depthwise convolutions of 8-bit integers, channels-last: every channel with its own filter, exact in i32. Operands,
// results and parameters are those of idot.h, of a convolution with one channel per group and one column each
// (Params::groups channels, n = 1, k taps); B is not packed but laid out as [taps][channels] bytes. A tile is some
// pixels of the result.
#pragma once

#include "kernels/idot/idot.h"

namespace mote::kernels::idot {

Work setup_depthwise(const Row& row, Params* params);

inline constexpr std::int64_t kMostQuadTaps = 64;

// What `prepare_depthwise` leaves in shared memory: what is added, the scales, float_bias, and the filters less their
// zero points, [taps][channels]; channels are padded to kPanel.
//
// For instructions that add up four products, where the filters' zero points are 0 and the recipe is kHalfEven: taps by
// fours. Channels stand in
// blocks of 64, then of 32, then of 16 bytes; four registers of a block hold the taps of its channels
// 16 * lane + 4 * register + i at 16 * lane + 4 * i, as interleaving the bytes of four taps leaves them. What is added
// and the scales come in that order, and `fill` is a pixel of padding.
//
// For instructions that multiply 16 bits, and add up two products or not: taps by pairs, per 16 channels [pairs of
// taps][16][2] words, with what is added to sums of A's bytes as if they were unsigned. Where the image is read by
// pairs of rows there is neither of these, but per 16 channels [row of a pair that the result starts at][pairs of
// rows][kernel width][16][2] words, channels 0 to 3 and 8 to 11 first where they are more than 8, and what is added to
// sums of A's bytes as they are.
//
// On Arm, there are single taps in the place of pairs, per 16 channels [taps][16] words, and in that of pairs of rows
// what depthwise_columns_impl.h multiplies.
//
// Of words of A there are only pairs of taps, channels 0 to 3 and 8 to 11 of 16 first, with what is added to sums of
// A's words as if they were signed; flags[2] says whether i32 is enough for these.
struct Filters {
  // [0]: a's zero point, [1]: y's, [2], [3]: whether the fours and the pairs are there, [4]: whether all factors are
  // finite, [5]: whether pairs of rows are quads of them
  std::int32_t *flags, *add;
  Scales scales;
  std::int32_t* weights;
  std::int64_t pitch;
  std::int32_t* quad_add;
  float* quad_scale;
  std::int8_t* quads;  // per block [quads of taps][4 registers][bytes of the block]
  std::uint8_t* fill;
  std::int32_t* pair_add;
  std::int16_t* pairs;
  std::int32_t* row_add;
  std::int16_t* rows;
  std::int64_t* wide_add;
};
constexpr std::int64_t pairs_of(std::int64_t k) { return (k + 1) / 2; }
inline constexpr std::int64_t kMostPairRows = 8;
// Rows of the result that one quad of rows of the image serves on Arm, and quads under them.
constexpr std::int64_t quad_rows_of(const Window& w) { return w.stride[1] == 1 ? 2 : 1; }
constexpr std::int64_t row_quads_of(const Window& w) { return (w.kernel[1] + quad_rows_of(w) + 2) / 4; }
// Pairs of rows under one row of the result.
constexpr std::int64_t pair_rows_of(std::int64_t kernel_rows) { return kernel_rows / 2 + 1; }
// Words of one channel's filters for pairs of rows.
constexpr std::int64_t row_words_of(const Window& w) {
  return (w.stride[1] % 2 + 1) * pair_rows_of(w.kernel[1]) * w.kernel[2] * 2;
}
// Bytes of the block of channels that starts `left` before the end.
constexpr std::int64_t block_of(std::int64_t left) { return left >= 64 ? 64 : left >= 32 ? 32 : 16; }
Filters filters_of(const Params& p);

void prepare_depthwise(const Params& p, TileRange range) noexcept;  // one tile

}  // namespace mote::kernels::idot
