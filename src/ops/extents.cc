#include "ops/extents.h"

namespace mote {

ValueId extents_of(Builder& b, ValueId x, const std::vector<Extent>& extents) {
  std::vector<std::int64_t> known;
  for (const Extent& e : extents) {
    if (e.axis < 0) {
      known.push_back(e.value);
      continue;
    }
    const Dim& d = b.shape(x)[static_cast<std::size_t>(e.axis)];
    if (!d.is_const()) break;
    known.push_back(d.value() * e.mul / e.div);
  }
  if (known.size() == extents.size()) return b.ints(std::move(known));
  ValueId shape = b.add("shape", {x});
  std::vector<ValueId> parts;
  for (const Extent& e : extents) {
    if (e.axis < 0) {
      parts.push_back(b.ints({e.value}));
      continue;
    }
    ValueId d = b.add("gather", {shape, b.ints({e.axis})});
    if (e.mul != 1) d = b.add("mul", {d, b.ints({e.mul})});
    if (e.div != 1) d = b.add("div", {d, b.ints({e.div})});
    parts.push_back(d);
  }
  return b.add("concat", std::move(parts), {{"axis", std::int64_t{0}}});
}

}  // namespace mote
