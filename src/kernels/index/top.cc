// The largest elements of rows: each row at once, or long ones in pieces that are sorted and merged pair by pair.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/compact.h"
#include "kernels/index/index.h"
#include "kernels/scratch.h"
#include "tensor/native.h"

namespace mote::kernels::index {
namespace {

template <class T>
bool below(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
  }
  return a < b;
}

// A number of any type as one of i64, in the same order: what a compact build compares.
template <class T>
std::int64_t key_of(T v) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(), kGreatest = ~kLeast;
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(v)) return kGreatest;
    const auto bits = std::bit_cast<std::int64_t>(static_cast<double>(v));
    return bits >= 0 ? bits : bits == kLeast ? 0 : bits ^ kGreatest;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return static_cast<std::int64_t>(v ^ (std::uint64_t{1} << 63));
  } else {
    return static_cast<std::int64_t>(v);
  }
}

template <class T>
struct Entry {
  T value;
  std::int32_t at;
};

template <class T>
struct Before {
  bool largest;
  [[gnu::always_inline]] bool operator()(const Entry<T>& a, const Entry<T>& b) const {
    const T x = largest ? b.value : a.value, y = largest ? a.value : b.value;
    return below(x, y) || (!below(y, x) && a.at < b.at);
  }
};

// The first k of [e, e + n), in order.
template <class T>
void select(Entry<T>* e, std::int64_t n, std::int64_t k, Before<T> before) {
  // A heap of k where they are few; else select, then sort.
  if (k * 16 < n) {
    std::partial_sort(e, e + k, e + n, before);
  } else {
    if (k < n) std::nth_element(e, e + k, e + n, before);
    std::sort(e, e + k, before);
  }
}

// The first element of a sequence.
std::int64_t first_of(const TopParams& p, std::int64_t sequence) {
  return sequence / p.inner * p.n * p.inner + sequence % p.inner;
}

// Elements [begin, begin + n) of a sequence.
template <class T>
void read(const TopParams& p, std::int64_t sequence, std::int64_t begin, std::int64_t n, Entry<T>* e) {
  const std::int64_t at = first_of(p, sequence) + begin * p.inner;
  if constexpr (kCompact) {
    with_number(p.dtype, [&](auto number) {
      const auto* x = reinterpret_cast<const decltype(number)*>(p.x) + at;
      for (std::int64_t j = 0; j < n; ++j) e[j] = {key_of(x[j * p.inner]), static_cast<std::int32_t>(begin + j)};
    });
  } else {
    const T* x = reinterpret_cast<const T*>(p.x) + at;
    for (std::int64_t j = 0; j < n; ++j) e[j] = {x[j * p.inner], static_cast<std::int32_t>(begin + j)};
  }
}

template <class T>
void write(const TopParams& p, std::int64_t sequence, std::int64_t j, const Entry<T>& e) {
  const std::int64_t to = (sequence / p.inner * p.k + j) * p.inner + sequence % p.inner;
  if (p.values) {
    if constexpr (kCompact) {
      const std::int64_t from = first_of(p, sequence) + e.at * p.inner, bytes = bytes_of(p.dtype, 1);
      std::memcpy(p.values + to * bytes, p.x + from * bytes, static_cast<std::size_t>(bytes));
    } else {
      reinterpret_cast<T*>(p.values)[to] = e.value;
    }
  }
  if (p.indices) p.indices[to] = e.at;
}

template <class T>
void top_sequence(const TopParams& p, std::int64_t sequence, std::byte* scratch) {
  auto* e = reinterpret_cast<Entry<T>*>(scratch);
  read(p, sequence, 0, p.n, e);
  select(e, p.n, p.k, Before<T>{p.largest});
  for (std::int64_t j = 0; j < p.k; ++j) write(p, sequence, j, e[j]);
}

std::int64_t pieces_of(const TopParams& p) { return (p.n + p.piece - 1) / p.piece; }
std::int64_t merges_of(const TopParams& p) {
  std::int64_t merges = 0;
  while (std::int64_t{1} << merges < pieces_of(p)) ++merges;
  return merges;
}
// Of a piece, as many may be among the first k.
std::int64_t room_of(const TopParams& p) { return std::min(p.k, p.piece); }

