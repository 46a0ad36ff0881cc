// The wire format of ONNX files, read with protozero. Everything protozero throws ends here.
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <string>

#include "formats/onnx/proto.h"

namespace mote::onnx {

AttributeProto::AttributeProto() = default;
AttributeProto::AttributeProto(AttributeProto&&) noexcept = default;
AttributeProto& AttributeProto::operator=(AttributeProto&&) noexcept = default;
AttributeProto::~AttributeProto() = default;

namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;

struct Malformed {
  Code code;
  std::string message;
};

// Reads one file. `where_` follows the field being read, so that an error of protozero has a place.
class Parser {
 public:
  Parser(Bytes bytes, const ParseLimits& limits)
      : base_(reinterpret_cast<const char*>(bytes.data())), size_(bytes.size()), where_(base_), limits_(limits) {}

  template <class F>
  Status run(F&& parse) {
    auto failed = [&](Code code, std::string message) {
      return Status(code, std::move(message)).at("byte " + std::to_string(where_ - base_));
    };
    const char* truncated = "the file ends within a field, or is not an ONNX file";
    try {
      parse(data_view(base_, size_));
      return {};
    } catch (const Malformed& m) {
      return failed(m.code, m.message);
    } catch (const protozero::end_of_buffer_exception&) {
      return failed(Code::kInvalid, truncated).hint("fetch or export the file again");
    } catch (const protozero::exception& e) {
      return failed(Code::kInvalid, std::string("malformed protobuf: ") + e.what()).hint("is this an ONNX file?");
    } catch (const std::bad_alloc&) {
      return failed(Code::kResourceExhausted, "out of memory");
    }
  }

  void model(data_view data, ModelProto& out);
  void tensor(data_view data, TensorProto& out);
  void type(data_view data, TypeProto& out, int depth);
  void sequence(data_view data, SequenceProto& out, int depth);

 private:
  bool next(pbf_reader& r) {
    where_ = r.data().data();
    return r.next();
  }
  std::size_t offset(data_view v) const { return static_cast<std::size_t>(v.data() - base_); }
  [[noreturn]] void fail(std::string message, Code code = Code::kInvalid) const {
    throw Malformed{code, std::move(message)};
  }
  void expect(const pbf_reader& r, pbf_wire_type type) const {
    if (r.wire_type() != type) fail("field " + std::to_string(r.tag()) + " has the wrong wire type");
  }
  void charge(std::size_t bytes) {
    used_ += bytes;
    if (used_ > limits_.max_bytes) {
      fail("the file's structure needs more than " + std::to_string(limits_.max_bytes) + " bytes",
           Code::kResourceExhausted);
    }
  }
  template <class T>
  T& append(std::vector<T>& to) {
    charge(2 * sizeof(T));
    return to.emplace_back();
  }

  std::int64_t integer(pbf_reader& r) const {
    expect(r, pbf_wire_type::varint);
    return r.get_int64();
  }
  data_view view(pbf_reader& r) const {
    expect(r, pbf_wire_type::length_delimited);
    return r.get_view();
  }
  std::string_view text(pbf_reader& r) const {
    data_view v = view(r);
    return {v.data(), v.size()};
  }
  Bytes bytes(data_view v) const { return {reinterpret_cast<const std::byte*>(v.data()), v.size()}; }
  // One element, or a packed run of them.
  void integers(pbf_reader& r, std::vector<std::int64_t>& out) {
    if (r.wire_type() == pbf_wire_type::varint) {
      append(out) = r.get_int64();
      return;
    }
    expect(r, pbf_wire_type::length_delimited);
    for (std::int64_t v : r.get_packed_int64()) append(out) = v;
  }
  void floats(pbf_reader& r, std::vector<float>& out) {
    if (r.wire_type() == pbf_wire_type::fixed32) {
      append(out) = r.get_float();
      return;
    }
    expect(r, pbf_wire_type::length_delimited);
    for (float v : r.get_packed_float()) append(out) = v;
  }
  StringPair pair(data_view data);
  void opset(data_view data, OpsetProto& out);
  void dims(data_view data, std::vector<DimProto>& out);
  void tensor_type(data_view data, TypeProto& out);
  void value_info(data_view data, ValueInfoProto& out);
  void sparse(data_view data, SparseTensorProto& out);
  void attribute(data_view data, AttributeProto& out, int depth);
  void node(data_view data, NodeProto& out, int depth);
  void graph(data_view data, GraphProto& out, int depth);
  void function(data_view data, FunctionProto& out);
  void deeper(int depth) const {
    if (depth > limits_.max_depth)
      fail("graphs or types nested more than " + std::to_string(limits_.max_depth) + " deep");
  }

