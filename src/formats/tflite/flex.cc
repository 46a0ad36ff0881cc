#include "formats/tflite/flex.h"

#include <flatbuffers/flexbuffers.h>

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

}  // namespace

FlexOptions::FlexOptions(std::span<const std::byte> bytes) {
  std::optional<flexbuffers::Map> map = options_map(bytes);
  is_map_ = map.has_value();
  if (!map) return;
  flexbuffers::TypedVector keys = map->Keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::string name = keys[i].AsKey();
    if (std::optional<AttrValue> v = value_of(map->Values()[i])) {
      items_.emplace_back(std::move(name), *std::move(v));
    } else if (odd_.empty()) {
      odd_ = std::move(name);
    }
  }
}

const AttrValue* FlexOptions::find(std::string_view name) const {
  for (const auto& [key, v] : items_) {
    if (key == name) return &v;
  }
  return nullptr;
}

std::int64_t FlexOptions::get_int(std::string_view name, std::int64_t otherwise) const {
  const AttrValue* v = find(name);
  const auto* i = v ? std::get_if<std::int64_t>(v) : nullptr;
  return i ? *i : otherwise;
}

double FlexOptions::get_float(std::string_view name, double otherwise) const {
  const AttrValue* v = find(name);
  const auto* f = v ? std::get_if<double>(v) : nullptr;
  return f ? *f : static_cast<double>(get_int(name, 0)) + (v ? 0 : otherwise);
}

}  // namespace mote::tflite
