// How a kernel's setup cuts its work into tiles and orders the loops inside of them. None of it changes a bit, and what
// is fastest depends on the machine: a step's params carry the choice, which is kUsual unless the step was tuned.
#pragma once

#include <cstdint>
#include <string_view>

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

}  // namespace mote::kernels
