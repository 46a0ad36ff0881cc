// A 64-bit hash of bytes against damage, not against attackers: eight bytes at a time, multiply and fold (after
// wyhash's mixing step). Part of `.mote` files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mote {

inline std::uint64_t hash64(std::span<const std::byte> bytes) {
  auto mix = [](std::uint64_t a, std::uint64_t b) {
    std::uint64_t lo = a * b, ah = a >> 32, al = a & 0xffffffffu, bh = b >> 32, bl = b & 0xffffffffu;
    std::uint64_t mid = ah * bl + ((al * bl) >> 32);
    std::uint64_t hi = ah * bh + (mid >> 32) + (((mid & 0xffffffffu) + al * bh) >> 32);
    return lo ^ hi;
  };
  constexpr std::uint64_t kA = 0xa0761d6478bd642fu, kB = 0xe7037ed1a0b428dbu;
  std::uint64_t h = kA ^ bytes.size();
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    h = mix(h ^ word, kB);
  }
  std::uint64_t tail = 0;
  if (i < bytes.size()) std::memcpy(&tail, bytes.data() + i, bytes.size() - i);
  return mix(h ^ tail, kA ^ (bytes.size() - i));
}

}  // namespace mote
