#include "kernels/rnn/rnn.h"

#include <algorithm>

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
#define MOTE_RNN_KERNEL(ns, isa) {"rnn_" #isa, Isa::isa, Numerics::kChain, MOTE_IF_##ns(&ns::run)},
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

std::int64_t packed_bytes(dot::Store store, const Parts& parts, std::int64_t hidden) {
  std::int64_t total = 0;
  for (int i = 0; i < parts.count; ++i) total += dot::packed_bytes(store, hidden, parts.part[i].columns);
  return total;
}

dot::Work setup_product(const Params& p, std::int64_t rows, std::int64_t columns, dot::Params* d) {
  dot::Shape s;
  s.m = rows;
  s.n = columns;
  s.k = p.hidden;
  s.store = p.store;
  return dot::setup(*p.dot, s, d);
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

}  // namespace mote::kernels::rnn
