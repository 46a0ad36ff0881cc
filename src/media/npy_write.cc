#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/float_format.h"
#include "base/text.h"
#include "media/npy.h"
#include "media/numbers.h"
#include "media/utf8.h"

namespace mote::media {
namespace {

std::string descr_of(DType t) {
  const bool one_byte = bits_of(t) == 8;
  const char order = one_byte ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  const char kind = t == DType::boolean                   ? 'b'
                    : t == DType::c64 || t == DType::c128 ? 'c'
                    : is_float(t)                         ? 'f'
                    : is_signed_int(t)                    ? 'i'
                                                          : 'u';
  return std::string{order, kind} + std::to_string(bits_of(t) / 8);
}

std::vector<std::byte> header_bytes(const std::string& descr, std::span<const std::int64_t> shape) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + numpy_shape(shape) + ", }";
  // numpy pads so that the data starts at a multiple of 64.
  const bool wide = text.size() + 64 + 10 > 0xffff;
  const std::size_t prefix = wide ? 12 : 10;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(wide ? 2 : 1);
  out += '\0';
  for (int i = 0; i < (wide ? 4 : 2); ++i) out += static_cast<char>(text.size() >> (8 * i) & 0xff);
  out += text;
  const auto* p = reinterpret_cast<const std::byte*>(out.data());
  return {p, p + out.size()};
}

Result<NpyFile> strings_to_file(const ArrayView& array, std::int64_t count, const Limits& limits) {
  if (static_cast<std::int64_t>(array.strings.size()) != count) {
    return internal_error("shape " + numpy_shape(array.shape) + " with " + std::to_string(array.strings.size()) +
                          " strings");
  }
  std::int64_t width = 1;
  for (std::size_t i = 0; i < array.strings.size(); ++i) {
    std::string_view rest = array.strings[i];
    std::int64_t length = 0;
    for (std::uint32_t code; take_utf8(rest, code);) ++length;
    if (!rest.empty()) {
      return invalid("element " + std::to_string(i) + " is not UTF-8, as fixed-width unicode needs")
          .at("string array '" + std::string(array.name) + "'");
    }
    width = std::max(width, length);
  }
  if (count > limits.max_bytes / (4 * width)) {
    return check_allocation(limits.max_bytes + 1, limits,
                            std::to_string(count) + " strings of fixed width " + std::to_string(width));
  }
  MOTE_TRY(check_allocation(4 * width * count, limits, "fixed-width strings"));
  NpyFile file;
  file.header =
      header_bytes((std::endian::native == std::endian::little ? "<U" : ">U") + std::to_string(width), array.shape);
  file.owned.resize(static_cast<std::size_t>(4 * width * count));
  std::byte* out = file.owned.data();
  for (const std::string& s : array.strings) {
    std::string_view rest = s;
    std::byte* at = out;
    for (std::uint32_t code; take_utf8(rest, code); at += 4) std::memcpy(at, &code, 4);
    out += 4 * width;
  }
  return file;
}

}  // namespace

DType npy_dtype(DType t) {
  if (t == DType::i4 || t == DType::i2) return DType::i8;
  if (t == DType::u4 || t == DType::u2) return DType::u8;
  if (t == DType::bf16 || (is_float(t) && bits_of(t) <= 8)) return DType::f32;
  return t;
}

Status narrow(Array& array, DType t) {
  const auto count = element_count(array.shape);
  if (!count || t == array.dtype || npy_dtype(t) != array.dtype) return {};
  std::vector<std::byte> out(static_cast<std::size_t>(bytes_of(t, *count)));
  if (is_float(t)) {
    store_from_f32(t, reinterpret_cast<const float*>(array.data.data()), *count, out.data(), 0, true);
  } else {
    const bool is_signed = is_signed_int(t);
    const int half = 1 << (bits_of(t) - 1), low = is_signed ? -half : 0, high = is_signed ? half - 1 : 2 * half - 1;
    for (std::int64_t i = 0; i < *count; ++i) {
      const int value = static_cast<int>(load_number(array.dtype, array.data.data(), i));
      if (value < low || value > high)
        return invalid(concat("element ", i, " is ", value, ", ", name_of(t), " holds ", low, " to ", high));
      store_packed(t, out.data(), i, value);
    }
  }
  array.data = std::move(out);
  array.dtype = t;
  return {};
}

Result<NpyFile> npy_from_array(const ArrayView& array, const Limits& limits) {
  const auto count = element_count(array.shape);
  if (!count || array.dtype == DType::none) return internal_error("an array of shape " + numpy_shape(array.shape));
  if (array.dtype == DType::string) return strings_to_file(array, *count, limits);
  if (static_cast<std::int64_t>(array.data.size()) != bytes_of(array.dtype, *count)) {
    return internal_error("shape " + numpy_shape(array.shape) + " of " + std::string(name_of(array.dtype)) + " with " +
                          std::to_string(array.data.size()) + " bytes");
  }
  const DType stored = npy_dtype(array.dtype);
  NpyFile file;
  file.header = header_bytes(descr_of(stored), array.shape);
  if (stored == array.dtype) {
    file.borrowed = array.data;
    return file;
  }
  const std::int64_t bytes = bytes_of(stored, *count);
  MOTE_TRY(check_allocation(bytes, limits, "widening " + std::string(name_of(array.dtype))));
  file.owned.resize(static_cast<std::size_t>(bytes));
  for (std::int64_t i = 0; i < *count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (stored == DType::f32) {
      const float value = static_cast<float>(load_number(array.dtype, array.data.data(), i));
      std::memcpy(file.owned.data() + 4 * at, &value, 4);
    } else {
      file.owned[at] = static_cast<std::byte>(static_cast<int>(load_number(array.dtype, array.data.data(), i)));
    }
  }
  return file;
}

Result<std::vector<std::byte>> write_npy(const ArrayView& array, const Limits& limits) {
  MOTE_ASSIGN(NpyFile file, npy_from_array(array, limits));
  const auto data = file.data();
  MOTE_TRY(check_allocation(static_cast<std::int64_t>(data.size()), limits, "the .npy file"));
  std::vector<std::byte> out = std::move(file.header);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

}  // namespace mote::media
