// TensorProto -> Constant.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "formats/emitter.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/types.h"
#include "ops/element.h"

namespace mote::onnx {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 56;

Result<std::int64_t> element_count(std::span<const std::int64_t> dims) {
  std::int64_t n = 1;
  for (std::int64_t d : dims) {
    if (d < 0) return invalid("dimension " + std::to_string(d) + " is negative");
    if (__builtin_mul_overflow(n, d, &n) || n > kMaxElements) return invalid("dimensions overflow");
  }
  return n;
}

std::string describe(DType t, std::span<const std::int64_t> dims) {
  std::string s = std::string(name_of(t)) + "[";
  for (std::size_t i = 0; i < dims.size(); ++i) s += (i ? "," : "") + std::to_string(dims[i]);
  return s + "]";
}

Result<std::uint64_t> parse_number(std::string_view key, std::string_view text) {
  std::uint64_t v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) {
    return invalid("external data: " + std::string(key) + " '" + std::string(text.substr(0, 40)) + "' is not a number");
  }
  return v;
}

Status set_external(const TensorProto& t, const ExternalReader& external, std::int64_t bytes, Constant& c) {
  std::string_view location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto& [key, value] : t.external_data) {
    if (key == "location") location = value;
    if (key == "offset") {
      MOTE_ASSIGN(offset, parse_number(key, value));
    }
    if (key == "length") {
      MOTE_ASSIGN(length, parse_number(key, value));
    }
  }
  MOTE_TRY(check_location(location));
  MOTE_ASSIGN(c.source, external(location));
  std::uint64_t size = c.source->bytes().size(), want = static_cast<std::uint64_t>(bytes);
  if (length && *length != want) {
    return invalid("external data: length " + std::to_string(*length) + ", but the tensor needs " +
                   std::to_string(bytes) + " bytes");
  }
  if (offset > size || want > size - offset) {
    return invalid("external data: '" + std::string(location) + "' has " + std::to_string(size) + " bytes, but bytes " +
                   std::to_string(offset) + " to " + std::to_string(offset + want) + " are wanted")
        .hint("the data file is cut off or belongs to another model");
  }
  c.offset = static_cast<std::size_t>(offset);
  return {};
}

Status set_strings(const TensorProto& t, std::int64_t count, Constant& c) {
  if (t.raw_data) return invalid("a string tensor with raw data");
  if (static_cast<std::int64_t>(t.string_data.size()) != count) {
    return invalid(std::to_string(t.string_data.size()) + " strings, but the shape needs " + std::to_string(count));
  }
  std::vector<std::byte> bytes;
  for (std::string_view s : t.string_data) {
    std::uint32_t n = static_cast<std::uint32_t>(s.size());
    std::size_t at = bytes.size();
    bytes.resize(at + 4 + s.size());
    std::memcpy(bytes.data() + at, &n, 4);
    if (n != 0) std::memcpy(bytes.data() + at + 4, s.data(), s.size());
  }
  c.encoding = Encoding::kStrings;
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
  return {};
}

void own(Constant& c, std::vector<std::byte> bytes) {
  c.offset = 0;
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
}

// Booleans are 0 or 1 in memory; a file may say otherwise.
void normalize_bools(Constant& c) {
  auto stored = c.stored();
  if (std::none_of(stored.begin(), stored.end(), [](std::byte b) { return b > std::byte{1}; })) return;
  std::vector<std::byte> bytes(stored.begin(), stored.end());
  for (std::byte& b : bytes) b = b != std::byte{0} ? std::byte{1} : std::byte{0};
  own(c, std::move(bytes));
}

Status set_data(const TensorProto& t, const std::shared_ptr<const Source>& file, const ExternalReader& external,
                Constant& c) {
  DType dtype = dtype_of_number(t.data_type);
  MOTE_ASSIGN(std::int64_t count, element_count(t.dims));
  if (dtype == DType::string) return set_strings(t, count, c);
  std::int64_t bytes = bytes_of(dtype, count);
  c.size = static_cast<std::size_t>(bytes);
  if (t.is_external) {
    if (t.raw_data || t.has_typed_data) return invalid("data both in the file and outside");
    MOTE_TRY(set_external(t, external, bytes, c));
  } else if (t.raw_data) {
    if (t.raw_data->size() != c.size) {
      return invalid("has " + std::to_string(t.raw_data->size()) + " bytes of data, but " + describe(dtype, t.dims) +
                     " needs " + std::to_string(bytes));
    }
    c.source = file;
    c.offset = static_cast<std::size_t>(t.raw_data->data() - file->bytes().data());
  } else {
    bool is_complex = dtype == DType::c64 || dtype == DType::c128;
    std::vector<std::byte> out;
    MOTE_TRY(decode_typed(t, out, is_complex ? 2 * count : bits_of(dtype) < 8 ? bytes : count));
    own(c, std::move(out));
  }
  if (dtype == DType::boolean) normalize_bools(c);
  return {};
}

}  // namespace

