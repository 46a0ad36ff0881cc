// Small ONNX models for tests, built from the structs of proto.h and serialized.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <initializer_list>
#include <string>

#include "formats/onnx/onnx.h"
#include "ops/ops.h"

namespace mote::onnx::testing {

// Numbers of TensorProto.DataType.
enum { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kString = 8, kBool = 9, kFloat16 = 10, kDouble = 11 };

inline AttributeProto attr(std::string_view name, std::int64_t v) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kInt;
  a.i = v;
  return a;
}
inline AttributeProto attr(std::string_view name, float v) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kFloat;
  a.f = v;
  return a;
}
inline AttributeProto attr(std::string_view name, std::string_view v) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kString;
  a.s = v;
  return a;
}
inline AttributeProto attr_ints(std::string_view name, std::vector<std::int64_t> v) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kInts;
  a.ints = std::move(v);
  return a;
}
inline AttributeProto attr_ref(std::string_view name, std::string_view of, AttributeType type) {
  AttributeProto a;
  a.name = name;
  a.ref_attr_name = of;
  a.type = type;
  return a;
}
inline AttributeProto attr(std::string_view name, GraphProto g) {
  AttributeProto a;
  a.name = name;
  a.type = AttributeType::kGraph;
  a.g = std::make_unique<GraphProto>(std::move(g));
  return a;
}

template <class... Attributes>
NodeProto node(std::string_view op, std::initializer_list<std::string_view> inputs,
               std::initializer_list<std::string_view> outputs, Attributes... attributes) {
  NodeProto n;
  n.op_type = op;
  n.inputs = inputs;
  n.outputs = outputs;
  (n.attributes.push_back(std::move(attributes)), ...);
  return n;
}

inline DimProto dim(std::int64_t v) { return {v, {}}; }
inline DimProto dim(std::string_view symbol) { return {std::nullopt, symbol}; }

inline ValueInfoProto value(std::string_view name, int elem_type, std::optional<std::vector<DimProto>> dims) {
  ValueInfoProto v;
  v.name = name;
  v.type.kind = TypeProto::Kind::kTensor;
  v.type.elem_type = elem_type;
  v.type.shape = std::move(dims);
  return v;
}

// Owns what the structs only view.
struct Model {
  ModelProto proto;
  std::deque<std::string> text;
  std::deque<std::vector<std::byte>> data;

  explicit Model(std::int64_t opset = 18) {
    proto.ir_version = 8;
    proto.has_graph = true;
    proto.graph.name = "test";
    proto.opsets.push_back({"", opset});
  }
  GraphProto& graph() { return proto.graph; }

  template <class T>
  TensorProto tensor(std::string_view name, int data_type, std::vector<std::int64_t> dims, std::vector<T> values) {
    TensorProto t;
    t.name = name;
    t.data_type = data_type;
    t.dims = std::move(dims);
    std::vector<std::byte>& bytes = data.emplace_back(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    t.raw_data = bytes;
    return t;
  }
  TensorProto floats(std::string_view name, std::vector<std::int64_t> dims, std::vector<float> values) {
    return tensor<float>(name, kFloat, std::move(dims), std::move(values));
  }
  TensorProto longs(std::string_view name, std::vector<std::int64_t> dims, std::vector<std::int64_t> values) {
    return tensor<std::int64_t>(name, kInt64, std::move(dims), std::move(values));
  }
  std::string bytes() const {
    Result<std::string> s = serialize(proto);
    EXPECT_TRUE(s.ok());
    return *s;
  }
};

inline std::shared_ptr<const Source> source(std::string_view bytes) {
  auto span = std::as_bytes(std::span(bytes));
  return std::make_shared<const BufferSource>(std::vector<std::byte>(span.begin(), span.end()));
}

inline ImportOptions options() {
  ImportOptions o;
  o.ops = &builtin_ops();
  return o;
}

inline Result<Module> import_bytes(std::string_view bytes) { return import_onnx(source(bytes), options()); }
inline Result<Module> import_model(const Model& m) { return import_bytes(m.bytes()); }

// The text of the error, empty when there is none.
inline std::string error_of(const Result<Module>& r) { return r.ok() ? "" : r.status().to_string(); }

// The nodes of a function as "op(input names) -> output names", one per line.
inline std::string listing(const Module& m, const Function& f) {
  std::string s;
  auto names = [&](const std::vector<ValueId>& list) {
    std::string out;
    for (std::size_t i = 0; i < list.size(); ++i) {
      out += i ? ", " : "";
      out += list[i] == kNone ? "_" : f.values[static_cast<std::size_t>(list[i])].name;
    }
    return out;
  };
  for (const Node& n : f.nodes) {
    s += std::string(n.op->name) + "(" + names(n.inputs) + ") -> " + names(n.outputs);
    for (FunctionId b : n.bodies) s += " @" + m.functions[static_cast<std::size_t>(b)].name;
    s += "\n";
  }
  return s;
}

}  // namespace mote::onnx::testing