  const char* base_;
  std::size_t size_;
  const char* where_;
  const ParseLimits& limits_;
  std::size_t used_ = 0;
  std::size_t nodes_ = 0;
};

StringPair Parser::pair(data_view data) {
  StringPair out;
  for (pbf_reader r(data); next(r);) {
    if (r.tag() == 1) {
      out.first = text(r);
    } else if (r.tag() == 2) {
      out.second = text(r);
    } else {
      r.skip();
    }
  }
  return out;
}

void Parser::opset(data_view data, OpsetProto& out) {
  for (pbf_reader r(data); next(r);) {
    if (r.tag() == 1) {
      out.domain = text(r);
    } else if (r.tag() == 2) {
      out.version = integer(r);
    } else {
      r.skip();
    }
  }
}

void Parser::dims(data_view data, std::vector<DimProto>& out) {
  for (pbf_reader r(data); next(r);) {
    if (r.tag() != 1) {
      r.skip();
      continue;
    }
    DimProto& d = append(out);
    for (pbf_reader q(view(r)); next(q);) {
      if (q.tag() == 1) {
        d.value = integer(q);
      } else if (q.tag() == 2) {
        d.param = text(q);
      } else {
        q.skip();
      }
    }
  }
}

void Parser::tensor_type(data_view data, TypeProto& out) {
  for (pbf_reader r(data); next(r);) {
    if (r.tag() == 1) {
      out.elem_type = static_cast<std::int32_t>(integer(r));
    } else if (r.tag() == 2) {
      if (!out.shape) out.shape.emplace();
      dims(view(r), *out.shape);
    } else {
      r.skip();
    }
  }
}

void Parser::type(data_view data, TypeProto& out, int depth) {
  deeper(depth);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
      case 8:
        out.kind = r.tag() == 1 ? TypeProto::Kind::kTensor : TypeProto::Kind::kSparseTensor;
        tensor_type(view(r), out);
        break;
      case 4:
      case 9:
        out.kind = r.tag() == 4 ? TypeProto::Kind::kSequence : TypeProto::Kind::kOptional;
        charge(sizeof(TypeProto));
        out.elem = std::make_unique<TypeProto>();
        for (pbf_reader q(view(r)); next(q);) {
          if (q.tag() == 1) {
            type(view(q), *out.elem, depth + 1);
          } else {
            q.skip();
          }
        }
        break;
      case 5:
      case 7:
        out.kind = r.tag() == 5 ? TypeProto::Kind::kMap : TypeProto::Kind::kOpaque;
        r.skip();
        break;
      default:
        r.skip();
    }
  }
}

void Parser::value_info(data_view data, ValueInfoProto& out) {
  out.offset = offset(data);
  for (pbf_reader r(data); next(r);) {
    if (r.tag() == 1) {
      out.name = text(r);
    } else if (r.tag() == 2) {
      type(view(r), out.type, 0);
    } else {
      r.skip();
    }
  }
}

