// pool: maximum or average over windows of a channels-last f32 tensor, in one to three spatial dimensions.
//
// x is [batch, D, H, W, C] with pixels `x_pixel` floats apart, y likewise; lower ranks have leading dimensions of
// extent 1. Lanes run across channels. A window's average is the sum of its taps inside of x, in ascending order from
// the first tap, divided by their number, or, with count_pad, by the number of taps inside of the padded input. A
// window without a tap gives -infinity (max) or 0. Class `chain`: bits do not depend on the ISA or on how tiles are
// cut. A tile is some output rows, or, where these are few, channels of them.
#pragma once

#include <cstdint>
#include <span>

#include "base/cpu.h"
#include "kernels/kernel.h"
#include "kernels/tiling.h"

namespace mote::kernels::pool {

struct Params {
  const float* x = nullptr;
  float* y = nullptr;
  bool average = false, count_pad = false;
  std::int64_t batch = 1, channels = 0, x_pixel = 0, y_pixel = 0;
  std::int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
               dilation[3] = {1, 1, 1};
  std::int64_t pad_begin[3] = {}, pad_end[3] = {};
  Cut rows, columns;  // by setup; a row is out[2] pixels, a column a channel
};

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<Params> run;  // null where this build does not contain it
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

// The number of tiles.
std::int64_t setup(Params* params);

}  // namespace mote::kernels::pool
