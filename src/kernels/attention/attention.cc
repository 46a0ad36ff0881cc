#include "kernels/attention/attention.h"

#include <algorithm>

#include "base/checked.h"
#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::attention {

#define MOTE_ATTENTION_KERNEL(ns, isa) \
  namespace ns {                       \
  void fold(const Block&) noexcept;    \
  void finish(const Block&) noexcept;  \
  }
#include "kernels/attention/kernels.inc"
#undef MOTE_ATTENTION_KERNEL

namespace {

constexpr Kernel kKernels[] = {
#define MOTE_ATTENTION_KERNEL(ns, isa) \
  {"attention_f32_" #isa, Isa::isa, MOTE_IF_##ns(&MOTE_SHARED(ns)::fold), MOTE_IF_##ns(&MOTE_SHARED(ns)::finish)},
#include "kernels/attention/kernels.inc"
#undef MOTE_ATTENTION_KERNEL
};

std::int64_t floats(std::int64_t n) { return (n + 15) / 16 * 16; }

// Whether tiles share packed keys and values instead of packing each their own.
bool shares(const Params& p) { return p.row_tiles * (p.heads / p.kv_heads) > 1; }

// A block of packed keys and values, and the scratch of a thread, in floats.
struct Layout {
  std::int64_t k, v, block, scores, most, sum, end;
  explicit Layout(const Params& p) {
    k = 0;
    v = k + dot::packed_size(p.head_size, kKeys);
    block = v + dot::packed_size(kKeys, p.value_size);
    scores = shares(p) ? 0 : block;
    most = scores + p.rows * kKeys;
    sum = most + floats(p.row_step);
    end = sum + floats(p.row_step);
  }
};

std::int64_t key_blocks(const Params& p) { return ceil_div(p.keys, kKeys); }

// Keys [key, key + keys) and their values of one kv head, to `to`.
void pack_block(const Params& p, const Layout& at, std::int64_t batch, std::int64_t kv, std::int64_t key, float* to) {
  const std::int64_t keys = std::min(kKeys, p.keys - key);
  const float* k = p.k.data + batch * p.k.batch + kv * p.k.head + key * p.k.row;
  const float* v = p.v.data + batch * p.v.batch + kv * p.v.head + key * p.v.row;
  dot::pack_with(p.dot->transpose, {k, DType::f32, 1, p.k.row}, p.head_size, keys, to + at.k,
                 p.head_size * dot::kPanel);
  dot::pack_with(p.dot->transpose, {v, DType::f32, p.v.row, 1}, keys, p.value_size, to + at.v, keys * dot::kPanel);
}

// scores[rows, keys] = q k^T of a block of keys.
dot::Work setup_scores(const Params& p, std::int64_t rows, std::int64_t keys, dot::Params* d) {
  dot::Shape s;
  s.m = rows;
  s.n = keys;
  s.k = p.head_size;
  s.a_row = p.q.row;
  s.c_row = kKeys;
  return dot::setup(*p.dot, s, d);
}

// y[rows, value_size] += scores v
dot::Work setup_values(const Params& p, std::int64_t rows, std::int64_t keys, bool first, dot::Params* d) {
  dot::Shape s;
  s.m = rows;
  s.n = p.value_size;
  s.k = keys;
  s.a_row = kKeys;
  s.c_row = p.y_row;
  s.accumulate = !first;
  return dot::setup(*p.dot, s, d);
}

struct Tile {
  const Params& p;
  const Layout& at;
  float* scratch;
  std::int64_t batch, head, first, rows;  // queries [first, first + rows)
  float* y;

  Block block(std::int64_t row) const {
    Block b{};
    b.scores = scratch + at.scores;
    b.rows = std::min(p.rows, rows - row);
    b.most = scratch + at.most + row;
    b.sum = scratch + at.sum + row;
    b.y = y + row * p.y_row;
    b.y_row = p.y_row;
    b.value_size = p.value_size;
    return b;
  }

  // The packed block of keys from `key` on.
  const float* packed(std::int64_t key) const {
    const std::int64_t kv = head / (p.heads / p.kv_heads);
    if (shares(p)) return p.packed + ((batch * p.kv_heads + kv) * key_blocks(p) + key / kKeys) * at.block;
    pack_block(p, at, batch, kv, key, scratch);
    return scratch;
  }

  void attend(const float* keys_and_values, std::int64_t key, std::int64_t keys, std::int64_t row) const {
    Block b = block(row);
    dot::Params d;
    dot::Work work = setup_scores(p, b.rows, keys, &d);
    d.a = p.q.data + batch * p.q.batch + head * p.q.head + (first + row) * p.q.row;
    d.b = keys_and_values + at.k;
    d.c = b.scores;
    p.dot->run(d, {0, work.tiles, nullptr});
    b.keys = keys;
    b.scale = p.scale;
    b.causal = p.causal;
    b.open = first + row + 1 - key;
    b.first = key == 0;
    if (p.mask) {
      b.mask = p.mask + batch * p.mask_batch + head * p.mask_head + (first + row) * p.mask_row + key * p.mask_col;
      b.mask_row = p.mask_row;
      b.mask_col = p.mask_col;
    }
    p.kernel->fold(b);
    work = setup_values(p, b.rows, keys, b.first, &d);
    d.a = b.scores;
    d.b = keys_and_values + at.v;
    d.c = b.y;
    p.dot->run(d, {0, work.tiles, nullptr});
  }

  void run() const {
    if (p.keys == 0) std::fill_n(scratch + at.sum, rows, 0.0f);
    for (std::int64_t key = 0; key < p.keys; key += kKeys) {
      if (p.causal && key >= first + rows && key > 0) break;
      std::int64_t keys = std::min(kKeys, p.keys - key);
      const float* b = packed(key);
      for (std::int64_t row = 0; row < rows; row += p.rows) attend(b, key, keys, row);
    }
    for (std::int64_t row = 0; row < rows; row += p.rows) p.kernel->finish(block(row));
  }
};

}  // namespace

std::span<const Kernel> kernels() { return kKernels; }

const Kernel& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

// A tile is bounded by about 400 microseconds of work, and there should be enough tiles for several threads.
Work setup(Params* p) {
  std::int64_t macs = std::max<std::int64_t>(p->keys * (p->head_size + p->value_size), 1);
  std::int64_t most = 20 * p->dot->tile_macs / macs, share = p->batches * p->heads * p->queries / 8;
  p->rows = std::max<std::int64_t>(kRows / p->dot->max_rows, 1) * p->dot->max_rows;
  std::int64_t step = std::clamp<std::int64_t>(std::min(most, share), p->rows, 512);
  std::int64_t tiles = std::max<std::int64_t>(ceil_div(p->queries, step), 1);
  p->row_step = std::max<std::int64_t>(ceil_div(p->queries, tiles), 1);
  if (tiles > 1) p->row_step = ceil_div(p->row_step, p->dot->max_rows) * p->dot->max_rows;
  p->row_tiles = ceil_div(p->queries, p->row_step);
  const Layout layout(*p);
  const std::int64_t blocks = shares(*p) ? p->batches * p->kv_heads * key_blocks(*p) : 0;
  return {blocks, p->batches * p->heads * p->row_tiles, scratch_size(layout.end * 4),
          scratch_size(blocks * layout.block * 4)};
}

void pack(const Params& p, TileRange range) noexcept {
  const Layout layout(p);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t key = t % key_blocks(p) * kKeys, head = t / key_blocks(p);
    pack_block(p, layout, head / p.kv_heads, head % p.kv_heads, key, p.packed + t * layout.block);
  }
}

void run(const Params& p, TileRange range) noexcept {
  const Layout layout(p);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    std::int64_t first = t % p.row_tiles * p.row_step, h = t / p.row_tiles % p.heads, b = t / p.row_tiles / p.heads;
    float* y = p.y + b * p.y_batch + h * p.y_head + first * p.y_row;
    Tile{p, layout, reinterpret_cast<float*>(range.scratch), b, h, first, std::min(p.row_step, p.queries - first), y}
        .run();
  }
}

}  // namespace mote::kernels::attention
