#include "ops/text/utf8.h"

namespace mote {
namespace {

constexpr std::uint32_t kRawByte = 0x110000;

// Lower-case letters in [first, last] whose capitals are `distance` below; with distance 1, every second one from
// first.
struct CaseRange {
  std::uint32_t first, last, distance;
};
constexpr CaseRange kCases[] = {
    {0x61, 0x7a, 32},   {0xe0, 0xf6, 32},    {0xf8, 0xfe, 32},    {0x101, 0x12f, 1},  {0x133, 0x137, 1},
    {0x13a, 0x148, 1},  {0x14b, 0x177, 1},   {0x17a, 0x17e, 1},   {0x3ad, 0x3af, 37}, {0x3b1, 0x3c1, 32},
    {0x3c3, 0x3cb, 32}, {0x430, 0x44f, 32},  {0x450, 0x45f, 80},  {0x461, 0x481, 1},  {0x48b, 0x4bf, 1},
    {0x4d1, 0x52f, 1},  {0x1e01, 0x1e95, 1}, {0x1ea1, 0x1eff, 1},
};

}  // namespace

std::uint32_t next_code_point(std::string_view s, std::size_t& at) {
  auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i])); };
  std::uint32_t first = byte(at);
  int more = first < 0x80                    ? 0
             : first >= 0xc2 && first < 0xe0 ? 1
             : (first & 0xf0) == 0xe0        ? 2
             : first >= 0xf0 && first < 0xf5 ? 3
                                             : -1;
  std::uint32_t c = more <= 0 ? first : first & (0x3fu >> more);
  bool good = more >= 0 && at + static_cast<std::size_t>(more) < s.size();
  for (int i = 1; good && i <= more; ++i) {
    std::uint32_t b = byte(at + static_cast<std::size_t>(i));
    good = (b & 0xc0) == 0x80;
    c = c << 6 | (b & 0x3f);
  }
  constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (!good || c < kLeast[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
    ++at;
    return kRawByte + first;
  }
  at += static_cast<std::size_t>(more) + 1;
  return c;
}

void append_code_point(std::string& s, std::uint32_t c) {
  auto put = [&](std::uint32_t b) { s += static_cast<char>(static_cast<unsigned char>(b)); };
  if (c >= kRawByte) {
    put(c - kRawByte);
  } else if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::uint32_t upper(std::uint32_t c) {
  if (c == 0x3c2) return 0x3a3;  // final sigma
  if (c == 0xff) return 0x178;
  for (const CaseRange& r : kCases) {
    if (c >= r.first && c <= r.last && (r.distance > 1 || (c - r.first) % 2 == 0)) return c - r.distance;
  }
  return c;
}

std::uint32_t lower(std::uint32_t c) {
  if (c == 0x178) return 0xff;
  for (const CaseRange& r : kCases) {
    std::uint32_t l = c + r.distance;
    if (l >= r.first && l <= r.last && (r.distance > 1 || (l - r.first) % 2 == 0)) return l;
  }
  return c;
}

std::string change_case(std::string_view s, bool to_upper) {
  std::string out;
  for (std::size_t at = 0; at < s.size();) {
    std::uint32_t c = next_code_point(s, at);
    append_code_point(out, to_upper ? upper(c) : lower(c));
  }
  return out;
}

}  // namespace mote
