#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/text.h"
#include "media/npy.h"
#include "media/utf8.h"

namespace mote::media {
namespace {

constexpr std::size_t kMagicSize = 6;
constexpr std::int64_t kMaxHeader = 1 << 20;
constexpr std::size_t kMaxRank = 64;

Status at_byte(Status status, std::size_t offset) { return std::move(status).at("byte " + std::to_string(offset)); }

// Reads the Python dictionary literal of an .npy header. Offsets in errors count from the start of the file.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::size_t offset) : text_(text), offset_(offset) {}

  Status parse(std::string& descr, bool& fortran, std::vector<std::int64_t>& shape) {
    bool seen[3] = {};
    MOTE_TRY(expect('{'));
    while (!accept('}')) {
      std::string key;
      MOTE_TRY(parse_string(key));
      MOTE_TRY(expect(':'));
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0 || seen[which]) return error(concat("unexpected key ", quoted(key), " in the .npy header"));
      seen[which] = true;
      MOTE_TRY(which == 0 ? parse_descr(descr) : which == 1 ? parse_bool(fortran) : parse_shape(shape));
      if (!accept(',')) {
        MOTE_TRY(expect('}'));
        break;
      }
    }
    if (!seen[0] || !seen[1] || !seen[2]) return error("the .npy header lacks descr, fortran_order or shape");
    skip_space();
    if (pos_ != text_.size()) return error("unexpected text after the .npy header");
    return {};
  }

