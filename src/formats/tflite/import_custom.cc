// Custom operators.
#include <flatbuffers/flexbuffers.h>

#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

std::optional<AttrValue> value_of(flexbuffers::Reference r) {
  if (r.IsBool()) return AttrValue(std::int64_t{r.AsBool()});
  if (r.IsInt() || r.IsUInt()) return AttrValue(std::int64_t{r.AsInt64()});
  if (r.IsFloat()) return AttrValue(r.AsDouble());
  if (r.IsString()) return AttrValue(std::string(r.AsString().c_str(), r.AsString().length()));
  if (!r.IsAnyVector()) return std::nullopt;
  std::vector<std::int64_t> ints;
  std::vector<double> floats;
  auto take = [&](const auto& v) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (v[i].IsFloat()) floats.push_back(v[i].AsDouble());
      if (v[i].IsInt() || v[i].IsUInt()) ints.push_back(v[i].AsInt64());
    }
    return v.size();
  };
  std::size_t n = r.IsTypedVector()        ? take(r.AsTypedVector())
                  : r.IsFixedTypedVector() ? take(r.AsFixedTypedVector())
                                           : take(r.AsVector());
  if (floats.size() == n && n != 0) return AttrValue(std::move(floats));
  if (ints.size() == n) return AttrValue(std::move(ints));
  return std::nullopt;
}

// The map that the options are, checked; nothing where they are something else.
std::optional<flexbuffers::Map> options_map(std::span<const std::byte> bytes) {
  auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::vector<std::uint8_t> reuse;
  if (bytes.size() < 3 || !flexbuffers::VerifyBuffer(data, bytes.size(), &reuse)) return std::nullopt;
  flexbuffers::Reference root = flexbuffers::GetRoot(data, bytes.size());
  if (!root.IsMap()) return std::nullopt;
  return root.AsMap();
}

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
  std::span<const std::byte> bytes = n.custom_options();
  std::vector<Attrs::Item> attrs;
  if (std::optional<flexbuffers::Map> map = options_map(bytes)) {
    flexbuffers::TypedVector keys = map->Keys();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::string name = keys[i].AsKey();
      std::optional<AttrValue> v = value_of(map->Values()[i]);
      if (!v)
        return unsupported(concat("option ", mote::quoted(name), " is neither a number, a text nor a list of numbers"));
      const AttrSpec* spec = op.attr(name);
      attrs.emplace_back(std::move(name), spec ? as_kind(*std::move(v), spec->kind) : *std::move(v));
    }
  } else if (!bytes.empty() && op.attr("custom_options")) {
    attrs.emplace_back("custom_options", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  Attrs all;
  for (auto& [name, v] : attrs) all.set(name, std::move(v));
  MOTE_ASSIGN(std::vector<ValueId> made,
              n.importer().emit(n.frame().function, &op, n.name(), n.all_inputs(), std::move(all), n.outputs()));
  for (int i = 0; i < n.outputs(); ++i) n.output(i, made[static_cast<std::size_t>(i)]);
  return {};
}

}  // namespace mote::tflite
