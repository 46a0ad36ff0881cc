#include "kernels/rnn/rnn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/testing.h"

namespace mote::kernels::rnn {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Cell {
  Params p;
  testing::Data x, r, packed, h0, c0, bias;

  Cell(bool lstm, bool reset_first, std::int64_t steps, std::int64_t batch, std::int64_t hidden,
       std::int64_t directions)
      : x(steps * batch * directions * (lstm ? 4 : 3) * hidden, 1),
        r(directions * (lstm ? 4 : 3) * hidden * hidden, 2),
        packed(directions * packed_bytes(dot::Store::kF32, recurrent_parts(lstm, reset_first, hidden), hidden) / 4),
        h0(directions * batch * hidden, 3),
        c0(directions * batch * hidden, 4),
        bias(directions * hidden, 5) {
    p.lstm = lstm;
    p.reset_first = reset_first;
    p.steps = steps;
    p.batch = batch;
    p.hidden = hidden;
    p.directions = directions;
    p.reverse[1] = true;
    p.x = x.get();
    p.weights = reinterpret_cast<const std::byte*>(packed.get());
    p.h0 = h0.get();
    p.c0 = lstm ? c0.get() : nullptr;
    p.reset_bias = lstm || reset_first ? nullptr : bias.get();
    std::int64_t gates = p.gates() * hidden;
    float* to = packed.get();
    const Parts parts = recurrent_parts(lstm, reset_first, hidden);
    for (std::int64_t d = 0; d < directions; ++d) {
      for (int i = 0; i < parts.count; ++i) {
        const Part& part = parts.part[i];
        dot::pack({r.get() + (d * gates + part.first) * hidden, DType::f32, 1, hidden}, hidden, part.columns, to,
                  hidden * dot::kPanel);
        to += dot::packed_bytes(dot::Store::kF32, hidden, part.columns) / 4;
      }
    }
  }

  // y of one direction and row of the batch, step by step.
  std::vector<double> naive(std::int64_t d, std::int64_t b) const {
    std::int64_t n = p.hidden, gates = p.gates() * n;
    std::vector<double> h, c, out(static_cast<std::size_t>(p.steps * n));
    for (std::int64_t j = 0; j < n; ++j) {
      h.push_back(static_cast<double>(h0[(d * p.batch + b) * n + j]));
      c.push_back(static_cast<double>(c0[(d * p.batch + b) * n + j]));
    }
    for (std::int64_t s = 0; s < p.steps; ++s) {
      std::int64_t step = p.reverse[d] ? p.steps - 1 - s : s;
      auto in = [&](std::int64_t g) {
        return static_cast<double>(x[((step * p.batch + b) * p.directions + d) * gates + g]);
      };
      auto product = [&](const std::vector<double>& v, std::int64_t g) {
        double sum = 0;
        for (std::int64_t k = 0; k < n; ++k)
          sum += v[static_cast<std::size_t>(k)] * static_cast<double>(r[(d * gates + g) * n + k]);
        return sum;
      };
      auto rec = [&](std::int64_t g) { return product(h, g); };
      std::vector<double> scaled(h);
      for (std::int64_t j = 0; j < n && p.reset_first; ++j)
        scaled[static_cast<std::size_t>(j)] *= sigmoid(in(n + j) + rec(n + j));
      std::vector<double> next(h);
      for (std::int64_t j = 0; j < n; ++j) {
        std::size_t at = static_cast<std::size_t>(j);
        if (p.lstm) {
          double i = sigmoid(in(j) + rec(j)), o = sigmoid(in(n + j) + rec(n + j)),
                 f = sigmoid(in(2 * n + j) + rec(2 * n + j)), g = std::tanh(in(3 * n + j) + rec(3 * n + j));
          c[at] = f * c[at] + i * g;
          next[at] = o * std::tanh(c[at]);
        } else {
          double z = sigmoid(in(j) + rec(j)), reset = sigmoid(in(n + j) + rec(n + j)),
                 past = p.reset_first ? product(scaled, 2 * n + j)
                                      : reset * (rec(2 * n + j) + static_cast<double>(bias[d * n + j])),
                 g = std::tanh(in(2 * n + j) + past);
          next[at] = (1 - z) * g + z * h[at];
        }
      }
      h = next;
      for (std::int64_t j = 0; j < n; ++j) out[static_cast<std::size_t>(step * n + j)] = h[static_cast<std::size_t>(j)];
    }
    return out;
  }

