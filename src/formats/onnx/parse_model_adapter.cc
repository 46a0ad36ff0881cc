// Models, graphs, nodes and functions of ONNX files.
#include "formats/onnx/parser.h"

namespace mote::onnx {

AttributeProto::AttributeProto() = default;
AttributeProto::AttributeProto(AttributeProto&&) noexcept = default;
AttributeProto& AttributeProto::operator=(AttributeProto&&) noexcept = default;
AttributeProto::~AttributeProto() = default;

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

Status parse_model(Bytes bytes, const ParseLimits& limits, ModelProto& out) {
  Parser p(bytes, limits);
  return p.run([&](data_view data) { p.model(data, out); });
}

}  // namespace mote::onnx
