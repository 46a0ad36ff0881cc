// Tensors with data -> constants.
#include <cstring>

#include "base/text.h"
#include "formats/tflite/importer.h"

namespace mote::tflite {
namespace {

// Strings are stored as: i32 count, count + 1 offsets from the start of the buffer, the bytes.
Result<std::vector<std::byte>> decode_strings(std::span<const std::byte> bytes, std::int64_t count, std::size_t max) {
  auto number = [&](std::size_t i) {
    std::int32_t v;
    std::memcpy(&v, bytes.data() + 4 * i, 4);
    return static_cast<std::int64_t>(v);
  };
  std::size_t size = bytes.size(), head = 4 * (static_cast<std::size_t>(count) + 2);
  if (static_cast<std::size_t>(count) > size / 4 || size < head || number(0) != count) {
    return invalid(concat("its strings are damaged: ", count, " are wanted"));
  }
  if (size > max) return Status(Code::kResourceExhausted, concat("strings need more than ", max, " bytes of memory"));
  std::vector<std::byte> out;
  for (std::size_t i = 1; i <= static_cast<std::size_t>(count); ++i) {
    std::int64_t begin = number(i), end = number(i + 1);
    if (begin < static_cast<std::int64_t>(head) || end < begin || end > static_cast<std::int64_t>(size)) {
      return invalid(concat("string ", i - 1, " has bytes ", begin, " to ", end, " of ", size));
    }
    std::uint32_t n = static_cast<std::uint32_t>(end - begin);
    std::size_t at = out.size();
    out.resize(at + 4 + n);
    std::memcpy(out.data() + at, &n, 4);
    if (n != 0) std::memcpy(out.data() + at + 4, bytes.data() + begin, n);
  }
  return out;
}

void own(Constant& c, std::vector<std::byte> bytes) {
  c.offset = 0;
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
}

}  // namespace

Result<Constant> constant_of(const fbs::SubGraph& graph, std::int32_t index, File& file, std::size_t max_bytes) {
  const fbs::Tensor& t = *graph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  MOTE_ASSIGN(std::optional<Range> data, file.data(t));
  Constant c;
  c.name = text_of(t.name());
  c.stored_dtype = dtype_of(t.type());
  c.stored_shape = ints_of(t.shape());
  c.type = Type::tensor(c.stored_dtype, Shape(c.stored_shape.begin(), c.stored_shape.end()));
  if (c.stored_dtype == DType::none) return unsupported(concat("holds data of type ", name_of(t.type())));
  std::int64_t count = volume(*c.type.shape).value();
  if (t.sparsity()) return unsupported("sparse weights");
  if (c.stored_dtype == DType::string) {
    if (!data && count == 0) data = Range{file.source(), 0, 0};
    std::vector<std::byte> bytes;
    if (count != 0) {
      MOTE_ASSIGN(bytes, decode_strings(data->bytes(), count, max_bytes));
    }
    c.encoding = Encoding::kStrings;
    own(c, std::move(bytes));
    return c;
  }
  std::int64_t bytes = bytes_of(c.stored_dtype, count);
  std::size_t have = data ? data->size : 0;
  if (static_cast<std::int64_t>(have) != bytes) {
    return invalid(concat("has ", have, " bytes of data, but ", name_of(c.stored_dtype), " of ",
                          shape_text(c.stored_shape), " needs ", bytes));
  }
  c.size = have;
  c.source = data ? data->source : file.source();
  c.offset = data ? data->offset : 0;
  if (c.stored_dtype == DType::boolean) {
    // Booleans are 0 or 1 in memory; a file may say otherwise.
    std::vector<std::byte> values(c.stored().begin(), c.stored().end());
    bool odd = false;
    for (std::byte& b : values) {
      odd = odd || b > std::byte{1};
      b = b != std::byte{0} ? std::byte{1} : std::byte{0};
    }
    if (odd) own(c, std::move(values));
  }
  return c;
}

}  // namespace mote::tflite
