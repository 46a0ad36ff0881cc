#include "kernels/detect/detect.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/view.h"

namespace mote::kernels::detect {
namespace {

// Elements as unsigned words of which the bits of `mask` say whether they are zero.
template <class U>
struct Words {
  const std::byte* x;
  U mask;
  bool operator[](std::int64_t i) const {
    U word;
    std::memcpy(&word, x + i * static_cast<std::int64_t>(sizeof(U)), sizeof(U));
    return (word & mask) != 0;
  }
};

template <class Fn>
auto with_words(DType dtype, const std::byte* x, Fn fn) {
  const int shift = is_float(dtype) ? 1 : 0;  // the sign does not count
  switch (bits_of(dtype)) {
    case 8:
      return fn(Words<std::uint8_t>{x, 0xff});
    case 16:
      return fn(Words<std::uint16_t>{x, static_cast<std::uint16_t>(0xffff >> shift)});
    case 32:
      return fn(Words<std::uint32_t>{x, ~std::uint32_t{0} >> shift});
    default:
      return fn(Words<std::uint64_t>{x, ~std::uint64_t{0} >> shift});
  }
}

constexpr std::int64_t kPiece = 4096;  // elements for one question whether to go on
constexpr std::int64_t kPop = 32;      // the work of taking the best candidate from a heap

// Candidates below `root` are heaps; makes that of `root` one.
template <class After>
void sift_down(Candidate* heap, std::int64_t root, std::int64_t n, const After& after) {
  const Candidate moved = heap[root];
  for (std::int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
    if (child + 1 < n && after(heap[child], heap[child + 1])) ++child;
    if (!after(moved, heap[child])) break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = moved;
}

bool overlaps(const SuppressParams& p, std::int64_t box, const float* kept, std::int64_t count, std::int64_t room) {
  const float x0 = p.decoded[box], y0 = p.decoded[p.n + box], x1 = p.decoded[2 * p.n + box],
              y1 = p.decoded[3 * p.n + box], area = p.decoded[4 * p.n + box];
  for (std::int64_t k = 0; k < count; ++k) {
    const float w = std::min(x1, kept[2 * room + k]) - std::max(x0, kept[k]),
                h = std::min(y1, kept[3 * room + k]) - std::max(y0, kept[room + k]);
    if (!(w > 0 && h > 0)) continue;
    const float other = kept[4 * room + k], common = w * h, all = area + other - common;
    if (area > 0 && other > 0 && all > 0 && common / all > p.overlap) return true;
  }
  return false;
}

}  // namespace

bool can_look(DType dtype) {
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
    case DType::f32:
    case DType::f64:
    case DType::boolean:
      return true;
    default:
      return is_int(dtype) && bits_of(dtype) >= 8;
  }
}

std::int64_t count_non_zero(DType dtype, const std::byte* x, std::int64_t n) noexcept {
  return with_words(dtype, x, [&](auto set) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) count += set[i];
    return count;
  });
}

void find_non_zero(DType dtype, const std::byte* x, std::span<const std::int64_t> dims, std::int64_t count,
                   std::int64_t* y, const GoOn& go_on) noexcept {
  if (count == 0 || dims.empty()) return;
  const std::size_t outer = dims.size() - 1;
  const std::int64_t row = dims[outer];
  std::int64_t n = 1, at[kMaxRank] = {};
  for (std::int64_t d : dims) n *= d;
  with_words(dtype, x, [&](auto set) {
    for (std::int64_t begin = 0, to = 0; begin < n; begin += row) {
      const std::int64_t first = to;
      std::int64_t* last = y + static_cast<std::int64_t>(outer) * count;
      for (std::int64_t i = 0; i < row;) {
        const std::int64_t end = std::min(row, i + kPiece);
        if (!go_on(end - i + 1)) return;
        for (; i < end; ++i) {
          if (set[begin + i]) last[to++] = i;
        }
      }
      for (std::size_t a = 0; a < outer; ++a) {
        std::int64_t* positions = y + static_cast<std::int64_t>(a) * count;
        std::fill(positions + first, positions + to, at[a]);
      }
      for (std::size_t a = outer; a-- > 0 && ++at[a] == dims[a];) at[a] = 0;
    }
  });
}

void decode_boxes(const float* boxes, std::int64_t n, bool centre, float* decoded, const GoOn& go_on) noexcept {
  for (std::int64_t i = 0; i < n; ++i) {
    if (i % kPiece == 0 && !go_on(std::min(kPiece, n - i))) return;
    const float* v = boxes + i * 4;
    float x0, y0, x1, y1;
    if (centre) {
      x0 = v[0] - v[2] / 2, y0 = v[1] - v[3] / 2, x1 = v[0] + v[2] / 2, y1 = v[1] + v[3] / 2;
    } else {
      x0 = std::min(v[1], v[3]), y0 = std::min(v[0], v[2]), x1 = std::max(v[1], v[3]), y1 = std::max(v[0], v[2]);
    }
    decoded[i] = x0;
    decoded[n + i] = y0;
    decoded[2 * n + i] = x1;
    decoded[3 * n + i] = y1;
    decoded[4 * n + i] = (x1 - x0) * (y1 - y0);
  }
}

std::int64_t suppress(const SuppressParams& p, Candidate* candidates, float* kept, std::int32_t* chosen) noexcept {
  const std::int64_t room = std::min(p.n, p.most);
  std::int64_t left = 0, count = 0;
  for (std::int64_t i = 0; i < p.n; ++i) {
    if (i % kPiece == 0 && !p.go_on(std::min(kPiece, p.n - i))) return 0;
    const float score = p.scores[i];
    candidates[left] = {score, static_cast<std::int32_t>(i)};
    left += p.has_least ? score > p.least : !std::isnan(score);
  }
  auto after = [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.box > b.box;
  };
  // A heap gives the best first: where few are wanted, most candidates are never put in order.
  for (std::int64_t i = left / 2; i-- > 0;) {
    if (i % kPiece == 0 && !p.go_on(kPiece)) return 0;
    sift_down(candidates, i, left, after);
  }
  while (left > 0 && count < room && p.go_on(count + kPop)) {
    std::pop_heap(candidates, candidates + left, after);
    const std::int64_t box = candidates[--left].box;
    if (overlaps(p, box, kept, count, room)) continue;
    for (int k = 0; k < 5; ++k) kept[k * room + count] = p.decoded[k * p.n + box];
    chosen[count++] = static_cast<std::int32_t>(box);
  }
  return count;
}

}  // namespace mote::kernels::detect
