// The messages of ONNX files as plain structs, field by field, and their wire format both ways.
//
// Strings, raw data and typed data are views of the parsed bytes, which outlive the structs. Fields that nothing needs
// (doc strings of nodes, training information, device configurations) are skipped. parse_* never read past the bytes,
// count what they allocate against the limits, and name the byte offset of what is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mote/status.h"

namespace mote::onnx {

using Bytes = std::span<const std::byte>;
using StringPair = std::pair<std::string_view, std::string_view>;

struct TensorProto {
  std::string_view name;
  std::int32_t data_type = 0;
  std::vector<std::int64_t> dims;
  std::optional<Bytes> raw_data;
  std::vector<std::string_view> string_data;
  bool has_typed_data = false;  // float_data, int32_data, ... in `message`; see decode_typed
  Bytes message;                // the whole message on the wire
  bool is_external = false;
  std::vector<StringPair> external_data;
  std::size_t offset = 0;  // of the message in the file
};

struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<std::int64_t> dims;
};

struct DimProto {
  std::optional<std::int64_t> value;
  std::string_view param;
};

struct TypeProto {
  enum class Kind : std::uint8_t { kNone, kTensor, kSparseTensor, kSequence, kOptional, kMap, kOpaque };
  Kind kind = Kind::kNone;
  std::int32_t elem_type = 0;  // tensors
  std::optional<std::vector<DimProto>> shape;
  std::unique_ptr<TypeProto> elem;  // sequences, optionals
};

struct ValueInfoProto {
  std::string_view name;
  TypeProto type;
  std::size_t offset = 0;
};

struct GraphProto;

// The numbers of AttributeProto.AttributeType.
enum class AttributeType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
  kSparseTensor = 11,
  kSparseTensors = 12,
  kTypeProto = 13,
  kTypeProtos = 14,
};

struct AttributeProto {
  AttributeProto();
  AttributeProto(AttributeProto&&) noexcept;
  AttributeProto& operator=(AttributeProto&&) noexcept;
  ~AttributeProto();

  std::string_view name, ref_attr_name;
  AttributeType type = AttributeType::kUndefined;
  float f = 0;
  std::int64_t i = 0;
  std::string_view s;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string_view> strings;
  std::unique_ptr<TensorProto> t;
  std::unique_ptr<SparseTensorProto> sparse;
  std::unique_ptr<GraphProto> g;
  std::unique_ptr<TypeProto> tp;
};

struct NodeProto {
  std::vector<std::string_view> inputs, outputs;
  std::string_view name, op_type, domain, overload;
  std::vector<AttributeProto> attributes;
  std::size_t offset = 0;

  const AttributeProto* attribute(std::string_view attribute_name) const {
    for (const AttributeProto& a : attributes) {
      if (a.name == attribute_name) return &a;
    }
    return nullptr;
  }
};

struct GraphProto {
  std::string_view name, doc;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<SparseTensorProto> sparse_initializers;
  std::vector<ValueInfoProto> inputs, outputs, value_infos;
};

struct OpsetProto {
  std::string_view domain;
  std::int64_t version = 0;
};

struct FunctionProto {
  std::string_view name, domain, overload;
  std::vector<std::string_view> inputs, outputs, attributes;
  std::vector<AttributeProto> attribute_defaults;
  std::vector<NodeProto> nodes;
  std::vector<OpsetProto> opsets;
  std::size_t offset = 0;
};

struct ModelProto {
  std::int64_t ir_version = 0;
  std::string_view producer_name, producer_version, domain, doc;
  std::int64_t model_version = 0;
  bool has_graph = false;
  GraphProto graph;
  std::vector<OpsetProto> opsets;
  std::vector<StringPair> metadata;
  std::vector<FunctionProto> functions;
};

// A sequence or optional as the conformance cases store them: its tensors, or its elements.
struct SequenceProto {
  std::string_view name;
  std::int32_t elem_type = 0;  // 1 tensor, 2 sparse tensor, 3 sequence, 4 map, 5 optional
  std::vector<TensorProto> tensors;
  std::vector<SequenceProto> elements;  // of a sequence of sequences or optionals
};

struct ParseLimits {
  std::size_t max_nodes = 4'000'000;
  std::size_t max_bytes = std::size_t{1} << 30;  // of the structs
  int max_depth = 64;                            // of graphs within graphs and types within types
};

Status parse_model(Bytes bytes, const ParseLimits& limits, ModelProto& out);
Status parse_tensor(Bytes bytes, const ParseLimits& limits, TensorProto& out);
Status parse_type(Bytes bytes, const ParseLimits& limits, TypeProto& out);
// A SequenceProto or an OptionalProto, which have the same fields: the value of an optional becomes the only element or
// tensor; none when it is empty.
Status parse_sequence(Bytes bytes, const ParseLimits& limits, SequenceProto& out);

// The elements of a tensor stored in typed fields, as little-endian elements of `bits` bits (16-bit and narrower types
// come from int32_data). `count` is the number of stored words wanted: more or fewer is an error.
Status decode_typed(const TensorProto& tensor, std::vector<std::byte>& out, std::int64_t count);

// The messages in wire format. raw_data of tensors is copied once.
Result<std::string> serialize(const ModelProto& model);
Result<std::string> serialize(const TensorProto& tensor);

}  // namespace mote::onnx
