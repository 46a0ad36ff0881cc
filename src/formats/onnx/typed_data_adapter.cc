// Elements that a TensorProto holds as fields of their type instead of raw bytes.
#include <cstring>
#include <new>
#include <protozero/pbf_reader.hpp>
#include <string>

#include "formats/onnx/proto.h"

namespace mote::onnx {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Where the elements of a data type are stored on the wire, and the bytes each stored word gives.
struct TypedField {
  std::uint32_t tag;
  int width;
};

TypedField typed_field(std::int32_t data_type) {
  switch (data_type) {
    case 1:
    case 14:
      return {4, 4};
    case 11:
    case 15:
      return {10, 8};
    case 7:
      return {7, 8};
    case 12:
      return {11, 4};
    case 13:
      return {11, 8};
    case 6:
      return {5, 4};
    case 4:
    case 5:
    case 10:
    case 16:
      return {5, 2};
    default:
      return {5, 1};
  }
}

// Appends words to a buffer of the size announced.
class WordSink {
 public:
  WordSink(std::vector<std::byte>& out, int width) : out_(out), width_(static_cast<std::size_t>(width)) {}

  template <class T>
  bool put(T word) {
    if (used_ + width_ > out_.size()) return false;
    if constexpr (std::is_same_v<T, std::int64_t>) {
      int bits = static_cast<int>(width_) * 8;
      if (bits < 64 && (word < -(std::int64_t{1} << (bits - 1)) || word >= (std::int64_t{1} << bits))) return false;
    }
    std::memcpy(out_.data() + used_, &word, width_);
    used_ += width_;
    return true;
  }
  bool put_bytes(data_view v) {
    if (v.size() > out_.size() - used_) return false;
    if (v.size() != 0) std::memcpy(out_.data() + used_, v.data(), v.size());
    used_ += v.size();
    return true;
  }
  bool full() const { return used_ == out_.size(); }

 private:
  std::vector<std::byte>& out_;
  std::size_t width_, used_ = 0;
};

bool decode_field(pbf_reader& r, TypedField field, WordSink& sink) {
  if (field.tag == 4 || field.tag == 10) {
    if (r.wire_type() == pbf_wire_type::length_delimited) return sink.put_bytes(r.get_view());
    if (field.tag == 4) return r.wire_type() == pbf_wire_type::fixed32 && sink.put(r.get_float());
    return r.wire_type() == pbf_wire_type::fixed64 && sink.put(r.get_double());
  }
  if (r.wire_type() == pbf_wire_type::varint) return sink.put(r.get_int64());
  if (r.wire_type() != pbf_wire_type::length_delimited) return false;
  for (std::int64_t v : r.get_packed_int64()) {
    if (!sink.put(v)) return false;
  }
  return true;
}

}  // namespace

Status decode_typed(const TensorProto& tensor, std::vector<std::byte>& out, std::int64_t count) {
  TypedField field = typed_field(tensor.data_type);
  Status mismatch =
      invalid("the data do not hold the " + std::to_string(count) + " values that dimensions and type announce");
  // A word takes at least a byte on the wire: a count beyond the message is refused before memory is taken.
  std::size_t words = static_cast<std::size_t>(count);
  if (count < 0 || words > tensor.message.size()) return mismatch;
  try {
    out.assign(words * static_cast<std::size_t>(field.width), std::byte{});
    WordSink sink(out, field.width);
    for (pbf_reader r(reinterpret_cast<const char*>(tensor.message.data()), tensor.message.size()); r.next();) {
      if (r.tag() != field.tag) {
        r.skip();
      } else if (!decode_field(r, field, sink)) {
        return mismatch;
      }
    }
    return sink.full() ? Status() : mismatch;
  } catch (const protozero::exception&) {
    return mismatch;
  } catch (const std::bad_alloc&) {
    return Status(Code::kResourceExhausted, "out of memory");
  }
}

}  // namespace mote::onnx
