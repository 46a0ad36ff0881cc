// Constants of the file that is written: as they are stored, with nodes behind them that do what is left of their
// transforms.
#include <algorithm>
#include <cstring>

#include "formats/emitter.h"
#include "formats/onnx/exporter.h"

namespace mote::onnx {
namespace {

// Elements of `bytes`, of `shape`, in the axis order `order`; changes both.
void transpose(std::vector<std::byte>& bytes, std::vector<std::int64_t>& shape, std::size_t width,
               std::span<const std::int64_t> order) {
  std::size_t rank = shape.size();
  std::vector<std::int64_t> out_shape, strides(rank, 1), step, index(rank, 0);
  for (std::size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  for (std::int64_t p : order) {
    out_shape.push_back(shape[static_cast<std::size_t>(p)]);
    step.push_back(strides[static_cast<std::size_t>(p)]);
  }
  std::vector<std::byte> moved(bytes.size());
  for (std::size_t k = 0; k < bytes.size() / width; ++k) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < rank; ++i) from += index[i] * step[i];
    std::memcpy(moved.data() + k * width, bytes.data() + static_cast<std::size_t>(from) * width, width);
    for (std::size_t i = rank; i-- > 0 && ++index[i] == out_shape[i];) index[i] = 0;
  }
  bytes = std::move(moved);
  shape = std::move(out_shape);
}

NodeProto node_of(std::string_view op, std::vector<std::string_view> inputs, std::string_view output) {
  NodeProto n;
  n.op_type = op;
  n.name = output;
  n.inputs = std::move(inputs);
  n.outputs = {output};
  return n;
}

}  // namespace

Status Exporter::stored_bytes(const Constant& c, TensorProto& t, std::span<const std::byte> bytes) {
  if (external_ && bytes.size() > options_.external_above) {
    MOTE_ASSIGN(std::uint64_t offset, options_.write_external(bytes));
    t.is_external = true;
    t.external_data = {{"location", options_.external_name},
                       {"offset", keep(std::to_string(offset))},
                       {"length", keep(std::to_string(bytes.size()))}};
    return {};
  }
  bytes_ += bytes.size();
  if (bytes_ > options_.max_bytes) {
    return Status(Code::kResourceExhausted, "the constants do not fit in one file").at("constant '" + c.name + "'");
  }
  t.raw_data = bytes;
  return {};
}

void Exporter::initializer(std::string_view name, DType dtype, std::vector<std::int64_t> dims,
                           std::vector<std::byte> bytes) {
  TensorProto t;
  t.name = name;
  t.data_type = number_of(dtype);
  t.dims = std::move(dims);
  t.raw_data = kept_bytes_.emplace_back(std::move(bytes));
  model_.graph.initializers.push_back(std::move(t));
}

// ConstantOfShape makes it.
Status Exporter::filled(const Constant& c, std::string_view name, const std::vector<std::int64_t>& extents) {
  std::string_view shape_name = claim(std::string(name) + "_shape");
  NodeProto fill = node_of("ConstantOfShape", {shape_name}, name);
  AttributeProto a;
  a.name = "value";
  a.type = AttributeType::kTensor;
  a.t = std::make_unique<TensorProto>();
  a.t->data_type = number_of(c.stored_dtype);
  a.t->dims = {1};
  a.t->raw_data = c.stored();
  fill.attributes.push_back(std::move(a));
  first_nodes_.push_back(std::move(fill));
  initializer(shape_name, DType::i64, {static_cast<std::int64_t>(extents.size())},
              to_bytes(std::span<const std::int64_t>(extents)));
  return {};
}

