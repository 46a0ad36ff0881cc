#include "formats/tflite/compose.h"

#include <algorithm>

namespace mote::tflite {

ValueId extents(NodeContext& n, ValueId v, int first, int last) {
  if (n.failed()) return kNone;
  if (n.has_rank(v)) {
    Ints known;
    for (int i = first; i < last; ++i) {
      const Dim& d = n.shape(v)[static_cast<std::size_t>(i)];
      if (d.is_const()) known.push_back(d.value());
    }
    if (static_cast<int>(known.size()) == last - first) return n.ints(std::move(known));
  }
  return n.emit("shape", {v}, {{"start", std::int64_t{first}}, {"end", std::int64_t{last}}});
}

ValueId joined(NodeContext& n, std::vector<ValueId> vectors, int axis) {
  std::erase(vectors, kNone);
  if (vectors.size() == 1) return vectors[0];
  return n.emit("concat", std::move(vectors), {{"axis", std::int64_t{axis}}});
}

ValueId reshaped(NodeContext& n, ValueId v, ValueId shape) {
  return n.emit("reshape", {v, shape}, {{"allowzero", std::int64_t{1}}});
}

ValueId unsqueezed(NodeContext& n, ValueId v, Ints axes) { return n.emit("unsqueeze", {v, n.ints(std::move(axes))}); }

ValueId squeezed(NodeContext& n, ValueId v, Ints axes) { return n.emit("squeeze", {v, n.ints(std::move(axes))}); }

ValueId sliced(NodeContext& n, ValueId v, Ints starts, Ints ends, Ints axes, Ints steps) {
  ValueId s = n.ints(std::move(starts)), e = n.ints(std::move(ends)), a = n.ints(std::move(axes));
  if (steps.empty()) return n.emit("slice", {v, s, e, a});
  return n.emit("slice", {v, s, e, a, n.ints(std::move(steps))});
}

ValueId iota(NodeContext& n, ValueId count) {
  return n.emit("range", {n.scalar_int(0), scalar_of(n, count), n.scalar_int(1)});
}

ValueId filled(NodeContext& n, ValueId fill, ValueId shape) { return n.emit("expand", {scalar_of(n, fill), shape}); }

ValueId scalar_of(NodeContext& n, ValueId v) {
  return n.has_rank(v) && n.rank(v) == 0 ? v : n.emit("reshape", {v, n.ints({})});
}

ValueId vector_of(NodeContext& n, ValueId v) {
  v = n.as_i64(v);
  return n.has_rank(v) && n.rank(v) == 1 ? v : n.emit("reshape", {v, n.ints({-1})});
}

ValueId complex_part(NodeContext& n, ValueId v, int part) {
  int rank = n.need_rank(v);
  ValueId pairs = n.emit("bitcast", {v}, {{"to", DType::f32}});
  return squeezed(n, sliced(n, pairs, {part}, {part + 1}, {rank}), {rank});
}

}  // namespace mote::tflite