Result<Constant> constant_of(const TensorProto& t, const std::shared_ptr<const Source>& file,
                             const ExternalReader& external) {
  DType dtype = dtype_of_number(t.data_type);
  if (dtype == DType::none) {
    return (t.data_type == 0 ? invalid("tensor without a data type")
                             : unsupported("data type " + std::to_string(t.data_type) + " is not known"))
        .at("byte " + std::to_string(t.offset));
  }
  Constant c;
  c.name = t.name;
  c.stored_dtype = dtype;
  c.stored_shape = t.dims;
  c.type = Type::tensor(dtype, Shape(t.dims.begin(), t.dims.end()));
  if (Status s = set_data(t, file, external, c); !s.ok()) return std::move(s).at("byte " + std::to_string(t.offset));
  return c;
}

Result<Constant> constant_of(const SparseTensorProto& t, const std::shared_ptr<const Source>& file,
                             const ExternalReader& external, std::size_t max_bytes) {
  MOTE_ASSIGN(Constant values, constant_of(t.values, file, external));
  MOTE_ASSIGN(Constant indices, constant_of(t.indices, file, external));
  auto bad = [&](std::string message) {
    return invalid("sparse tensor: " + message).at("byte " + std::to_string(t.values.offset));
  };
  if (bits_of(values.stored_dtype) < 8 || values.encoding != Encoding::kPlain) return bad("its type is not supported");
  if (indices.stored_dtype != DType::i64 || values.stored_shape.size() != 1) return bad("malformed values or indices");
  MOTE_ASSIGN(std::int64_t count, element_count(t.dims));
  std::size_t nonzero = static_cast<std::size_t>(values.stored_shape[0]), rank = t.dims.size();
  std::size_t width = static_cast<std::size_t>(bits_of(values.stored_dtype)) / 8;
  bool linear = indices.stored_shape.size() == 1;
  if (indices.size / 8 != nonzero * (linear ? 1 : rank)) return bad("indices and values do not match");
  if (count > static_cast<std::int64_t>(max_bytes / width)) {
    return Status(Code::kResourceExhausted, "a sparse tensor of " + std::to_string(count) + " elements is too large");
  }
  std::vector<std::byte> dense(static_cast<std::size_t>(count) * width);
  for (std::size_t k = 0; k < nonzero; ++k) {
    std::int64_t at = 0;
    for (std::size_t d = 0; d < (linear ? 1 : rank); ++d) {
      std::int64_t i;
      std::memcpy(&i, indices.stored().data() + (k * (linear ? 1 : rank) + d) * 8, 8);
      if (i < 0 || i >= (linear ? count : t.dims[d])) return bad("index " + std::to_string(i) + " is out of range");
      at = linear ? i : at * t.dims[d] + i;
    }
    std::memcpy(dense.data() + static_cast<std::size_t>(at) * width, values.stored().data() + k * width, width);
  }
  Constant c = std::move(values);
  c.stored_shape = t.dims;
  c.type = Type::tensor(c.stored_dtype, Shape(t.dims.begin(), t.dims.end()));
  own(c, std::move(dense));
  return c;
}

Result<std::vector<double>> numbers_of(const Constant& c) {
  if (c.encoding != Encoding::kPlain || c.stored_shape.size() > kMaxRank) return invalid("is not a tensor of numbers");
  std::vector<std::byte> bytes(c.stored().begin(), c.stored().end());
  TensorView view = TensorView::of(bytes.data(), c.stored_dtype, c.stored_shape);
  std::vector<double> out(static_cast<std::size_t>(view.count()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = is_float(c.stored_dtype) ? load_f64(view, static_cast<std::int64_t>(i))
                                      : static_cast<double>(load_i64(view, static_cast<std::int64_t>(i)));
  }
  return out;
}

Result<std::vector<std::string>> strings_of(const Constant& c) {
  if (c.encoding != Encoding::kStrings) return invalid("is not a tensor of strings");
  std::vector<std::string> out;
  std::span<const std::byte> rest = c.stored();
  while (rest.size() >= 4) {
    std::uint32_t n;
    std::memcpy(&n, rest.data(), 4);
    out.emplace_back(reinterpret_cast<const char*>(rest.data()) + 4, n);
    rest = rest.subspan(4 + n);
  }
  return out;
}

}  // namespace mote::onnx
