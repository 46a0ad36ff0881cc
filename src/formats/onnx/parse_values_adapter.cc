// Tensors, types and sequences of ONNX files.
#include "formats/onnx/parser.h"

namespace mote::onnx {

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
