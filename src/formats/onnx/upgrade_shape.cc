// Older forms of shape operators and reductions: what was an attribute is an operand now.
#include <limits>

#include "formats/onnx/importer.h"

namespace mote::onnx {

// Squeeze, Unsqueeze < 13 and reductions < 13 or 18: attribute axes. Files that mix the two forms are read as well.
Status axes_attribute(NodeImport& n) {
  ValueId axes = n.in(1);
  if (n.has_attr("axes")) axes = n.ints(n.attr_ints("axes"));
  n.same(n.op(), {n.in(0), axes}, n.attributes_for(n.op(), {"axes"}));
  return {};
}

Status reshape_attribute(NodeImport& n) {
  ValueId shape = n.has(1) ? n.in(1) : n.ints(n.attr_ints("shape"));
  n.same("reshape", {n.in(0), shape}, {});
  return {};
}

// Opset < 10.
Status slice_attributes(NodeImport& n) {
  if (!n.has_attr("starts")) {
    n.same();
    return {};
  }
  std::vector<std::int64_t> starts = n.attr_ints("starts"), ends = n.attr_ints("ends");
  if (starts.size() != ends.size()) return invalid("starts and ends differ in length");
  ValueId axes = n.has_attr("axes") ? n.ints(n.attr_ints("axes")) : kNone;
  n.same("slice", {n.in(0), n.ints(std::move(starts)), n.ints(std::move(ends)), axes}, {});
  return {};
}

// Opset < 11; opset 1 says `paddings`.
Status pad_attributes(NodeImport& n) {
  if (n.has(1)) {
    n.same();
    return {};
  }
  ValueId pads = n.ints(n.attr_ints(n.has_attr("paddings") ? "paddings" : "pads"));
  ValueId value = n.has_attr("value") ? n.scalar_like(n.attr_float("value", 0), n.in(0)) : kNone;
  n.same("pad", {n.in(0), pads, value}, n.attributes_for("pad", {"pads", "paddings", "value"}));
  return {};
}

// Opset < 18: equal parts are as many as there are outputs.
Status split_any(NodeImport& n) {
  ValueId split = n.in(1);
  if (n.has_attr("split")) split = n.ints(n.attr_ints("split"));
  Attrs attrs = n.attributes_for("split", {"split"});
  if (split == kNone && !attrs.has("num_outputs")) attrs.set("num_outputs", static_cast<std::int64_t>(n.outputs()));
  n.same("split", {n.in(0), split}, std::move(attrs));
  return {};
}

// Opset < 6: inputs tiles and axis.
Status tile_one_axis(NodeImport& n) {
  if (!n.has(2)) {
    n.same("tile", {n.in(0), n.in(1)}, {});
    return {};
  }
  auto tiles = n.ints_of(n.in(1)), axis = n.ints_of(n.in(2));
  auto tiles_f = n.floats_of(n.in(1)), axis_f = n.floats_of(n.in(2));
  std::int64_t count = tiles && !tiles->empty()       ? (*tiles)[0]
                       : tiles_f && !tiles_f->empty() ? std::int64_t((*tiles_f)[0])
                                                      : -1;
  std::int64_t at = axis && !axis->empty() ? (*axis)[0] : axis_f && !axis_f->empty() ? std::int64_t((*axis_f)[0]) : -1;
  if (count < 0 || at < 0 || !n.has_rank(n.in(0)) || at >= n.rank(n.in(0))) {
    n.unsupported("Tile of opset 1 with tiles or axis known only at run time");
    return {};
  }
  std::vector<std::int64_t> repeats(static_cast<std::size_t>(n.rank(n.in(0))), 1);
  repeats[static_cast<std::size_t>(at)] = count;
  n.same("tile", {n.in(0), n.ints(std::move(repeats))}, {});
  return {};
}

// Opset < 10.
Status top_k_attribute(NodeImport& n) {
  n.same("top_k", {n.in(0), n.ints({n.attr_int("k", 0)})}, n.attributes_for("top_k", {"k"}));
  return {};
}

// Opset < 4: axis 1 unless said otherwise.
Status concat_default_axis(NodeImport& n) {
  Attrs attrs;
  attrs.set("axis", n.attr_int("axis", 1));
  n.same("concat", n.all_inputs(), std::move(attrs));
  return {};
}

// Removes a border (left, top, right, bottom) of the last two axes; `scale` gives the size of what stays.
Status crop(NodeImport& n) {
  std::vector<std::int64_t> border = n.attr_ints("border"), scale = n.attr_ints("scale");
  if (border.size() != 4) return invalid("attribute 'border' needs four values");
  std::int64_t left = border[0], top = border[1], right = border[2], bottom = border[3];
  constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> ends = {bottom > 0 ? -bottom : kEnd, right > 0 ? -right : kEnd};
  if (scale.size() == 2) ends = {top + scale[0], left + scale[1]};
  n.output(0, n.emit("slice", {n.in(0), n.ints({top, left}), n.ints(std::move(ends)), n.ints({2, 3})}));
  return {};
}

// Opset < 20: attribute axis, not counting a default of the newer form.
Status dft_axis_attribute(NodeImport& n) {
  ValueId axis = n.has(2) ? n.in(2) : n.scalar_int(n.attr_int("axis", 1));
  n.same("dft", {n.in(0), n.in(1), axis}, n.attributes_for("dft", {"axis"}));
  return {};
}

}  // namespace mote::onnx
