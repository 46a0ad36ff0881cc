#include "ir/module.h"

#include <cstring>

#include "base/half.h"

namespace mote {

std::string Type::to_string() const {
  switch (kind) {
    case Kind::kList:
      return "list(" + of->to_string() + ")";
    case Kind::kOptional:
      return "optional(" + of->to_string() + ")";
    case Kind::kTensor:
      break;
  }
  return std::string(name_of(dtype)) + (shape ? mote::to_string(*shape) : "[?]");
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Type::Kind::kTensor) return a.dtype == b.dtype && a.shape == b.shape;
  return *a.of == *b.of;
}

ValueId Function::add_value(std::string value_name, Type type) {
  values.push_back(Value{std::move(value_name), std::move(type)});
  return static_cast<ValueId>(values.size()) - 1;
}

ValueId Function::add_input(std::string value_name, Type type) {
  inputs.push_back(add_value(std::move(value_name), std::move(type)));
  return inputs.back();
}

ValueId Function::constant_value(ConstantId constant, const Constant& data) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].constant == constant) return static_cast<ValueId>(i);
  }
  ValueId v = add_value(data.name, data.type);
  values[static_cast<std::size_t>(v)].constant = constant;
  return v;
}

NodeId Function::add_node(const Op& op, std::string node_name, std::vector<ValueId> node_inputs, Attrs attrs,
                          int output_count) {
  NodeId id = static_cast<NodeId>(nodes.size());
  Node node{&op, std::move(node_name), std::move(node_inputs), {}, std::move(attrs), {}};
  for (int i = 0; i < output_count; ++i) {
    ValueId v = add_value(node.name + (i ? "." + std::to_string(i) : ""), Type());
    values[static_cast<std::size_t>(v)].producer = id;
    node.outputs.push_back(v);
  }
  nodes.push_back(std::move(node));
  return id;
}

void Function::reindex() {
  for (Value& v : values) v.producer = kNone;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId v : nodes[n].outputs) {
      if (v != kNone) values[static_cast<std::size_t>(v)].producer = static_cast<NodeId>(n);
    }
  }
}

std::vector<std::int32_t> Function::use_counts() const {
  std::vector<std::int32_t> counts(values.size(), 0);
  for (const Node& n : nodes) {
    for (ValueId v : n.inputs) {
      if (v != kNone) ++counts[static_cast<std::size_t>(v)];
    }
  }
  for (ValueId v : outputs) ++counts[static_cast<std::size_t>(v)];
  return counts;
}

void Function::replace_uses(ValueId from, ValueId to) {
  for (Node& n : nodes) {
    for (ValueId& v : n.inputs) {
      if (v == from) v = to;
    }
  }
  for (ValueId& v : outputs) {
    if (v == from) v = to;
  }
}

ConstantId Module::add_constant(Constant constant) {
  constants.push_back(std::move(constant));
  return static_cast<ConstantId>(constants.size()) - 1;
}

ConstantId Module::add_constant(std::string constant_name, DType dtype, std::vector<std::int64_t> shape,
                                std::vector<std::byte> bytes) {
  Constant c;
  c.name = std::move(constant_name);
  c.type = Type::tensor(dtype, Shape(shape.begin(), shape.end()));
  c.size = bytes.size();
  c.stored_dtype = dtype;
  c.stored_shape = std::move(shape);
  c.source = std::make_shared<BufferSource>(std::move(bytes));
  return add_constant(std::move(c));
}

const std::string* Module::find_metadata(std::string_view key) const {
  for (const auto& [k, v] : metadata) {
    if (k == key) return &v;
  }
  return nullptr;
}

const Symbol* Module::find_symbol(std::string_view symbol_name) const {
  for (const Symbol& s : symbols) {
    if (s.name == symbol_name) return &s;
  }
  return nullptr;
}

std::uint64_t Module::constant_bytes() const {
  std::uint64_t total = 0;
  for (const Constant& c : constants) total += c.size;
  return total;
}

namespace {

// Calls size(how many elements there are), then use(bytes of an element) for each that is stored. False when the
// constant is not a plain, untransformed tensor of whole bytes, is larger than `limit`, or has fewer bytes than its
// shape needs.
template <class Size, class Use>
bool each_small(const Constant& c, std::size_t limit, const Size& size, const Use& use) {
  if (!c.transforms.empty() || bits_of(c.stored_dtype) < 8 || c.encoding == Encoding::kStrings) return false;
  std::size_t count = 1;
  for (std::int64_t d : c.stored_shape) {
    if (d < 0 || (d != 0 && count > limit / static_cast<std::size_t>(d))) return false;
    count *= static_cast<std::size_t>(d);
  }
  std::size_t width = static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8;
  std::span<const std::byte> bytes = c.stored();
  bool fill = c.encoding == Encoding::kFill;
  if (bytes.size() < (fill ? (count ? width : 0) : count * width)) return false;
  size(count);
  for (std::size_t i = 0; i < count; ++i) use(bytes.subspan(fill ? 0 : i * width, width));
  return true;
}

}  // namespace

std::optional<std::vector<std::int64_t>> small_ints(const Constant& c, std::size_t limit) {
  DType t = c.stored_dtype;
  if (!is_int(t) && t != DType::boolean) return std::nullopt;
  std::vector<std::int64_t> out;
  bool ok = each_small(
      c, limit, [&](std::size_t n) { out.reserve(n); },
      [&](std::span<const std::byte> element) {
        std::uint64_t raw = 0;
        std::memcpy(&raw, element.data(), element.size());
        int unused = 64 - bits_of(t);
        out.push_back(is_signed_int(t) ? static_cast<std::int64_t>(raw << unused) >> unused
                                       : static_cast<std::int64_t>(raw));
      });
  if (!ok) return std::nullopt;
  return out;
}

std::optional<std::vector<double>> small_floats(const Constant& c, std::size_t limit) {
  DType t = c.stored_dtype;
  if (t != DType::f32 && t != DType::f64 && t != DType::f16 && t != DType::bf16) return std::nullopt;
  std::vector<double> out;
  bool ok = each_small(
      c, limit, [&](std::size_t n) { out.reserve(n); },
      [&](std::span<const std::byte> element) {
        auto get = [&]<class T>(T v) {
          std::memcpy(&v, element.data(), sizeof v);
          return v;
        };
        switch (t) {
          case DType::f32:
            return out.push_back(static_cast<double>(get(float())));
          case DType::f64:
            return out.push_back(get(double()));
          case DType::f16:
            return out.push_back(static_cast<double>(f16_to_f32(get(std::uint16_t()))));
          default:
            return out.push_back(static_cast<double>(bf16_to_f32(get(std::uint16_t()))));
        }
      });
  if (!ok) return std::nullopt;
  return out;
}

}  // namespace mote
