// Custom operators.
#include "base/text.h"
#include "formats/tflite/flex.h"

namespace mote::tflite {
namespace {

// The number as the attribute wants it.
AttrValue as_kind(AttrValue v, AttrKind kind) {
  if (kind == AttrKind::kFloat && kind_of(v) == AttrKind::kInt) return static_cast<double>(std::get<std::int64_t>(v));
  if (kind == AttrKind::kFloats && kind_of(v) == AttrKind::kInts) {
    auto& ints = std::get<std::vector<std::int64_t>>(v);
    return std::vector<double>(ints.begin(), ints.end());
  }
  return v;
}

}  // namespace

Status import_custom_op(NodeContext& n, const Op& op) {
  FlexOptions options(n);
  if (!options.odd().empty()) {
    return unsupported(
        concat("option ", mote::quoted(options.odd()), " is neither a number, a text nor a list of numbers"));
  }
  Attrs attrs;
  for (const auto& [name, value] : options.items()) {
    const AttrSpec* spec = op.attr(name);
    attrs.set(name, spec ? as_kind(value, spec->kind) : value);
  }
  std::span<const std::byte> bytes = n.custom_options();
  if (!options.is_map() && !bytes.empty() && op.attr("custom_options")) {
    attrs.set("custom_options", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  MOTE_ASSIGN(std::vector<ValueId> made,
              n.importer().emit(n.frame().function, &op, n.name(), n.all_inputs(), std::move(attrs), n.outputs()));
  for (int i = 0; i < n.outputs(); ++i) n.output(i, made[static_cast<std::size_t>(i)]);
  return {};
}

// Operands: encodings, scores, anchors; quantized ones become real numbers first.
Status import_detection_post_process(NodeContext& n) {
  FlexOptions options(n);
  const Op* op = n.importer().find_op("detection_post_process");
  std::vector<Attrs::Item> attrs;
  for (const auto& [key, value] : options.items()) {
    const AttrSpec* spec = op ? op->attr(key) : nullptr;
    if (spec) attrs.emplace_back(key, as_kind(value, spec->kind));
  }
  std::vector<ValueId> inputs;
  for (int i = 0; i < 3; ++i) inputs.push_back(n.dequantized(i));
  n.same("detection_post_process", std::move(inputs), std::move(attrs));
  return {};
}

// How far a quantized tensor is from what it was made of.
Status import_numeric_verify(NodeContext& n) {
  n.output(0, n.emit("sub", {n.dequantized(0), n.in(1)}));
  return {};
}

}  // namespace mote::tflite
