// Depthwise convolutions of 8-bit integers, channels-last: every channel with its own filter, exact in i32. Operands,
// results and parameters are those of idot.h, of a convolution with one channel per group and one column each
// (Params::groups channels, n = 1, k taps); B is not packed but laid out as [taps][channels] bytes. A tile is some
// pixels of the result.
#pragma once

#include "kernels/idot/idot.h"

namespace mote::kernels::idot {

Work setup_depthwise(Params* params);

// What `prepare_depthwise` leaves in shared memory: what is added, the scales, float_bias, and the filters less their
// zero points, [taps][channels]; channels are padded to kPanel.
struct Filters {
  std::int32_t *flags, *add;  // [0]: a's zero point, [1]: y's
  float *scale, *shift;
  std::int32_t* weights;
  std::int64_t pitch;
};
Filters filters_of(const Params& p);

void prepare_depthwise(const Params& p, TileRange range) noexcept;  // one tile

}  // namespace mote::kernels::idot
