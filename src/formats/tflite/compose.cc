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

ValueId joined_known(NodeContext& n, std::vector<ValueId> vectors) {
  Ints all;
  for (ValueId v : vectors) {
    const std::optional<Ints> known = n.ints_of(v);
    if (!known) return joined(n, std::move(vectors));
    all.insert(all.end(), known->begin(), known->end());
  }
  return n.ints(std::move(all));
}

ValueId element(NodeContext& n, const std::optional<Ints>& known, ValueId v, std::size_t i) {
  const auto k = static_cast<std::int64_t>(i);
  return known ? n.ints({(*known)[i]}) : sliced(n, v, {k}, {k + 1}, {0});
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

ValueId complex_of(NodeContext& n, ValueId real, ValueId imaginary) {
  ValueId pairs = joined(n, {unsqueezed(n, real, {-1}), unsqueezed(n, imaginary, {-1})}, -1);
  return n.emit("bitcast", {pairs}, {{"to", DType::c64}});
}

std::int64_t depthwise_channels(NodeContext& n, const Dim& image, const Dim& weights, std::int64_t multiplier) {
  if (image.is_const()) return image.value();
  if (!weights.is_const() || multiplier <= 0 || weights.value() % multiplier != 0) {
    n.unsupported("DEPTHWISE_CONV_2D over channels that a run decides");
    return 1;
  }
  return weights.value() / multiplier;
}

ValueId hybrid_weights(NodeContext& n, int i) { return hybrid_weights(n, i, n.in(i)); }

ValueId hybrid_weights(NodeContext& n, int i, ValueId v) {
  const Quantization q = n.quantization(i);
  if (v == kNone || n.dtype(v) != DType::u8 || q.scales.empty()) return n.dequantized(i, v);
  return n.emit("dequantize_linear",
                {n.cast(v, DType::i8), q.per_tensor() ? n.scalar(q.scale(), DType::f32) : n.floats(q.scales)},
                {{"axis", std::int64_t{q.axis}}});
}

// Without any padding first, then the part of it that the target is, with zeros where nothing reaches.
ValueId spread_to(NodeContext& n, ValueId x, ValueId w, ValueId bias, ValueId target, const OpenSpread& s) {
  const int axes = static_cast<int>(s.kernel.size());
  Ints reach, at;
  for (std::size_t i = 0; i < s.kernel.size(); ++i) {
    reach.push_back((s.kernel[i] - 1) * s.dilations[i] + 1);
    at.push_back(static_cast<std::int64_t>(i) + 1);
  }
  const ValueId strides = n.ints(s.strides), reaches = n.ints(reach), one = n.scalar_int(1), zero = n.scalar_int(0);
  // (count - 1) * stride + reach
  auto spanned = [&](ValueId count) {
    return n.emit("add", {n.emit("mul", {n.emit("sub", {count, one}), strides}), reaches});
  };
  const ValueId out = sliced(n, n.as_i64(target), {1}, {axes + 1}, {0});
  ValueId begin = n.ints(Ints(s.kernel.size(), 0));
  if (s.same) {
    const ValueId steps = n.emit("div", {n.emit("sub", {n.emit("add", {out, strides}), one}), strides});
    const ValueId over = n.emit("sub", {spanned(steps), out});
    begin = n.emit("div", {n.emit("max", {over, zero}), n.scalar_int(2)});
  }
  const ValueId end = n.emit("add", {begin, out});
  const ValueId missing = n.emit("max", {n.emit("sub", {end, spanned(extents(n, x, 1, axes + 1))}), zero});
  ValueId v = n.emit("conv_transpose", {x, w},
                     {{"data_layout", std::string("NXC")},
                      {"dilations", s.dilations},
                      {"strides", s.strides},
                      {"weight_layout", std::string("OXI")}});
  v = n.emit("pad", {v, joined(n, {n.ints(Ints(s.kernel.size(), 0)), missing}), kNone, n.ints(at)});
  v = n.emit("slice", {v, begin, end, n.ints(at)});
  return bias == kNone ? v : n.emit("add", {v, bias});
}

}  // namespace mote::tflite
