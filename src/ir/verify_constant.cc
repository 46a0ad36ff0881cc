#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/text.h"
#include "ir/verify.h"

namespace mote {
namespace {

// Bytes that the stored elements take.
Result<std::int64_t> stored_bytes(const Constant& c) {
  std::optional<std::int64_t> count = element_count(c.stored_shape);
  if (!count || *count > std::numeric_limits<std::int64_t>::max() / 256) return invalid("its extents make no size");
  if (c.encoding == Encoding::kFill) return bytes_of(c.stored_dtype, 1);
  return bytes_of(c.stored_dtype, *count);
}

Status check_strings(const Constant& c) {
  std::span<const std::byte> rest = c.stored();
  std::int64_t left = element_count(c.stored_shape).value_or(-1);
  for (; left > 0 && rest.size() >= 4; --left) {
    std::uint32_t n;
    std::memcpy(&n, rest.data(), 4);
    if (n > rest.size() - 4) break;
    rest = rest.subspan(4 + std::size_t{n});
  }
  if (left != 0 || !rest.empty()) return invalid("its strings do not fill its bytes");
  return {};
}

Status apply(const Transform& t, DType& dtype, std::vector<std::int64_t>& shape) {
  switch (t.kind) {
    case Transform::Kind::kCast:
      if (t.dtype == DType::none) return invalid("a cast to no type");
      dtype = t.dtype;
      return {};
    case Transform::Kind::kScale: {
      std::int64_t axis = t.ints.size() == 1 ? t.ints[0] : -1;
      if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size()) || !is_float(dtype) || bits_of(dtype) < 16 ||
          static_cast<std::int64_t>(t.scale.size()) != shape[static_cast<std::size_t>(axis)]) {
        return invalid("a scale that fits no axis");
      }
      return {};
    }
    case Transform::Kind::kReshape:
      if (!element_count(t.ints) || element_count(t.ints) != element_count(shape)) {
        return invalid("a reshape from " + shape_text(shape) + " to " + shape_text(t.ints));
      }
      shape = t.ints;
      return {};
    case Transform::Kind::kTranspose: {
      std::vector<std::int64_t> out, seen(shape.size(), 0);
      for (std::int64_t p : t.ints) {
        if (p < 0 || p >= static_cast<std::int64_t>(shape.size()) || seen[static_cast<std::size_t>(p)]++) break;
        out.push_back(shape[static_cast<std::size_t>(p)]);
      }
      if (out.size() != shape.size() || t.ints.size() != shape.size()) return invalid("a transpose by no permutation");
      shape = std::move(out);
      return {};
    }
  }
  return invalid("a transform of no known kind");
}

}  // namespace

Status verify_constant(const Constant& c) {
  if (!c.source) return invalid("has no bytes");
  std::size_t length = c.source->bytes().size();
  if (c.offset > length || c.size > length - c.offset) {
    return invalid(concat("lies at bytes ", c.offset, "+", c.size, " of ", length, " in ", quoted(c.source->name)));
  }
  if (c.stored_dtype == DType::none) return invalid("has no element type");
  if (!c.type.is_static()) return invalid("is not a tensor of known extents");
  if ((c.encoding == Encoding::kStrings) != (c.stored_dtype == DType::string)) {
    return invalid("is encoded as strings and is not of strings, or the other way round");
  }
  MOTE_ASSIGN(std::int64_t bytes, stored_bytes(c));
  if (c.encoding == Encoding::kStrings) {
    MOTE_TRY(check_strings(c));
  } else if (static_cast<std::uint64_t>(bytes) != c.size) {
    return invalid(concat("has ", c.size, " bytes, where ", name_of(c.stored_dtype), " ", shape_text(c.stored_shape),
                          " takes ", bytes));
  }
  DType dtype = c.stored_dtype;
  std::vector<std::int64_t> shape = c.stored_shape;
  for (const Transform& t : c.transforms) {
    if (dtype == DType::string) return invalid("has transforms of strings");
    MOTE_TRY(apply(t, dtype, shape));
  }
  if (!(Type::tensor(dtype, Shape(shape.begin(), shape.end())) == c.type)) {
    return invalid(
        concat("is ", name_of(dtype), " ", shape_text(shape), " once made, but of type ", c.type.to_string()));
  }
  return {};
}

}  // namespace mote
