#include "front/nodes.h"

#include <algorithm>
#include <iterator>

namespace mote::front {

ValueId Front::input(Type type) {
  Function& f = builder_.fn();
  Value& before = f.values[static_cast<std::size_t>(old())];
  std::string name = before.name;
  before.name += "_prepared";
  new_ = f.add_value(std::move(name), std::move(type));
  return new_;
}

Status Front::finish(ValueId v, std::span<const std::string_view> prefixes) {
  MOTE_TRY(builder_.status());
  Function& f = builder_.fn();
  const ValueId before = old();
  std::string name = std::move(f.values[static_cast<std::size_t>(before)].name);
  f.values[static_cast<std::size_t>(before)].name = name + "_before";
  f.values[static_cast<std::size_t>(v)].name = std::move(name);
  f.replace_uses(before, v);
  f.inputs[position_] = new_;
  std::vector<Node>& nodes = builder_.nodes();
  f.nodes.insert(f.nodes.begin(), std::make_move_iterator(nodes.begin()), std::make_move_iterator(nodes.end()));
  nodes.clear();
  f.reindex();
  std::erase_if(module_.metadata, [&](const auto& entry) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view prefix) { return std::string_view(entry.first).starts_with(prefix); });
  });
  return {};
}

ValueId Front::floats(std::string name, std::vector<std::int64_t> shape, std::span<const double> values) {
  const std::vector<float> rounded(values.begin(), values.end());
  return builder_.constant(std::move(name), DType::f32, std::move(shape), to_bytes(std::span<const float>(rounded)));
}

ValueId Front::stored(ValueId v, DType dtype, const media::Quantization& q) {
  if (dtype == DType::f32) return v;
  if (!is_int(dtype)) return add("cast", {v}, {{"to", dtype}});
  if (q.scale != 0) {
    v = add("round", {add("div", {v, f32(static_cast<double>(q.scale))})});
    v = add("add", {v, f32(q.zero_point)});
  }
  const bool wide = bits_of(dtype) > 16;
  const bool is_signed = dtype == DType::i8 || dtype == DType::i16 || dtype == DType::i32 || dtype == DType::i64;
  v = add("round", {v});
  if (!wide) {
    const double levels = static_cast<double>(std::int64_t{1} << bits_of(dtype));
    v = add("clip", {v, f32(is_signed ? -levels / 2 : 0), f32(is_signed ? levels / 2 - 1 : levels - 1)});
  }
  return add("cast", {v}, {{"to", dtype}});
}

}  // namespace mote::front
