// Kernels that are templates over many forms (heights of tiles, tails, kinds of operands) have, in a compact build (the
// option MOTE_COMPACT), few instances that serve all forms, more slowly and with the same bits.
#pragma once

#include "base/inline.h"

namespace mote::kernels {

#if defined(MOTE_COMPACT)
inline constexpr bool kCompact = true;
#else
inline constexpr bool kCompact = false;
#endif

// Whether there are tiles of this height, or counts of the like, from 1 to `most`. A compact build has the greatest and
// the smallest one.
MOTE_INLINE constexpr bool has_height(int height, int most) { return !kCompact || height == most || height == 1; }
// The height of the next tile where `left` rows are, at most `most`.
template <class Int>
MOTE_INLINE constexpr Int next_height(Int left, Int most) {
  if (left >= most) return most;
  return kCompact ? 1 : left;
}
// The same, where tiles are of about the same height unless the build is compact.
template <class Int>
MOTE_INLINE constexpr Int even_height(Int left, Int most) {
  if (kCompact) return next_height(left, most);
  const Int tiles = (left + most - 1) / most;
  return (left + tiles - 1) / tiles;
}

}  // namespace mote::kernels
