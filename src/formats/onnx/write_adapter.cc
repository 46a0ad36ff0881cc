// The wire format of ONNX files, written with protozero.
#include <protozero/pbf_writer.hpp>

#include "formats/onnx/proto.h"

namespace mote::onnx {
namespace {

using protozero::data_view;
using protozero::pbf_writer;

data_view view(std::string_view s) { return {s.data(), s.size()}; }

void text(pbf_writer& w, std::uint32_t tag, std::string_view s) {
  if (!s.empty()) w.add_string(tag, view(s));
}

void pair(pbf_writer& parent, std::uint32_t tag, const StringPair& p) {
  pbf_writer w(parent, tag);
  w.add_string(1, view(p.first));
  w.add_string(2, view(p.second));
}

void opset(pbf_writer& parent, std::uint32_t tag, const OpsetProto& o) {
  pbf_writer w(parent, tag);
  w.add_string(1, view(o.domain));
  w.add_int64(2, o.version);
}

void tensor(pbf_writer& w, const TensorProto& t) {
  if (!t.dims.empty()) w.add_packed_int64(1, t.dims.begin(), t.dims.end());
  w.add_int32(2, t.data_type);
  for (std::string_view s : t.string_data) w.add_string(6, view(s));
  text(w, 8, t.name);
  if (t.raw_data) w.add_bytes(9, reinterpret_cast<const char*>(t.raw_data->data()), t.raw_data->size());
  for (const StringPair& p : t.external_data) pair(w, 13, p);
  if (t.is_external) w.add_enum(14, 1);
}

void sparse(pbf_writer& parent, const SparseTensorProto& t) {
  pbf_writer w(parent, 15);
  {
    pbf_writer values(w, 1);
    tensor(values, t.values);
  }
  {
    pbf_writer indices(w, 2);
    tensor(indices, t.indices);
  }
  w.add_packed_int64(3, t.dims.begin(), t.dims.end());
}

void type(pbf_writer& w, const TypeProto& t) {
  switch (t.kind) {
    case TypeProto::Kind::kTensor: {
      pbf_writer inner(w, 1);
      inner.add_int32(1, t.elem_type);
      if (!t.shape) return;
      // protozero leaves out empty messages, which mean something here: a scalar, an extent nobody knows.
      if (t.shape->empty()) return inner.add_message(2, data_view("", 0));
      pbf_writer shape(inner, 2);
      for (const DimProto& d : *t.shape) {
        if (!d.value && d.param.empty()) {
          shape.add_message(1, data_view("", 0));
          continue;
        }
        pbf_writer dim(shape, 1);
        if (d.value) {
          dim.add_int64(1, *d.value);
        } else {
          text(dim, 2, d.param);
        }
      }
      return;
    }
    case TypeProto::Kind::kSequence:
    case TypeProto::Kind::kOptional: {
      pbf_writer inner(w, t.kind == TypeProto::Kind::kSequence ? 4 : 9);
      pbf_writer elem(inner, 1);
      type(elem, *t.elem);
      return;
    }
    default:
      return;
  }
}

void value_info(pbf_writer& parent, std::uint32_t tag, const ValueInfoProto& v) {
  pbf_writer w(parent, tag);
  w.add_string(1, view(v.name));
  if (v.type.kind == TypeProto::Kind::kNone) return;
  pbf_writer t(w, 2);
  type(t, v.type);
}

void graph(pbf_writer& w, const GraphProto& g);

void attribute(pbf_writer& parent, std::uint32_t tag, const AttributeProto& a) {
  pbf_writer w(parent, tag);
  w.add_string(1, view(a.name));
  w.add_enum(20, static_cast<std::int32_t>(a.type));
  if (!a.ref_attr_name.empty()) {
    w.add_string(21, view(a.ref_attr_name));
    return;
  }
  switch (a.type) {
    case AttributeType::kFloat:
      w.add_float(2, a.f);
      return;
    case AttributeType::kInt:
      w.add_int64(3, a.i);
      return;
    case AttributeType::kString:
      w.add_bytes(4, view(a.s));
      return;
    case AttributeType::kFloats:
      w.add_packed_float(7, a.floats.begin(), a.floats.end());
      return;
    case AttributeType::kInts:
      w.add_packed_int64(8, a.ints.begin(), a.ints.end());
      return;
    case AttributeType::kStrings:
      for (std::string_view s : a.strings) w.add_bytes(9, view(s));
      return;
    case AttributeType::kTensor: {
      pbf_writer t(w, 5);
      tensor(t, *a.t);
      return;
    }
    case AttributeType::kGraph: {
      pbf_writer g(w, 6);
      graph(g, *a.g);
      return;
    }
    case AttributeType::kTypeProto: {
      pbf_writer t(w, 14);
      type(t, *a.tp);
      return;
    }
    default:
      return;
  }
}

void node(pbf_writer& parent, std::uint32_t tag, const NodeProto& n) {
  pbf_writer w(parent, tag);
  for (std::string_view s : n.inputs) w.add_string(1, view(s));
  for (std::string_view s : n.outputs) w.add_string(2, view(s));
  text(w, 3, n.name);
  w.add_string(4, view(n.op_type));
  for (const AttributeProto& a : n.attributes) attribute(w, 5, a);
  text(w, 7, n.domain);
  text(w, 8, n.overload);
}

void graph(pbf_writer& w, const GraphProto& g) {
  for (const NodeProto& n : g.nodes) node(w, 1, n);
  w.add_string(2, view(g.name));
  for (const TensorProto& t : g.initializers) {
    pbf_writer inner(w, 5);
    tensor(inner, t);
  }
  text(w, 10, g.doc);
  for (const SparseTensorProto& t : g.sparse_initializers) sparse(w, t);
  for (const ValueInfoProto& v : g.inputs) value_info(w, 11, v);
  for (const ValueInfoProto& v : g.outputs) value_info(w, 12, v);
  for (const ValueInfoProto& v : g.value_infos) value_info(w, 13, v);
}

void function(pbf_writer& parent, const FunctionProto& f) {
  pbf_writer w(parent, 25);
  w.add_string(1, view(f.name));
  for (std::string_view s : f.inputs) w.add_string(4, view(s));
  for (std::string_view s : f.outputs) w.add_string(5, view(s));
  for (std::string_view s : f.attributes) w.add_string(6, view(s));
  for (const NodeProto& n : f.nodes) node(w, 7, n);
  for (const OpsetProto& o : f.opsets) opset(w, 9, o);
  text(w, 10, f.domain);
  for (const AttributeProto& a : f.attribute_defaults) attribute(w, 11, a);
  text(w, 13, f.overload);
}

void model(pbf_writer& w, const ModelProto& m) {
  w.add_int64(1, m.ir_version);
  text(w, 2, m.producer_name);
  text(w, 3, m.producer_version);
  text(w, 4, m.domain);
  if (m.model_version != 0) w.add_int64(5, m.model_version);
  text(w, 6, m.doc);
  {
    pbf_writer g(w, 7);
    graph(g, m.graph);
  }
  for (const OpsetProto& o : m.opsets) opset(w, 8, o);
  for (const StringPair& p : m.metadata) pair(w, 14, p);
  for (const FunctionProto& f : m.functions) function(w, f);
}

template <class Write>
Result<std::string> written(const Write& write) {
  try {
    std::string out;
    pbf_writer w(out);
    write(w);
    return out;
  } catch (const std::exception& e) {
    return Status(Code::kResourceExhausted, std::string("writing the model: ") + e.what());
  }
}

}  // namespace

Result<std::string> serialize(const ModelProto& m) {
  return written([&](pbf_writer& w) { model(w, m); });
}

Result<std::string> serialize(const TensorProto& t) {
  return written([&](pbf_writer& w) { tensor(w, t); });
}

}  // namespace mote::onnx