 private:
  Status error(std::string message) const { return at_byte(invalid(std::move(message)), offset_ + pos_); }
  void skip_space() {
    while (pos_ < text_.size() && std::strchr(" \t\r\n", text_[pos_]) != nullptr && text_[pos_] != 0) ++pos_;
  }
  bool accept(char c) {
    skip_space();
    if (pos_ >= text_.size() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }
  Status expect(char c) {
    if (accept(c)) return {};
    return error(std::string("expected '") + c + "' in the .npy header");
  }
  Status parse_string(std::string& out) {
    const char quote = accept('\'') ? '\'' : accept('"') ? '"' : 0;
    if (quote == 0) return error("expected a string in the .npy header");
    const std::size_t end = text_.find(quote, pos_);
    if (end == std::string_view::npos) return error("unterminated string in the .npy header");
    out = text_.substr(pos_, end - pos_);
    pos_ = end + 1;
    return {};
  }
  Status parse_descr(std::string& out) {
    skip_space();
    if (pos_ < text_.size() && text_[pos_] == '[') {
      return at_byte(unsupported("records (structured dtypes) are not tensors"), offset_ + pos_)
          .hint("save each field as an array of its own");
    }
    return parse_string(out);
  }
  Status parse_bool(bool& out) {
    skip_space();
    for (auto [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (text_.substr(pos_).starts_with(word)) {
        pos_ += std::strlen(word);
        out = value;
        return {};
      }
    }
    return error("expected True or False in the .npy header");
  }
  Status parse_shape(std::vector<std::int64_t>& out) {
    MOTE_TRY(expect('('));
    while (!accept(')')) {
      skip_space();
      std::int64_t value = 0;
      const std::size_t start = pos_;
      for (; pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '9'; ++pos_) {
        if (value > (std::int64_t{1} << 58)) return error("dimension too large in the .npy header");
        value = value * 10 + (text_[pos_] - '0');
      }
      if (pos_ == start) return error("expected a dimension in the .npy header");
      accept('L');  // Python 2 wrote long integers this way
      if (out.size() == kMaxRank) return error("more than 64 dimensions");
      out.push_back(value);
      if (!accept(',')) {
        MOTE_TRY(expect(')'));
        break;
      }
    }
    return {};
  }

  std::string_view text_;
  std::size_t offset_, pos_ = 0;
};

DType numeric_dtype(char kind, std::int64_t size) {
  struct Row {
    char kind;
    std::int64_t size;
    DType dtype;
  };
  static constexpr Row kRows[] = {
      {'b', 1, DType::boolean}, {'i', 1, DType::i8},  {'i', 2, DType::i16}, {'i', 4, DType::i32},  {'i', 8, DType::i64},
      {'u', 1, DType::u8},      {'u', 2, DType::u16}, {'u', 4, DType::u32}, {'u', 8, DType::u64},  {'f', 2, DType::f16},
      {'f', 4, DType::f32},     {'f', 8, DType::f64}, {'c', 8, DType::c64}, {'c', 16, DType::c128}};
  for (const Row& row : kRows) {
    if (row.kind == kind && row.size == size) return row.dtype;
  }
  return DType::none;
}

Status refuse(std::string_view descr) {
  const std::size_t at = descr.find_first_not_of("<>=|");
  const char kind = at == std::string_view::npos ? 0 : descr[at];
  const std::string dtype = "dtype " + quoted(descr);
  if (kind == 'O')
    return unsupported(dtype + " (Python objects) is never read: it can run code").hint("save plain arrays");
  if (kind == 'V') return unsupported(dtype + " (void)").hint("a bfloat16 array has to be saved as float32");
  if (kind == 'M' || kind == 'm') return unsupported(dtype + " (dates) is not a tensor");
  return unsupported(dtype);
}

Status parse_descr(std::string_view descr, NpyHeader& header) {
  std::string_view rest = descr;
  char order = '|';
  if (!rest.empty() && std::string_view("<>=|").find(rest[0]) != std::string_view::npos) {
    order = rest[0];
    rest.remove_prefix(1);
  }
  if (rest.empty()) return refuse(descr);
  header.kind = rest[0];
  rest.remove_prefix(1);
  std::int64_t size = 0;
  for (char c : rest) {
    if (c < '0' || c > '9' || size > (1 << 28)) return refuse(descr);
    size = size * 10 + (c - '0');
  }
  if (rest.empty()) return refuse(descr);
  header.swap = order == (std::endian::native == std::endian::little ? '>' : '<');
  if (header.kind == 'S' || header.kind == 'U') {
    header.dtype = DType::string;
    header.item_size = header.kind == 'U' ? 4 * size : size;
    header.swap = header.swap && header.kind == 'U';
    return {};
  }
  header.dtype = numeric_dtype(header.kind, size);
  header.item_size = size;
  return header.dtype == DType::none ? refuse(descr) : Status();
}

void swap_bytes(std::vector<std::byte>& raw, std::size_t unit) {
  for (std::size_t i = 0; i + unit <= raw.size(); i += unit) std::reverse(raw.data() + i, raw.data() + i + unit);
}

// Calls f(to, from) for every element: `to` counts in C order, `from` is where the element lies in Fortran order.
template <class F>
void for_each_transposed(std::span<const std::int64_t> shape, std::int64_t count, F f) {
  if (count == 0) return;  // strides of an empty array may overflow
  std::array<std::int64_t, kMaxRank> index{}, stride{1};
  for (std::size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
  std::int64_t from = 0;
  for (std::int64_t to = 0; to < count; ++to) {
    f(to, from);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += stride[d];
      if (++index[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
}

Result<std::string> read_string(const NpyHeader& header, const std::byte* element, std::int64_t file_offset) {
  std::string out;
  if (header.kind == 'S') {
    out.assign(reinterpret_cast<const char*>(element), static_cast<std::size_t>(header.item_size));
    out.erase(out.find_last_not_of('\0') + 1);
    return out;
  }
  std::int64_t length = header.item_size / 4;
  const auto code_at = [&](std::int64_t i) {
    std::uint32_t code;
    std::memcpy(&code, element + 4 * i, 4);
    return code;
  };
  while (length > 0 && code_at(length - 1) == 0) --length;
  for (std::int64_t i = 0; i < length; ++i) {
    if (!append_utf8(code_at(i), out)) {
      return at_byte(invalid("not a unicode character"), static_cast<std::size_t>(file_offset + 4 * i));
    }
  }
  return out;
}

}  // namespace

bool is_npy(std::span<const std::byte> file) {
  return file.size() >= kMagicSize && std::memcmp(file.data(), "\x93NUMPY", kMagicSize) == 0;
}

Result<std::int64_t> npy_header_size(std::span<const std::byte> first_bytes) {
  if (!is_npy(first_bytes)) {
    return at_byte(invalid("not an .npy file: it does not start with \\x93NUMPY"), 0).hint("write it with numpy.save");
  }
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(first_bytes[i]); };
  if (first_bytes.size() < 10) return at_byte(invalid("the .npy file ends inside its header"), first_bytes.size());
  const std::uint32_t major = byte(6);
  if (major < 1 || major > 3) return at_byte(unsupported(".npy version " + std::to_string(major)), 6);
  if (major == 1) return std::int64_t{10} + (byte(8) | byte(9) << 8);
  if (first_bytes.size() < 12) return at_byte(invalid("the .npy file ends inside its header"), first_bytes.size());
  return std::int64_t{12} + (byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24);
}

Result<NpyHeader> parse_npy_header(std::span<const std::byte> start, std::int64_t file_size, const Limits& limits) {
  MOTE_ASSIGN(const std::int64_t header_size, npy_header_size(start));
  if (header_size > static_cast<std::int64_t>(start.size()) || header_size > kMaxHeader) {
    return at_byte(invalid("the .npy header claims " + std::to_string(header_size) + " bytes of a file of " +
                           std::to_string(file_size)),
                   8);
  }
  NpyHeader header;
  header.data_offset = header_size;
  const std::size_t text_start = std::to_integer<int>(start[6]) == 1 ? 10 : 12;
  const std::string_view text(reinterpret_cast<const char*>(start.data()) + text_start,
                              static_cast<std::size_t>(header_size) - text_start);
  std::string descr;
  MOTE_TRY(HeaderParser(text, text_start).parse(descr, header.fortran, header.shape));
  MOTE_TRY(at_byte(parse_descr(descr, header), text_start));
  const auto count = element_count(header.shape);
  const std::int64_t available = file_size - header_size;
  if (!count || (header.item_size > 0 && *count > available / header.item_size)) {
    return at_byte(invalid("shape " + numpy_shape(header.shape) + " of dtype " + quoted(descr) +
                           " needs more data than the " + std::to_string(available) + " bytes that follow"),
                   static_cast<std::size_t>(header_size))
        .hint("the file is truncated or damaged");
  }
  header.count = *count;
  // Strings cost more in memory than in the file, and zero-width ones cost the file nothing.
  constexpr std::int64_t kPerString = sizeof(std::string);
  if (header.dtype == DType::string && *count > (limits.max_bytes - header.data_bytes()) / kPerString) {
    return check_allocation(limits.max_bytes + 1, limits, std::to_string(*count) + " strings");
  }
  return header;
}

Result<Array> npy_to_array(const NpyHeader& header, std::vector<std::byte> raw, const Limits& limits) {
  Array out;
  out.dtype = header.dtype;
  out.shape = header.shape;
  if (header.swap) {
    const std::int64_t unit = header.kind == 'U' ? 4 : header.kind == 'c' ? header.item_size / 2 : header.item_size;
    swap_bytes(raw, static_cast<std::size_t>(unit));
  }
  const bool transpose = header.fortran && header.shape.size() > 1;
  if (header.dtype == DType::string) {
    out.strings.resize(static_cast<std::size_t>(header.count));
    Status status;
    const auto read_one = [&](std::int64_t to, std::int64_t from) {
      if (!status.ok()) return;
      const std::int64_t at = from * header.item_size;
      auto text = read_string(header, raw.data() + at, header.data_offset + at);
      if (!text.ok()) {
        status = std::move(text).status();
      } else {
        out.strings[static_cast<std::size_t>(to)] = *std::move(text);
      }
    };
    if (transpose) {
      for_each_transposed(header.shape, header.count, read_one);
    } else {
      for (std::int64_t i = 0; i < header.count; ++i) read_one(i, i);
    }
    MOTE_TRY(status);
    return out;
  }
  if (transpose) {
    MOTE_TRY(check_allocation(header.data_bytes(), limits, "transposing a Fortran-order array"));
    out.data.resize(raw.size());
    const auto size = static_cast<std::size_t>(header.item_size);
    for_each_transposed(header.shape, header.count, [&](std::int64_t to, std::int64_t from) {
      std::memcpy(out.data.data() + static_cast<std::size_t>(to) * size,
                  raw.data() + static_cast<std::size_t>(from) * size, size);
    });
  } else {
    out.data = std::move(raw);
  }
  if (header.dtype == DType::boolean) {
    for (std::byte& b : out.data) b = b == std::byte{0} ? std::byte{0} : std::byte{1};
  }
  return out;
}

Result<Array> read_npy(std::span<const std::byte> file, const Limits& limits) {
  MOTE_ASSIGN(const NpyHeader header, parse_npy_header(file, static_cast<std::int64_t>(file.size()), limits));
  MOTE_TRY(check_allocation(header.data_bytes(), limits, "the array"));
  const auto data =
      file.subspan(static_cast<std::size_t>(header.data_offset), static_cast<std::size_t>(header.data_bytes()));
  return npy_to_array(header, std::vector<std::byte>(data.begin(), data.end()), limits);
}

}  // namespace mote::media
