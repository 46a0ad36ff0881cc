#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>

namespace mote::kernels::attention {
namespace {

// scores[rows, keys] = scale * q k^T
dot::Work setup_scores(const Params& p, std::int64_t rows, dot::Params* d) {
  d->epilogue = Epilogue();
  d->epilogue.count = 1;
  d->epilogue.ops[0] = binary_immediate(BinaryOp::mul, p.scale);
  dot::Shape s;
  s.m = rows;
  s.n = p.keys;
  s.k = p.head_size;
  s.a_row = p.q.row;
  s.c_row = p.keys;
  s.b_packed = false;
  s.b_k_stride = 1;
  s.b_n_stride = p.k.row;
  return dot::setup(*p.dot, s, d);
}

// y[rows, value_size] = scores v
dot::Work setup_values(const Params& p, std::int64_t rows, dot::Params* d) {
  d->epilogue = Epilogue();
  dot::Shape s;
  s.m = rows;
  s.n = p.value_size;
  s.k = p.keys;
  s.a_row = p.keys;
  s.c_row = p.y.row;
  s.b_packed = false;
  s.b_k_stride = p.v.row;
  s.b_n_stride = 1;
  return dot::setup(*p.dot, s, d);
}

norm::Work setup_softmax(const Params& p, std::int64_t rows, norm::Params* n) {
  norm::Shape s;
  s.rank = 2;
  s.dim[0] = rows;
  s.dim[1] = p.keys;
  s.in_stride[0] = s.out_stride[0] = p.keys;
  s.in_stride[1] = s.out_stride[1] = 1;
  s.axes = 2;
  return norm::setup(*p.norm, norm::Op::softmax, DType::f32, DType::f32, 0, s, n);
}

// Adds the mask and closes the future; true where a row attends nothing.
bool mask_row(const Params& p, std::int64_t b, std::int64_t h, std::int64_t query, float* scores) {
  if (p.mask) {
    const float* m = p.mask + b * p.mask_batch + h * p.mask_head + query * p.mask_row;
    for (std::int64_t j = 0; j < p.keys; ++j) scores[j] += m[j * p.mask_col];
  }
  if (p.causal) {
    for (std::int64_t j = query + 1; j < p.keys; ++j) scores[j] = -INFINITY;
  }
  return std::all_of(scores, scores + p.keys, [](float s) { return s == -INFINITY; });
}

}  // namespace

Work setup(Params* p) {
  std::int64_t rows = std::min(kRows, p->queries);
  p->row_tiles = (p->queries + kRows - 1) / kRows;
  p->scores_bytes = static_cast<std::size_t>((rows * p->keys * 4 + 63) / 64 * 64);
  dot::Params d;
  norm::Params n;
  std::size_t inner = std::max({setup_scores(*p, rows, &d).scratch_bytes, setup_values(*p, rows, &d).scratch_bytes,
                                setup_softmax(*p, rows, &n).scratch_bytes});
  // The last tile of a head may have fewer rows, and then other needs.
  if (std::int64_t rest = p->queries % kRows; rest != 0) {
    inner = std::max({inner, setup_scores(*p, rest, &d).scratch_bytes, setup_values(*p, rest, &d).scratch_bytes,
                      setup_softmax(*p, rest, &n).scratch_bytes});
  }
  return {p->batches * p->heads * p->row_tiles, p->scores_bytes + inner};
}

void run(const Params& p, TileRange range) noexcept {
  float* scores = reinterpret_cast<float*>(range.scratch);
  std::byte* inner = range.scratch + p.scores_bytes;
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    std::int64_t first = t % p.row_tiles * kRows, h = t / p.row_tiles % p.heads, b = t / p.row_tiles / p.heads;
    std::int64_t rows = std::min(kRows, p.queries - first), kv = h / (p.heads / p.kv_heads);
    dot::Params d;
    d.a = p.q.data + b * p.q.batch + h * p.q.head + first * p.q.row;
    d.b = p.k.data + b * p.k.batch + kv * p.k.head;
    d.c = scores;
    dot::Work work = setup_scores(p, rows, &d);
    p.dot->run(d, {0, work.tiles, inner});
    std::uint64_t closed = 0;  // bit r: row r attends nothing
    if (p.mask || p.causal) {
      for (std::int64_t r = 0; r < rows; ++r) {
        if (mask_row(p, b, h, first + r, scores + r * p.keys)) closed |= std::uint64_t{1} << r;
      }
    }
    norm::Params n;
    norm::Work soft = setup_softmax(p, rows, &n);
    n.in = n.out = scores;
    p.norm->run(n, {0, soft.tiles, inner});
    for (std::int64_t r = 0; closed != 0; ++r, closed >>= 1) {
      if (closed & 1) std::fill(scores + r * p.keys, scores + (r + 1) * p.keys, 0.0f);
    }
    d = dot::Params();
    d.a = scores;
    d.b = p.v.data + b * p.v.batch + kv * p.v.head;
    d.c = const_cast<float*>(p.y.data) + b * p.y.batch + h * p.y.head + first * p.y.row;
    work = setup_values(p, rows, &d);
    p.dot->run(d, {0, work.tiles, inner});
  }
}

}  // namespace mote::kernels::attention