void Parser::tensor(data_view data, TensorProto& out) {
  out.message = bytes(data);
  out.offset = offset(data);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        integers(r, out.dims);
        break;
      case 2:
        out.data_type = static_cast<std::int32_t>(integer(r));
        break;
      case 3:
        fail("tensors in segments are not supported", Code::kUnsupported);
      case 4:
      case 5:
      case 7:
      case 10:
      case 11:
        out.has_typed_data = true;
        r.skip();
        break;
      case 6:
        append(out.string_data) = text(r);
        break;
      case 8:
        out.name = text(r);
        break;
      case 9:
        out.raw_data = bytes(view(r));
        break;
      case 13:
        append(out.external_data) = pair(view(r));
        break;
      case 14:
        out.is_external = integer(r) == 1;
        break;
      default:
        r.skip();
    }
  }
}

void Parser::sparse(data_view data, SparseTensorProto& out) {
  for (pbf_reader r(data); next(r);) {
    if (r.tag() == 1) {
      tensor(view(r), out.values);
    } else if (r.tag() == 2) {
      tensor(view(r), out.indices);
    } else if (r.tag() == 3) {
      integers(r, out.dims);
    } else {
      r.skip();
    }
  }
}

void Parser::attribute(data_view data, AttributeProto& out, int depth) {
  AttributeType stated = AttributeType::kUndefined, seen = AttributeType::kUndefined;
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        out.name = text(r);
        break;
      case 2:
        expect(r, pbf_wire_type::fixed32);
        out.f = r.get_float();
        seen = AttributeType::kFloat;
        break;
      case 3:
        out.i = integer(r);
        seen = AttributeType::kInt;
        break;
      case 4:
        out.s = text(r);
        seen = AttributeType::kString;
        break;
      case 5:
        charge(sizeof(TensorProto));
        out.t = std::make_unique<TensorProto>();
        tensor(view(r), *out.t);
        seen = AttributeType::kTensor;
        break;
      case 6:
        charge(sizeof(GraphProto));
        out.g = std::make_unique<GraphProto>();
        graph(view(r), *out.g, depth + 1);
        seen = AttributeType::kGraph;
        break;
      case 7:
        floats(r, out.floats);
        seen = AttributeType::kFloats;
        break;
      case 8:
        integers(r, out.ints);
        seen = AttributeType::kInts;
        break;
      case 9:
        append(out.strings) = text(r);
        seen = AttributeType::kStrings;
        break;
      case 14:
        charge(sizeof(TypeProto));
        out.tp = std::make_unique<TypeProto>();
        type(view(r), *out.tp, 0);
        seen = AttributeType::kTypeProto;
        break;
      case 20:
        stated = static_cast<AttributeType>(integer(r));
        break;
      case 21:
        out.ref_attr_name = text(r);
        break;
      case 22:
        charge(sizeof(SparseTensorProto));
        out.sparse = std::make_unique<SparseTensorProto>();
        sparse(view(r), *out.sparse);
        seen = AttributeType::kSparseTensor;
        break;
      default:
        r.skip();
    }
  }
  out.type = stated != AttributeType::kUndefined ? stated : seen;
  bool absent = (out.type == AttributeType::kTensor && !out.t) || (out.type == AttributeType::kGraph && !out.g) ||
                (out.type == AttributeType::kTypeProto && !out.tp) ||
                (out.type == AttributeType::kSparseTensor && !out.sparse);
  if (absent && out.ref_attr_name.empty()) {
    fail("attribute '" + std::string(out.name) + "' does not hold the value that its type announces");
  }
}

void Parser::node(data_view data, NodeProto& out, int depth) {
  if (++nodes_ > limits_.max_nodes) {
    fail("more than " + std::to_string(limits_.max_nodes) + " nodes", Code::kResourceExhausted);
  }
  out.offset = offset(data);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        append(out.inputs) = text(r);
        break;
      case 2:
        append(out.outputs) = text(r);
        break;
      case 3:
        out.name = text(r);
        break;
      case 4:
        out.op_type = text(r);
        break;
      case 5:
        attribute(view(r), append(out.attributes), depth);
        break;
      case 7:
        out.domain = text(r);
        break;
      case 8:
        out.overload = text(r);
        break;
      default:
        r.skip();
    }
  }
  if (out.domain == "ai.onnx") out.domain = "";
}

