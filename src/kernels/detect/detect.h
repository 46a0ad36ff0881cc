// detect: what detection networks end with: positions of elements that are not zero, and boxes chosen by score. How
// much there is of the result depends on the data, so these are plain functions of one thread without tiles; instead
// they ask now and then whether to go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "mote/dtype.h"

namespace mote::kernels::detect {

// Asked before about so much work on elements, pairs of boxes, ...; where it says no, a function gives up, and what it
// has written is of no use.
struct GoOn {
  bool (*ask)(void* arg, std::int64_t work) = nullptr;  // null: yes
  void* arg = nullptr;
  bool operator()(std::int64_t work) const { return !ask || ask(arg, work); }
};

// Whether elements of the type can be looked at: booleans, integers and floats of 8 to 64 bits, but for fp8.
bool can_look(DType dtype);
// How many of n dense elements are not zero. NaN is not, -0 is.
std::int64_t count_non_zero(DType dtype, const std::byte* x, std::int64_t n) noexcept;
// Their positions in row-major order: y[axis * count + i] for the i-th.
void find_non_zero(DType dtype, const std::byte* x, std::span<const std::int64_t> dims, std::int64_t count,
                   std::int64_t* y, const GoOn& go_on = {}) noexcept;

// Corners and areas of n boxes, one array after the other: x0, y0, x1, y1, area; 5 * n floats. A box is two corners y1,
// x1, y2, x2, or x, y of its centre, width and height.
void decode_boxes(const float* boxes, std::int64_t n, bool centre, float* decoded, const GoOn& go_on = {}) noexcept;

struct Candidate {
  float score;
  std::int32_t box;
};

struct SuppressParams {
  const float* decoded = nullptr;  // n boxes
  const float* scores = nullptr;   // n
  std::int64_t n = 0, most = 0;    // n below 2^31
  float overlap = 0;               // boxes that overlap a chosen one by more are left out
  bool has_least = false;
  float least = 0;  // only higher scores
  GoOn go_on;
};

// Boxes of one class by falling score, of equal scores the first, without those that overlap one chosen before. NaN
// scores do not count. Gives how many were written to `chosen`, which has room for min(n, most); `candidates` has room
// for n, `kept` for 5 * min(n, most) floats.
std::int64_t suppress(const SuppressParams& params, Candidate* candidates, float* kept, std::int32_t* chosen) noexcept;

}  // namespace mote::kernels::detect
