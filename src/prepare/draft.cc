#include "prepare/draft.h"

#include <algorithm>
#include <numeric>

namespace mote::draft {

Perm channels_last(int rank) {
  Perm p;
  for (int i = 0; i < rank; ++i) {
    if (i != 1) p.push_back(static_cast<std::uint8_t>(i));
  }
  if (rank > 1) p.push_back(1);
  return p;
}

Perm spelt(const Perm& perm, int rank) {
  if (!perm.empty()) return perm;
  Perm p(static_cast<std::size_t>(rank));
  std::iota(p.begin(), p.end(), std::uint8_t{0});
  return p;
}

bool same_order(const Shape& dims, const Perm& a, const Perm& b) {
  auto order = [&](const Perm& p) {
    Perm out;
    for (std::uint8_t axis : spelt(p, static_cast<int>(dims.size()))) {
      if (!dims[axis].is(1)) out.push_back(axis);
    }
    return out;
  };
  return order(a) == order(b);
}

std::vector<Dim> dense_strides(const Shape& dims, const Perm& perm) {
  Perm p = spelt(perm, static_cast<int>(dims.size()));
  std::vector<Dim> strides(dims.size());
  Dim stride(1);
  for (std::size_t k = p.size(); k-- > 0;) {
    strides[p[k]] = stride;
    stride = stride * dims[p[k]];
  }
  return strides;
}

std::vector<Dim> strides_of(const Val& v) { return v.strides ? *v.strides : dense_strides(*v.dims, v.perm); }

std::optional<Perm> dense_order(const Shape& dims, const std::vector<Dim>& strides) {
  // Peel axes off from the innermost one; axes of extent 1 fit anywhere and go outermost.
  Perm reversed, ones;
  std::vector<bool> used(dims.size(), false);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i].is(1)) {
      used[i] = true;
      ones.push_back(static_cast<std::uint8_t>(i));
    }
  }
  Dim expect(1);
  for (std::size_t n = ones.size(); n < dims.size(); ++n) {
    std::size_t found = dims.size();
    for (std::size_t i = dims.size(); i-- > 0;) {
      if (!used[i] && strides[i] == expect) {
        found = i;
        break;
      }
    }
    if (found == dims.size()) return std::nullopt;
    used[found] = true;
    reversed.push_back(static_cast<std::uint8_t>(found));
    expect = expect * dims[found];
  }
  Perm p = ones;
  p.insert(p.end(), reversed.rbegin(), reversed.rend());
  return p;
}

std::optional<std::vector<Dim>> view_strides(const Val& v, const Shape& to) {
  const Shape& from = *v.dims;
  std::vector<Dim> old = strides_of(v), out(to.size());
  std::size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    // The smallest group of axes on both sides with equal products.
    std::size_t i0 = i, j0 = j;
    Dim a(1), b(1);
    if (i < from.size()) a = from[i++];
    if (j < to.size()) b = to[j++];
    while (!(a == b)) {
      bool grow_left =
          i < from.size() && (j >= to.size() || (a.is_const() && b.is_const() ? a.value() < b.value() : true));
      // Symbolic groups: try the side whose product divides the other.
      if (!a.is_const() || !b.is_const())
        grow_left = i < from.size() && (j >= to.size() || !(mod(a, b).is(0) && !a.is(1)));
      if (grow_left) {
        a = a * from[i++];
      } else if (j < to.size()) {
        b = b * to[j++];
      } else {
        return std::nullopt;
      }
    }
    // Within the group the old axes must follow each other in memory.
    Dim inner(1);
    bool first = true;
    for (std::size_t k = i; k-- > i0;) {
      if (from[k].is(1)) continue;
      if (first) {
        inner = old[k];
        first = false;
        continue;
      }
      std::size_t next = k + 1;
      while (from[next].is(1)) ++next;
      if (!(old[k] == old[next] * from[next])) return std::nullopt;
    }
    Dim stride = inner;
    for (std::size_t k = j; k-- > j0;) {
      out[k] = stride;
      stride = stride * to[k];
    }
  }
  return out;
}

}  // namespace mote::draft