// Nodes for the transforms from `first` on, from the value `from` of `shape` to the value `to`.
Status Exporter::transforms(const Constant& c, std::size_t first, std::vector<std::int64_t> shape,
                            std::string_view from, std::string_view to) {
  DType dtype = c.stored_dtype;
  for (std::size_t i = 0; i < first; ++i) {
    if (c.transforms[i].kind == Transform::Kind::kCast) dtype = c.transforms[i].dtype;
  }
  for (std::size_t i = first; i < c.transforms.size(); ++i) {
    const Transform& t = c.transforms[i];
    std::string_view made = i + 1 == c.transforms.size() ? to : claim(c.name + "_made");
    AttributeProto a;
    NodeProto n = node_of("Cast", {from}, made);
    switch (t.kind) {
      case Transform::Kind::kCast:
        dtype = t.dtype;
        a.name = "to";
        a.type = AttributeType::kInt;
        a.i = number_of(dtype);
        n.attributes.push_back(std::move(a));
        break;
      case Transform::Kind::kTranspose: {
        n.op_type = "Transpose";
        a.name = "perm";
        a.type = AttributeType::kInts;
        a.ints = t.ints;
        n.attributes.push_back(std::move(a));
        std::vector<std::int64_t> old = shape;
        for (std::size_t k = 0; k < shape.size(); ++k) shape[k] = old[static_cast<std::size_t>(t.ints[k])];
        break;
      }
      case Transform::Kind::kReshape:
        n.op_type = "Reshape";
        n.inputs.push_back(claim(c.name + "_shape"));
        shape = t.ints;
        initializer(n.inputs[1], DType::i64, {static_cast<std::int64_t>(shape.size())},
                    to_bytes(std::span<const std::int64_t>(shape)));
        break;
      case Transform::Kind::kScale: {
        n.op_type = "Mul";
        n.inputs.push_back(claim(c.name + "_scale"));
        std::vector<std::int64_t> along(shape.size(), 1);
        along[static_cast<std::size_t>(t.ints[0])] = shape[static_cast<std::size_t>(t.ints[0])];
        std::vector<std::byte> factors;
        for (double f : t.scale) {
          std::vector<std::byte> one = element_bytes(f, dtype);
          factors.insert(factors.end(), one.begin(), one.end());
        }
        initializer(n.inputs[1], dtype, std::move(along), std::move(factors));
        break;
      }
    }
    first_nodes_.push_back(std::move(n));
    from = made;
  }
  return {};
}

Status Exporter::constant(ConstantId id, std::string_view name) {
  const Constant& c = module_.constants[static_cast<std::size_t>(id)];
  auto extents = constant_extents(c.type.shape.value_or(Shape()));
  if (!extents) return internal_error("constant of unknown shape").at("constant '" + c.name + "'");
  if (c.encoding == Encoding::kStrings) {
    TensorProto t;
    t.name = name;
    t.data_type = number_of(c.type.dtype);
    t.dims = *extents;
    MOTE_ASSIGN(std::vector<std::string> strings, strings_of(c));
    for (std::string& s : strings) t.string_data.push_back(keep(std::move(s)));
    model_.graph.initializers.push_back(std::move(t));
    return {};
  }
  // Elements move as they are written; what computes is left to nodes.
  auto moves = [&](const Transform& t) {
    return t.kind == Transform::Kind::kReshape || (t.kind == Transform::Kind::kTranspose &&
                                                   (c.encoding == Encoding::kFill || bits_of(c.stored_dtype) % 8 == 0));
  };
  auto rest = std::ranges::find_if_not(c.transforms, moves);
  std::size_t first = static_cast<std::size_t>(rest - c.transforms.begin());
  std::string_view stored_name = first < c.transforms.size() ? claim(c.name + "_stored") : name;
  std::vector<std::int64_t> shape = c.stored_shape;
  std::vector<std::byte> moved;
  for (auto t = c.transforms.begin(); t != rest; ++t) {
    if (t->kind == Transform::Kind::kReshape) {
      shape = t->ints;
    } else if (c.encoding == Encoding::kFill) {
      std::vector<std::int64_t> old = shape;
      for (std::size_t k = 0; k < shape.size(); ++k) shape[k] = old[static_cast<std::size_t>(t->ints[k])];
    } else {
      if (moved.empty()) moved.assign(c.stored().begin(), c.stored().end());
      transpose(moved, shape, static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8, t->ints);
    }
  }
  if (c.encoding == Encoding::kFill) {
    MOTE_TRY(filled(c, stored_name, shape));
  } else {
    TensorProto t;
    t.name = stored_name;
    t.data_type = number_of(c.stored_dtype);
    t.dims = shape;
    std::span<const std::byte> bytes = c.stored();
    if (!moved.empty()) bytes = kept_bytes_.emplace_back(std::move(moved));
    MOTE_TRY(stored_bytes(c, t, bytes));
    model_.graph.initializers.push_back(std::move(t));
  }
  return transforms(c, first, std::move(shape), stored_name, name);
}

}  // namespace mote::onnx