// A run: the first elements, in order, of so many neighbouring pieces. Runs lie where their first piece does.
template <class T>
struct Run {
  const Entry<T>* e;
  std::int64_t count;
};
template <class T>
Run<T> run_at(const TopParams& p, const Entry<T>* buffer, std::int64_t first, std::int64_t pieces) {
  const std::int64_t elements = std::min(p.n, (first + pieces) * p.piece) - first * p.piece;
  return elements <= 0 ? Run<T>{buffer, 0} : Run<T>{buffer + first * room_of(p), std::min(p.k, elements)};
}

// How many of the first `n` of a merged with b come from a.
template <class T>
std::int64_t share_of(Run<T> a, Run<T> b, std::int64_t n, Before<T> before) {
  std::int64_t low = std::max<std::int64_t>(n - b.count, 0), high = std::min(n, a.count);
  while (low < high) {
    const std::int64_t i = (low + high) / 2;
    if (before(b.e[n - i - 1], a.e[i])) {
      high = i;
    } else {
      low = i + 1;
    }
  }
  return low;
}

// Positions [begin, end) of the buffer after merge `stage`, of runs of 2^stage pieces.
template <class T>
void merge(const TopParams& p, std::int64_t sequence, std::int64_t stage, std::int64_t begin, std::int64_t end,
           const Entry<T>* from, Entry<T>* to) {
  const Before<T> before{p.largest};
  const std::int64_t half = std::int64_t{1} << (stage - 1), room = room_of(p), pitch = 2 * half * room;
  const bool last = stage == merges_of(p);
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t start = at / pitch * pitch, first = start / room;
    const Run<T> a = run_at(p, from, first, half), b = run_at(p, from, first + half, half);
    const std::int64_t stop = std::min({end - start, pitch, p.k, a.count + b.count});
    std::int64_t j = at - start;
    if (j < stop) {
      std::int64_t i = share_of(a, b, j, before), k = j - i;
      for (; j < stop; ++j) {
        const bool take = i < a.count && (k >= b.count || before(a.e[i], b.e[k]));
        const Entry<T>& next = take ? a.e[i++] : b.e[k++];
        last ? write(p, sequence, j, next) : void(to[start + j] = next);
      }
    }
    at = start + pitch;
  }
}

constexpr std::int64_t kEntryBytes = 16;  // at most

}  // namespace

bool can_top(DType t) {
  return with_number(t, [](auto) {});
}

TopWork setup_top(const TopParams& p) {
  if (p.n <= 2 * p.piece) return {p.outer * p.inner, 1, scratch_size(p.n * kEntryBytes), 0};
  const std::int64_t pieces = pieces_of(p);
  return {pieces, p.outer * p.inner * (1 + merges_of(p)), scratch_size(p.piece * kEntryBytes),
          scratch_size(2 * pieces * room_of(p) * kEntryBytes)};
}

namespace {

template <class T>
void top_of(const TopParams& p, TileRange range) {
  if (p.n <= 2 * p.piece) {
    for (std::int64_t s = range.begin; s < range.end; ++s) top_sequence<T>(p, s, range.scratch);
    return;
  }
  const std::int64_t pieces = pieces_of(p), stages = 1 + merges_of(p), room = room_of(p);
  auto* e = reinterpret_cast<Entry<T>*>(range.scratch);
  Entry<T>* buffers[2] = {reinterpret_cast<Entry<T>*>(p.runs), reinterpret_cast<Entry<T>*>(p.runs) + pieces * room};
  for (std::int64_t tile = range.begin; tile < range.end; ++tile) {
    const std::int64_t round = tile / pieces, piece = tile % pieces;
    const std::int64_t sequence = round / stages, stage = round % stages;
    if (stage > 0) {
      merge(p, sequence, stage, piece * room, (piece + 1) * room, buffers[(stage - 1) % 2], buffers[stage % 2]);
      continue;
    }
    const std::int64_t begin = piece * p.piece, n = std::min(p.piece, p.n - begin), k = std::min(p.k, n);
    read(p, sequence, begin, n, e);
    select(e, n, k, Before<T>{p.largest});
    std::copy_n(e, k, buffers[0] + piece * room);
  }
}

}  // namespace

void top(const TopParams& p, TileRange range) noexcept {
  if constexpr (kCompact) {
    top_of<std::int64_t>(p, range);
  } else {
    with_number(p.dtype, [&](auto t) { top_of<decltype(t)>(p, range); });
  }
}

}  // namespace mote::kernels::index
