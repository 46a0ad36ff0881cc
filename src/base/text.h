// Small helpers on strings: putting messages together, reading numbers, cleaning foreign text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mote {

// Numbers in their shortest form that reads back to the same value.
std::string to_text(std::int64_t v);
std::string to_text(std::uint64_t v);
std::string to_text(double v);
std::string to_text(float v);

namespace text_detail {
inline void append(std::string& s, std::string_view v) { s += v; }
inline void append(std::string& s, const std::string& v) { s += v; }
inline void append(std::string& s, const char* v) { s += v; }
inline void append(std::string& s, char v) { s += v; }
inline void append(std::string& s, bool v) { s += v ? "true" : "false"; }
inline void append(std::string& s, float v) { s += to_text(v); }
inline void append(std::string& s, double v) { s += to_text(v); }
template <class Int>
  requires std::is_integral_v<Int>
void append(std::string& s, Int v) {
  if constexpr (std::is_signed_v<Int>) {
    s += to_text(static_cast<std::int64_t>(v));
  } else {
    s += to_text(static_cast<std::uint64_t>(v));
  }
}
}  // namespace text_detail

// The arguments (strings and numbers) one after another.
template <class... Args>
std::string concat(const Args&... args) {
  std::string s;
  (text_detail::append(s, args), ...);
  return s;
}

template <class Range>
std::string join(const Range& range, std::string_view separator = ", ") {
  std::string s;
  bool first = true;
  for (const auto& v : range) {
    if (!first) s += separator;
    first = false;
    text_detail::append(s, v);
  }
  return s;
}

// "1x3x224x224"; "scalar" for rank 0.
std::string shape_text(std::span<const std::int64_t> dims);

// The whole of `s` must be a number; no leading blanks, no '+'.
std::optional<std::int64_t> parse_int(std::string_view s);
std::optional<double> parse_float(std::string_view s);
// Bytes, >= 0, with an optional unit: K, M, ... and KiB, MiB, ... are powers of 2^10, kB, MB, GB, TB powers of 10^3.
std::optional<std::int64_t> parse_size(std::string_view s);
// "250us", "1.5ms", "2s" and plain numbers (seconds), in nanoseconds, >= 0.
std::optional<std::int64_t> parse_duration_ns(std::string_view s);

// "1.5 MB" (MB = 10^6 bytes), "512 B".
std::string human_bytes(std::int64_t bytes);

// Foreign text for a message: valid UTF-8 without control characters, cut with "..." at about `max_bytes`.
std::string clean_text(std::string_view s, std::size_t max_bytes = 200);
// clean_text in single quotes.
std::string quoted(std::string_view s);
bool valid_utf8(std::string_view s);

std::string_view trim(std::string_view s);
// Empty pieces are kept; an empty string gives one empty piece.
template <class Fn>
void split(std::string_view s, char separator, Fn&& each) {
  for (;;) {
    std::size_t end = s.find(separator);
    each(s.substr(0, end));
    if (end == std::string_view::npos) return;
    s.remove_prefix(end + 1);
  }
}

}  // namespace mote
