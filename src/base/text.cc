#include "base/text.h"

#include <charconv>
#include <cmath>
#include <system_error>

namespace mote {
namespace {

template <class T>
std::string number(T v) {
  char buffer[40];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, v);
  return std::string(buffer, error == std::errc() ? end : buffer);
}

template <class T>
std::optional<T> parse(std::string_view s) {
  T v{};
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return v;
}

// Scales a non-negative decimal number and rounds; none where it does not fit.
std::optional<std::int64_t> scaled(std::string_view digits, double factor) {
  auto v = parse<double>(digits);
  if (!v || !(*v >= 0) || *v * factor >= 9.2e18) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(*v * factor));
}

bool ends_with_drop(std::string_view& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

// Length of the valid UTF-8 sequence at the front of `s`, 0 if there is none. Overlong forms and surrogates are
// invalid.
std::size_t utf8_length(std::string_view s) {
  auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  unsigned c = at(0);
  if (c < 0x80) return 1;
  std::size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
  if (c < 0xc2 || c > 0xf4 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((at(i) & 0xc0u) != 0x80u) return 0;
  }
  unsigned second = at(1);
  if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
      (c == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return n;
}

}  // namespace

std::string to_text(std::int64_t v) { return number(v); }
std::string to_text(std::uint64_t v) { return number(v); }
std::string to_text(double v) { return number(v); }
std::string to_text(float v) { return number(v); }

std::string shape_text(std::span<const std::int64_t> dims) { return dims.empty() ? "scalar" : join(dims, "x"); }

std::optional<std::int64_t> parse_int(std::string_view s) { return parse<std::int64_t>(s); }
std::optional<double> parse_float(std::string_view s) { return parse<double>(s); }

std::optional<std::int64_t> parse_size(std::string_view s) {
  bool binary = ends_with_drop(s, "iB"), decimal = !binary && ends_with_drop(s, "B");
  double factor = 1;
  constexpr std::string_view units = "KMGTkmgt";
  if (!s.empty()) {
    if (auto i = units.find(s.back()); i != std::string_view::npos) {
      int power = static_cast<int>(i % 4) + 1;
      factor = decimal ? std::pow(1e3, power) : std::ldexp(1.0, 10 * power);
      s.remove_suffix(1);
    } else if (binary) {
      return std::nullopt;
    }
  }
  return scaled(s, factor);
}

std::optional<std::int64_t> parse_duration_ns(std::string_view s) {
  double factor = 1e9;
  if (ends_with_drop(s, "ns")) {
    factor = 1;
  } else if (ends_with_drop(s, "us")) {
    factor = 1e3;
  } else if (ends_with_drop(s, "ms")) {
    factor = 1e6;
  } else {
    ends_with_drop(s, "s");
  }
  return scaled(s, factor);
}

std::string human_bytes(std::int64_t bytes) {
  constexpr const char* units[] = {" B", " kB", " MB", " GB", " TB", " PB", " EB"};
  if (bytes > -1000 && bytes < 1000) return concat(bytes, units[0]);
  double v = static_cast<double>(bytes);
  int unit = 0;
  for (; unit < 6 && std::fabs(v) >= 999.95; ++unit) v /= 1000;
  return concat(std::round(v * 10) / 10, units[unit]);
}

std::string clean_text(std::string_view s, std::size_t max_bytes) {
  std::string out;
  while (!s.empty()) {
    // Printable ASCII as one piece.
    std::size_t plain = 0;
    while (plain < s.size() && out.size() + plain < max_bytes && s[plain] >= 0x20 && s[plain] < 0x7f) ++plain;
    out += s.substr(0, plain);
    s.remove_prefix(plain);
    if (s.empty()) break;
    if (out.size() >= max_bytes) return out + "...";
    std::size_t n = utf8_length(s);
    auto c = static_cast<unsigned char>(s[0]);
    bool control = c < 0x20 || c == 0x7f || (n == 2 && c == 0xc2 && static_cast<unsigned char>(s[1]) < 0xa0);
    out += n == 0 || control ? std::string_view("?") : s.substr(0, n);
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

std::string quoted(std::string_view s) { return concat("'", clean_text(s), "'"); }

bool valid_utf8(std::string_view s) {
  while (!s.empty()) {
    std::size_t n = utf8_length(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

std::string_view trim(std::string_view s) {
  constexpr std::string_view blanks = " \t\r\n";
  std::size_t begin = s.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return s.substr(begin, s.find_last_not_of(blanks) - begin + 1);
}

}  // namespace mote
