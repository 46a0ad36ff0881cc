// How a kernel's setup cuts its work into tiles and orders the loops inside of them. None of it changes a bit, and what
// is fastest depends on the machine: a step's params carry the choice, which is kUsual unless the step was tuned.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/inline.h"

namespace mote::kernels {

enum class Tiling : std::int32_t {
  kUsual,
  kSmaller,  // tiles of about a third of the work
  kLarger,   // and of about three times as much, within what a tile may take
  kTurned,   // the other loop outside, where there are two
};
inline constexpr std::int32_t kTilingCount = 4;
inline constexpr std::string_view kTilingNames[kTilingCount] = {"usual tiles", "smaller tiles", "larger tiles",
                                                                "loops turned"};

// `work` of a tile, by the choice, at most `most`.
constexpr std::int64_t tiled(Tiling tiling, std::int64_t work, std::int64_t most) {
  if (tiling == Tiling::kSmaller) return work > 3 ? work / 3 : 1;
  if (tiling == Tiling::kLarger) return work > most / 3 ? (work > most ? work : most) : work * 3;
  return work;
}

// [0, n) in `count` parts of whole units, which differ by one unit at most, larger and smaller ones mixed, so that runs
// of as many parts hold about as much.
struct Cut {
  std::int64_t n = 0, unit = 1, count = 1;

  MOTE_INLINE constexpr std::int64_t units() const { return (n + unit - 1) / unit; }
  MOTE_INLINE constexpr std::int64_t begin(std::int64_t part) const {
    const auto at = static_cast<std::int64_t>(static_cast<std::uint64_t>(units()) * static_cast<std::uint64_t>(part) /
                                              static_cast<std::uint64_t>(count)) *
                    unit;
    return at < n ? at : n;
  }
  MOTE_INLINE constexpr std::int64_t end(std::int64_t part) const { return begin(part + 1); }
  // Of the largest part.
  MOTE_INLINE constexpr std::int64_t most() const {
    const std::int64_t size = (units() + count - 1) / count * unit;
    return size < n ? size : n;
  }
};

// How many parts work should have: a power of two, so that threads get as much each, of `least` or more work each up to
// kEnoughParts, and of no more than `most`.
inline constexpr std::int64_t kEnoughParts = 32;
constexpr std::int64_t parts_of(double work, double least, double most) {
  std::int64_t parts = 1;
  while ((parts < kEnoughParts && work >= 2 * least * static_cast<double>(parts)) ||
         (parts < std::int64_t{1} << 40 && work > most * static_cast<double>(parts)))
    parts *= 2;
  return parts;
}
// The same, of what can be cut into `most` parts only.
constexpr std::int64_t parts_within(std::int64_t parts, std::int64_t most) {
  while (parts > 1 && parts > most) parts /= 2;
  return parts > 1 ? parts : 1;
}

}  // namespace mote::kernels
