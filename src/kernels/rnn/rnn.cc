#include "kernels/rnn/rnn.h"

#include <algorithm>

#include "kernels/rnn/cells.h"
#include "kernels/scratch.h"
#include "kernels/table.h"

namespace mote::kernels::rnn {

#define MOTE_RNN_KERNEL(ns, isa)               \
  namespace ns {                               \
  void run(const Params&, TileRange) noexcept; \
  }
#include "kernels/rnn/kernels.inc"
#undef MOTE_RNN_KERNEL

namespace {

constexpr std::int64_t kL2Bytes = std::int64_t{1} << 19;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Rows that share one pass over the weights: more of them where every step brings the weights from beyond L2, fewer
// where the batch has to do for all threads.
std::int64_t rows_of_tile(const Params& p, std::int64_t gates) {
  constexpr std::int64_t kLeast = 4, kMost = 16, kMostStreamed = 32;
  const std::int64_t most = gates * p.hidden * 4 > kL2Bytes ? kMostStreamed : kMost;
  const std::int64_t wanted = std::min<std::int64_t>(ceil_div(p.threads, p.directions), p.batch / kLeast);
  const std::int64_t tiles = std::max({ceil_div(p.batch, most), wanted, std::int64_t{1}});
  return std::max<std::int64_t>(1, ceil_div(p.batch, tiles));
}

constexpr Row kRowTable[] = {
#define MOTE_RNN_KERNEL(ns, isa) {"rnn_" #isa, Isa::isa, Numerics::kChain, MOTE_IF_##ns(&MOTE_SHARED(ns)::run)},
#include "kernels/rnn/kernels.inc"
#undef MOTE_RNN_KERNEL
};

}  // namespace

std::span<const Row> kernels() { return kRowTable; }

const Row& select(const CpuFeatures& cpu) { return select_row(kernels(), cpu); }

Parts recurrent_parts(bool lstm, bool reset_first, std::int64_t hidden) {
  if (lstm) return {{{0, 4 * hidden}, {}}, 1};
  if (!reset_first) return {{{0, 3 * hidden}, {}}, 1};
  return {{{0, 2 * hidden}, {2 * hidden, hidden}}, 2};
}

namespace {

// The product of `rows` states with `columns` of the recurrent weights: fills what does not change from step to step.
dot::Work setup_product(const Params& p, std::int64_t rows, std::int64_t columns, dot::Params* d) {
  dot::Shape s;
  s.m = rows;
  s.n = columns;
  s.k = p.hidden;
  s.store = p.store;
  return dot::setup(*p.dot, s, d);
}

void copy_floats(float* to, const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = from ? from[i] : 0.0f;
}

// Rows of gates are too short for the CPU to see them coming.
void prefetch_floats([[maybe_unused]] const float* from, [[maybe_unused]] std::int64_t n) {
#if defined(__GNUC__)
  for (std::int64_t i = 0; i < n; i += 64 / 4) __builtin_prefetch(from + i);
#endif
}

}  // namespace

std::int64_t packed_bytes(dot::Store store, const Parts& parts, std::int64_t hidden) {
  std::int64_t total = 0;
  for (int i = 0; i < parts.count; ++i) total += dot::packed_bytes(store, hidden, parts.part[i].columns);
  return total;
}

Work setup(Params* p) {
  const std::int64_t gates = p->gates() * p->hidden;
  p->row_step = rows_of_tile(*p, gates);
  std::int64_t rows = p->row_step;
  auto up = [](std::int64_t floats) { return scratch_size((floats * 4 + 63) / 64 * 64); };
  p->row_tiles = ceil_div(p->batch, rows);
  const Parts parts = recurrent_parts(p->lstm, p->reset_first, p->hidden);
  p->gates_bytes = up(rows * (gates + (p->reset_first ? p->hidden : 0)));
  p->state_bytes = up(rows * p->hidden);
  std::size_t inner = 0;
  for (std::int64_t r : {rows, p->batch % rows}) {
    dot::Params d;
    for (int i = 0; r > 0 && i < parts.count; ++i)
      inner = std::max(inner, setup_product(*p, r, parts.part[i].columns, &d).scratch_bytes);
  }
  std::int64_t tiles = p->directions * p->row_tiles;
  std::int64_t macs = std::max<std::int64_t>(rows * gates * p->hidden, 1);
  p->steps_per_round =
      std::clamp<std::int64_t>(kRoundTiles * p->dot->tile_macs / macs, 1, std::max<std::int64_t>(p->steps, 1));
  std::int64_t rounds = std::max<std::int64_t>(1, ceil_div(p->steps, p->steps_per_round));
  std::int64_t own = static_cast<std::int64_t>(p->gates_bytes) + static_cast<std::int64_t>(inner);
  return {tiles, rounds, scratch_size(own), scratch_size(tiles * 2 * static_cast<std::int64_t>(p->state_bytes))};
}

void run_with(const Params& p, TileRange range, const Cells& cells) noexcept {
  const std::int64_t n = p.hidden, gates = p.gates() * n;
  const Parts parts = recurrent_parts(p.lstm, p.reset_first, n);
  const std::int64_t packed = packed_bytes(p.store, parts, n);
  float* product = reinterpret_cast<float*>(range.scratch);
  std::byte* inner = range.scratch + p.gates_bytes;
  const std::int64_t tiles = p.directions * p.row_tiles, padded = static_cast<std::int64_t>(p.state_bytes) / 4;
  for (std::int64_t tile = range.begin; tile < range.end; ++tile) {
    std::int64_t round = tile / tiles, t = tile % tiles, begin = round * p.steps_per_round,
                 end = begin + p.steps_per_round < p.steps ? begin + p.steps_per_round : p.steps;
    float *h = p.states + 2 * t * padded, *c = h + padded;
    std::int64_t d = t / p.row_tiles, first = t % p.row_tiles * p.row_step,
                 rows = p.batch - first < p.row_step ? p.batch - first : p.row_step;
    std::int64_t state = (d * p.batch + first) * n;
    if (round == 0) {
      copy_floats(h, p.h0 ? p.h0 + state : nullptr, rows * n);
      copy_floats(c, p.c0 ? p.c0 + state : nullptr, rows * n);
    }
    const std::byte* weights = p.weights + d * packed;
    dot::Params first_product, second_product;
    first_product.a = h;
    first_product.b = weights;
    first_product.c = product;
    const dot::Work work = setup_product(p, rows, parts.part[0].columns, &first_product);
    float *reset = product + rows * gates, *inner_gate = product + rows * parts.part[0].columns;
    second_product.a = reset;
    second_product.b = weights + dot::packed_bytes(p.store, n, parts.part[0].columns);
    second_product.c = inner_gate;
    const std::int64_t second_tiles =
        p.reset_first ? setup_product(p, rows, parts.part[1].columns, &second_product).tiles : 0;
    for (std::int64_t s = begin; s < end; ++s) {
      std::int64_t step = p.reverse[d] ? p.steps - 1 - s : s;
      auto x = [&](std::int64_t r) { return p.x + ((step * p.batch + first + r) * p.directions + d) * gates; };
      prefetch_floats(x(0), gates);
      p.dot->run(first_product, {0, work.tiles, inner});
      if (p.reset_first) {
        for (std::int64_t r = 0; r < rows; ++r) cells.reset(x(r), product + r * 2 * n, h + r * n, reset + r * n, n);
        p.dot->run(second_product, {0, second_tiles, inner});
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        if (r + 1 < rows) prefetch_floats(x(r + 1), gates);
        if (p.lstm) {
          cells.lstm(x(r), product + r * gates, c + r * n, h + r * n, n);
        } else if (p.reset_first) {
          cells.update(x(r), product + r * 2 * n, inner_gate + r * n, h + r * n, n);
        } else {
          cells.gru(x(r), product + r * gates, p.reset_bias ? p.reset_bias + d * n : nullptr, h + r * n, n);
        }
      }
      if (p.y) copy_floats(p.y + ((step * p.directions + d) * p.batch + first) * n, h, rows * n);
    }
    if (end < p.steps) continue;
    if (p.y_h) copy_floats(p.y_h + state, h, rows * n);
    if (p.y_c) copy_floats(p.y_c + state, c, rows * n);
  }
}

}  // namespace mote::kernels::rnn