  testing::Data run(const Row& row, std::int64_t steps_per_round) {
    testing::Data y(p.steps * p.directions * p.batch * p.hidden);
    p.y = y.get();
    Work w = setup(&p);
    if (steps_per_round > 0) {
      p.steps_per_round = steps_per_round;
      w.rounds = (p.steps + steps_per_round - 1) / steps_per_round;
    }
    testing::Scratch shared(w.shared_bytes);
    p.states = reinterpret_cast<float*>(shared.get());
    for (std::int64_t r = 0; r < w.rounds; ++r) {
      for (std::int64_t t = w.tiles; t-- > 0;) {
        testing::Scratch scratch(w.scratch_bytes);
        row.run(p, {r * w.tiles + t, r * w.tiles + t + 1, scratch.get()});
      }
    }
    return y;
  }
};

TEST(Rnn, EveryRowEqualsTheNaiveCellHoweverTheStepsAreCut) {
  for (auto [lstm, reset_first] : {std::pair{true, false}, {false, false}, {false, true}}) {
    for (std::int64_t batch : {1, 3, 11, 37}) {
      Cell cell(lstm, reset_first, 9, batch, 21, 2);
      for (const Row& row : kernels()) {
        if (!row.run || !active_cpu().has(row.isa)) continue;
        cell.p.dot = &dot::select(capped(active_cpu(), row.isa));
        testing::Data whole = cell.run(row, 9);
        for (std::int64_t steps : {0, 1, 4}) EXPECT_TRUE(cell.run(row, steps).same_bits(whole)) << row.name;
        for (int threads : {4, 9}) {
          cell.p.threads = threads;
          EXPECT_TRUE(cell.run(row, 4).same_bits(whole)) << row.name << " of " << threads << " threads";
        }
        cell.p.threads = 1;
        for (std::int64_t d = 0; d < 2; ++d) {
          for (std::int64_t b = 0; b < batch; ++b) {
            std::vector<double> want = cell.naive(d, b);
            for (std::int64_t i = 0; i < 9 * 21; ++i) {
              float got = whole[((i / 21 * 2 + d) * batch + b) * 21 + i % 21];
              ASSERT_NEAR(static_cast<double>(got), want[static_cast<std::size_t>(i)], 1e-5)
                  << row.name << " batch " << batch << " direction " << d << " element " << i;
            }
          }
        }
      }
    }
  }
}

TEST(Rnn, BoundsTheWorkBetweenTwoPolls) {
  Params p;
  p.dot = &dot::select(active_cpu());
  p.steps = 100000;
  p.batch = 1;
  p.hidden = 128;
  Work w = setup(&p);
  EXPECT_GE(w.rounds * p.steps_per_round, p.steps);
  // One step at least, however slow the CPU is taken for.
  EXPECT_TRUE(p.steps_per_round == 1 || p.steps_per_round * 4 * 128 * 128 <= kRoundTiles * p.dot->tile_macs);
  p.hidden = 4096;
  p.steps = 10;
  w = setup(&p);
  EXPECT_EQ(w.rounds, 10);
}

TEST(Rnn, SharesABatchBetweenThreadsAndManyRowsOfLargeWeights) {
  Params p;
  p.dot = &dot::select(active_cpu());
  p.steps = 2;
  p.batch = 64;
  p.hidden = 128;
  setup(&p);
  const std::int64_t small = p.row_step;
  p.hidden = 512;
  EXPECT_EQ(setup(&p).tiles, p.row_tiles);
  EXPECT_GT(p.row_step, small);
  p.batch = 12;
  EXPECT_EQ(setup(&p).tiles, 1);
  p.threads = 3;
  EXPECT_EQ(setup(&p).tiles, 3);
  p.directions = 2;
  EXPECT_EQ(setup(&p).tiles, 4);
  p.batch = 3;
  EXPECT_EQ(setup(&p).tiles, 2);
}

}  // namespace
}  // namespace mote::kernels::rnn