void Parser::graph(data_view data, GraphProto& out, int depth) {
  deeper(depth);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        node(view(r), append(out.nodes), depth);
        break;
      case 2:
        out.name = text(r);
        break;
      case 5:
        tensor(view(r), append(out.initializers));
        break;
      case 10:
        out.doc = text(r);
        break;
      case 11:
        value_info(view(r), append(out.inputs));
        break;
      case 12:
        value_info(view(r), append(out.outputs));
        break;
      case 13:
        value_info(view(r), append(out.value_infos));
        break;
      case 15:
        sparse(view(r), append(out.sparse_initializers));
        break;
      default:
        r.skip();
    }
  }
}

void Parser::function(data_view data, FunctionProto& out) {
  out.offset = offset(data);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        out.name = text(r);
        break;
      case 4:
        append(out.inputs) = text(r);
        break;
      case 5:
        append(out.outputs) = text(r);
        break;
      case 6:
        append(out.attributes) = text(r);
        break;
      case 7:
        node(view(r), append(out.nodes), 0);
        break;
      case 9:
        opset(view(r), append(out.opsets));
        break;
      case 10:
        out.domain = text(r);
        break;
      case 11:
        attribute(view(r), append(out.attribute_defaults), 0);
        break;
      case 13:
        out.overload = text(r);
        break;
      default:
        r.skip();
    }
  }
  if (out.domain == "ai.onnx") out.domain = "";
}

void Parser::model(data_view data, ModelProto& out) {
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        out.ir_version = integer(r);
        break;
      case 2:
        out.producer_name = text(r);
        break;
      case 3:
        out.producer_version = text(r);
        break;
      case 4:
        out.domain = text(r);
        break;
      case 5:
        out.model_version = integer(r);
        break;
      case 6:
        out.doc = text(r);
        break;
      case 7:
        out.has_graph = true;
        graph(view(r), out.graph, 0);
        break;
      case 8:
        opset(view(r), append(out.opsets));
        break;
      case 14:
        append(out.metadata) = pair(view(r));
        break;
      case 25:
        function(view(r), append(out.functions));
        break;
      default:
        r.skip();
    }
  }
  if (!out.has_graph) fail("no graph: this is not an ONNX model");
}

void Parser::sequence(data_view data, SequenceProto& out, int depth) {
  deeper(depth);
  for (pbf_reader r(data); next(r);) {
    switch (r.tag()) {
      case 1:
        out.name = text(r);
        break;
      case 2:
        out.elem_type = static_cast<std::int32_t>(integer(r));
        break;
      case 3:
        tensor(view(r), append(out.tensors));
        break;
      case 5:
      case 7:
        sequence(view(r), append(out.elements), depth + 1);
        break;
      default:
        r.skip();
    }
  }
}

}  // namespace

Status parse_model(Bytes bytes, const ParseLimits& limits, ModelProto& out) {
  Parser p(bytes, limits);
  return p.run([&](data_view data) { p.model(data, out); });
}

Status parse_tensor(Bytes bytes, const ParseLimits& limits, TensorProto& out) {
  Parser p(bytes, limits);
  return p.run([&](data_view data) { p.tensor(data, out); });
}

Status parse_type(Bytes bytes, const ParseLimits& limits, TypeProto& out) {
  Parser p(bytes, limits);
  return p.run([&](data_view data) { p.type(data, out, 0); });
}

Status parse_sequence(Bytes bytes, const ParseLimits& limits, SequenceProto& out) {
  Parser p(bytes, limits);
  return p.run([&](data_view data) { p.sequence(data, out, 0); });
}

}  // namespace mote::onnx
