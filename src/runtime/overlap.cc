#include "runtime/overlap.h"

#include <algorithm>
#include <functional>

#include "runtime/heap.h"

namespace mote {
namespace {

// One stride in bytes of the tensor that both are windows of, and how far each of them goes along it.
struct Level {
  std::int64_t stride, a, b;
};

// The strides of both, the largest first, and the bytes of an element last.
int levels_of(const TensorView& a, const TensorView& b, Level* levels) {
  const std::int64_t width = bits_of(a.dtype) / 8;
  int n = 0;
  const auto add = [&](std::int64_t stride, std::int64_t extent, std::int64_t Level::*of) {
    Level* at = std::find_if(levels, levels + n, [&](const Level& l) { return l.stride == stride; });
    if (at == levels + n) *(levels + n++) = {stride, 1, 1};
    at->*of += extent - 1;
  };
  for (int d = 0; d < a.rank; ++d) {
    if (a.dims[d] > 1 && a.strides[d] > 0) add(a.strides[d] * width, a.dims[d], &Level::a);
  }
  for (int d = 0; d < b.rank; ++d) {
    if (b.dims[d] > 1 && b.strides[d] > 0) add(b.strides[d] * width, b.dims[d], &Level::b);
  }
  add(width, 1, &Level::a);
  std::sort(levels, levels + n, [](const Level& x, const Level& y) { return x.stride > y.stride; });
  return n;
}

// How far b lies from a along each level, if that can be said: 1 where they are apart along one of them, 0 where they
// meet, -1 where it cannot. `rest`: bytes from a to b.
int compare(const Level* levels, int n, int i, std::int64_t rest, bool apart) {
  if (i == n) return rest != 0 ? -1 : apart ? 1 : 0;
  const Level& l = levels[i];
  const std::int64_t floor = rest / l.stride - (rest % l.stride < 0 ? 1 : 0);
  for (std::int64_t at : {floor, floor + 1}) {
    // Positions are told apart only where both together do not go beyond the stride above.
    const std::int64_t span = std::max(l.a, at + l.b) - std::min<std::int64_t>(at, 0);
    if (i > 0 && (levels[i - 1].stride % l.stride != 0 || span > levels[i - 1].stride / l.stride)) continue;
    const int found = compare(levels, n, i + 1, rest - at * l.stride, apart || at >= l.a || at + l.b <= 0);
    if (found >= 0) return found;
  }
  return -1;
}

}  // namespace

bool views_meet(const TensorView& a, const TensorView& b) {
  const std::less<> before;
  if (a.count() == 0 || b.count() == 0 || !before(a.data, b.data + reach_of(b)) ||
      !before(b.data, a.data + reach_of(a)))
    return false;
  if (bits_of(a.dtype) < 8 || bits_of(a.dtype) != bits_of(b.dtype)) return true;
  Level levels[2 * kMaxRank + 1];
  const int n = levels_of(a, b, levels);
  return compare(levels, n, 0, b.data - a.data, false) <= 0;
}

bool same_view(const TensorView& a, const TensorView& b) {
  if (a.data != b.data || a.dtype != b.dtype || a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d) {
    if (a.dims[d] != b.dims[d] || (a.dims[d] > 1 && a.strides[d] != b.strides[d])) return false;
  }
  return true;
}

}  // namespace mote
