// The wire format of ONNX files, read with protozero: what both parse_*_adapter.cc share. Everything protozero throws
// ends in Parser::run.
#pragma once

#include <protozero/pbf_reader.hpp>
#include <string>

#include "formats/onnx/proto.h"

namespace mote::onnx {

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

}  // namespace mote::onnx
