#include "ir/elements.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/half.h"
#include "base/text.h"

namespace mote {
namespace {

template <class T>
void append_bytes(T v, std::vector<std::byte>& out) {
  std::size_t at = out.size();
  out.resize(at + sizeof v);
  std::memcpy(out.data() + at, &v, sizeof v);
}

template <class T>
bool append_number(std::string_view text, std::vector<std::byte>& out) {
  T v{};
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc() || end != text.data() + text.size()) return false;
  append_bytes(v, out);
  return true;
}

bool append_half(std::string_view text, std::vector<std::byte>& out, std::uint16_t (*narrow)(float)) {
  float v = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (ec != std::errc() || end != text.data() + text.size()) return false;
  append_bytes(narrow(v), out);
  return true;
}

template <class T>
T read(std::span<const std::byte> b) {
  T v;
  std::memcpy(&v, b.data(), sizeof v);
  return v;
}

std::string element_text(std::span<const std::byte> b, DType t) {
  switch (t) {
    case DType::f32:
      return to_text(read<float>(b));
    case DType::f64:
      return to_text(read<double>(b));
    case DType::f16:
      return to_text(f16_to_f32(read<std::uint16_t>(b)));
    case DType::bf16:
      return to_text(bf16_to_f32(read<std::uint16_t>(b)));
    case DType::i8:
      return to_text(std::int64_t{read<std::int8_t>(b)});
    case DType::i16:
      return to_text(std::int64_t{read<std::int16_t>(b)});
    case DType::i32:
      return to_text(std::int64_t{read<std::int32_t>(b)});
    case DType::i64:
      return to_text(read<std::int64_t>(b));
    case DType::u8:
      return to_text(std::uint64_t{read<std::uint8_t>(b)});
    case DType::u16:
      return to_text(std::uint64_t{read<std::uint16_t>(b)});
    case DType::u32:
      return to_text(std::uint64_t{read<std::uint32_t>(b)});
    case DType::u64:
      return to_text(read<std::uint64_t>(b));
    case DType::boolean:
      return read<std::uint8_t>(b) ? "true" : "false";
    default:
      return {};
  }
}

std::optional<std::string> strings_text(std::span<const std::byte> rest, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < 4) return std::nullopt;
    std::uint32_t n = read<std::uint32_t>(rest);
    if (rest.size() - 4 < n) return std::nullopt;
    out += (i ? ", " : "") + quote(std::string_view(reinterpret_cast<const char*>(rest.data()) + 4, n));
    rest = rest.subspan(4 + n);
  }
  if (!rest.empty()) return std::nullopt;
  return out;
}

}  // namespace

bool append_element(std::string_view text, DType t, std::vector<std::byte>& out) {
  switch (t) {
    case DType::f32:
      return append_number<float>(text, out);
    case DType::f64:
      return append_number<double>(text, out);
    case DType::f16:
      return append_half(text, out, f32_to_f16);
    case DType::bf16:
      return append_half(text, out, f32_to_bf16);
    case DType::i8:
      return append_number<std::int8_t>(text, out);
    case DType::i16:
      return append_number<std::int16_t>(text, out);
    case DType::i32:
      return append_number<std::int32_t>(text, out);
    case DType::i64:
      return append_number<std::int64_t>(text, out);
    case DType::u8:
      return append_number<std::uint8_t>(text, out);
    case DType::u16:
      return append_number<std::uint16_t>(text, out);
    case DType::u32:
      return append_number<std::uint32_t>(text, out);
    case DType::u64:
      return append_number<std::uint64_t>(text, out);
    case DType::boolean:
      if (text != "true" && text != "false") return false;
      out.push_back(static_cast<std::byte>(text == "true"));
      return true;
    case DType::string: {
      std::optional<std::string> s = unquote(text);
      if (!s) return false;
      append_bytes(static_cast<std::uint32_t>(s->size()), out);
      for (char c : *s) out.push_back(static_cast<std::byte>(c));
      return true;
    }
    default:
      return false;
  }
}

std::optional<std::string> elements_text(const Constant& c, std::size_t limit) {
  std::optional<std::int64_t> count =
      c.encoding == Encoding::kFill ? std::optional<std::int64_t>(1) : element_count(c.stored_shape);
  if (!count || static_cast<std::uint64_t>(*count) > limit || !c.source) return std::nullopt;
  std::size_t n = static_cast<std::size_t>(*count);
  std::span<const std::byte> bytes = c.stored();
  if (c.encoding == Encoding::kStrings) {
    return c.stored_dtype == DType::string ? strings_text(bytes, n) : std::nullopt;
  }
  if (c.stored_dtype == DType::string || bits_of(c.stored_dtype) < 8) return std::nullopt;
  std::size_t width = static_cast<std::size_t>(bits_of(c.stored_dtype)) / 8;
  if (bytes.size() != n * width) return std::nullopt;
  std::string out;
  std::vector<std::byte> back;
  for (std::size_t i = 0; i < n; ++i) {
    std::string text = element_text(bytes.subspan(i * width, width), c.stored_dtype);
    if (!append_element(text, c.stored_dtype, back)) return std::nullopt;
    out += (i ? ", " : "") + text;
  }
  if (!std::equal(back.begin(), back.end(), bytes.begin(), bytes.end())) return std::nullopt;
  return out;
}

std::string hex_text(std::span<const std::byte> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string s;
  s.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    s += digits[static_cast<unsigned>(b) >> 4];
    s += digits[static_cast<unsigned>(b) & 15];
  }
  return s;
}

std::optional<std::vector<std::byte>> parse_hex(std::string_view text) {
  auto digit = [](char c) { return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= '0' && c <= '9' ? c - '0' : -1; };
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::byte> out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

}  // namespace mote
