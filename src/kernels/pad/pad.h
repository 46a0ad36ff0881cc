// pad: a tensor with elements added around it, or cut from its borders. Elements of 1, 2, 4, 8 or 16 bytes are moved.
//
// The result is seen as [rows..., last, inner]: `inner` contiguous elements of axes that stay as they are, the
// innermost axis that does not, and rows around them. A tile is some rows. Class `exact`.
#pragma once

#include "kernels/kernel.h"

namespace mote::kernels::pad {

inline constexpr int kMaxRowAxes = 7;

enum class Mode : std::int32_t { kConstant, kReflect, kEdge, kWrap };

struct Axis {
  std::int64_t in = 1, out = 1, before = 0;  // `before` elements stand in front; negative: are cut
  std::int64_t x_stride = 0;                 // in elements
};

struct Params {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;            // dense
  const std::byte* value = nullptr;  // an element; null: zeros. kConstant only
  Mode mode = Mode::kConstant;
  std::int32_t width = 4, row_axes = 0;  // bytes of an element
  Axis row[kMaxRowAxes], last;           // outermost first
  std::int64_t inner = 1;
  // By setup.
  std::int64_t rows = 0, rows_per_tile = 1;
};

// The position in [0, n) that stands for position i, or -1 where the constant does. n > 0 unless kConstant.
std::int64_t source(std::int64_t i, std::int64_t n, Mode mode);

// The number of tiles.
std::int64_t setup(Params* params);
void run(const Params& params, TileRange range) noexcept;

}  // namespace mote::kernels::pad
