#include "base/inflate.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mote {
namespace {

constexpr int kLongest = 15;  // bits of a code

Status damaged() { return invalid("the compressed data is damaged"); }

// Bits from the lowest of each byte on. Behind the end they are 0, and `ok` is false.
class Bits {
 public:
  explicit Bits(std::span<const std::byte> from) : from_(from) {}

  std::uint32_t take(int count) {
    std::uint32_t v = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      const std::size_t byte = at_ / 8;
      if (byte >= from_.size()) {
        ok_ = false;
        return 0;
      }
      v |= (std::to_integer<std::uint32_t>(from_[byte]) >> at_ % 8 & 1u) << i;
    }
    return v;
  }
  // The bytes from the next whole one on.
  std::span<const std::byte> take_bytes(std::size_t count) {
    const std::size_t begin = (at_ + 7) / 8;
    if (begin > from_.size() || count > from_.size() - begin) {
      ok_ = false;
      return {};
    }
    at_ = (begin + count) * 8;
    return from_.subspan(begin, count);
  }
  void align() { at_ = (at_ + 7) / 8 * 8; }
  bool ok() const { return ok_; }

 private:
  std::span<const std::byte> from_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// A canonical prefix code: symbols by the length of their codes, and within it in order.
class Code {
 public:
  // False where there are more codes than fit.
  bool set(std::span<const std::uint8_t> lengths) {
    counts_.fill(0);
    for (std::uint8_t n : lengths) ++counts_[n];
    counts_[0] = 0;
    std::int32_t left = 1;
    std::array<std::uint16_t, kLongest + 2> first{};
    for (std::size_t n = 1; n <= kLongest; ++n) {
      left = 2 * left - counts_[n];
      if (left < 0) return false;
      first[n + 1] = static_cast<std::uint16_t>(first[n] + counts_[n]);
    }
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      if (lengths[s] != 0) symbols_[first[lengths[s]]++] = static_cast<std::uint16_t>(s);
    }
    return true;
  }

  // -1 for bits that are no code.
  int next(Bits& bits) const {
    std::uint32_t code = 0, first = 0, before = 0;
    for (std::size_t n = 1; n <= kLongest; ++n) {
      code |= bits.take(1);
      const std::uint32_t count = counts_[n];
      if (code - first < count) return symbols_[before + (code - first)];
      before += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    return -1;
  }

 private:
  std::array<std::uint16_t, kLongest + 1> counts_{};
  std::array<std::uint16_t, 288> symbols_{};
};

struct Codes {
  Code literals, distances;
};

bool fixed_codes(Codes& to) {
  std::array<std::uint8_t, 288> lengths;
  for (std::size_t s = 0; s < lengths.size(); ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
  std::array<std::uint8_t, 30> distances;
  distances.fill(5);
  return to.literals.set(lengths) && to.distances.set(distances);
}

// The lengths of both codes, themselves coded.
bool stated_codes(Bits& bits, Codes& to) {
  constexpr std::uint8_t kOrder[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  const std::size_t literals = bits.take(5) + 257, distances = bits.take(5) + 1, stated = bits.take(4) + 4;
  if (literals > 286 || distances > 30) return false;
  std::array<std::uint8_t, 19> of_lengths{};
  for (std::size_t i = 0; i < stated; ++i) of_lengths[kOrder[i]] = static_cast<std::uint8_t>(bits.take(3));
  Code code;
  if (!code.set(of_lengths)) return false;
  std::array<std::uint8_t, 286 + 30> lengths{};
  for (std::size_t i = 0; i < literals + distances;) {
    const int symbol = code.next(bits);
    if (symbol < 0 || !bits.ok()) return false;
    if (symbol < 16) {
      lengths[i++] = static_cast<std::uint8_t>(symbol);
      continue;
    }
    if (symbol == 16 && i == 0) return false;
    const std::uint8_t again = symbol == 16 ? lengths[i - 1] : std::uint8_t{0};
    const std::size_t times = symbol == 16 ? bits.take(2) + 3 : symbol == 17 ? bits.take(3) + 3 : bits.take(7) + 11;
    if (times > literals + distances - i) return false;
    for (std::size_t k = 0; k < times; ++k) lengths[i++] = again;
  }
  const std::span<const std::uint8_t> all(lengths);
  return lengths[256] != 0 && to.literals.set(all.first(literals)) &&
         to.distances.set(all.subspan(literals, distances));
}

// Lengths 3 to 258 by symbol from 257 on, and distances: the least, and how many more bits follow.
struct Range {
  std::uint32_t least, bits;
};

// Each `group` ranges have a bit more than those before; the first two groups have none.
Range range_of(std::uint32_t index, std::uint32_t group, std::uint32_t start) {
  const std::uint32_t bits = index < 2 * group ? 0 : index / group - 1;
  if (bits == 0) return {start + index, 0};
  return {start + ((group + index % group) << bits), bits};
}

Status copy_coded(Bits& bits, const Codes& codes, std::span<std::byte> out, std::size_t& at) {
  while (bits.ok()) {
    const int symbol = codes.literals.next(bits);
    if (symbol == 256) return {};
    if (symbol < 0) return damaged();
    if (symbol < 256) {
      if (at == out.size()) return damaged();
      out[at++] = static_cast<std::byte>(symbol);
      continue;
    }
    Range length = range_of(static_cast<std::uint32_t>(symbol) - 257, 4, 3);
    if (symbol == 285) length = {258, 0};
    const std::size_t count = length.least + bits.take(static_cast<int>(length.bits));
    const int far = codes.distances.next(bits);
    if (symbol > 285 || far < 0 || far > 29) return damaged();
    const Range distance = range_of(static_cast<std::uint32_t>(far), 2, 1);
    const std::size_t back = distance.least + bits.take(static_cast<int>(distance.bits));
    if (back > at || count > out.size() - at) return damaged();
    for (std::size_t i = 0; i < count; ++i, ++at) out[at] = out[at - back];
  }
  return damaged();
}

}  // namespace

Status inflate(std::span<const std::byte> from, std::span<std::byte> out) {
  Bits bits(from);
  Codes codes;
  std::size_t at = 0;
  for (bool last = false; !last;) {
    last = bits.take(1) != 0;
    const std::uint32_t kind = bits.take(2);
    if (!bits.ok() || kind == 3) return damaged();
    if (kind == 0) {
      bits.align();
      const std::uint32_t length = bits.take(16), inverse = bits.take(16);
      if ((length ^ inverse) != 0xffff) return damaged();
      const std::span<const std::byte> stored = bits.take_bytes(length);
      if (!bits.ok() || length > out.size() - at) return damaged();
      std::copy(stored.begin(), stored.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
      at += length;
      continue;
    }
    if (!(kind == 1 ? fixed_codes(codes) : stated_codes(bits, codes))) return damaged();
    MOTE_TRY(copy_coded(bits, codes, out, at));
  }
  return bits.ok() && at == out.size() ? Status() : damaged();
}

}  // namespace mote
