// The recurrence, for the ISA of the including file.
#include "kernels/rnn/rnn.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace mote::kernels::rnn::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// One row: x and h are its gates from the input and from the hidden state.
MOTE_INLINE void lstm_row(const float* x, const float* r, float* c, float* h, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    F32 i = sigmoid(load_n(x + j, k) + load_n(r + j, k));
    F32 o = sigmoid(load_n(x + n + j, k) + load_n(r + n + j, k));
    F32 f = sigmoid(load_n(x + 2 * n + j, k) + load_n(r + 2 * n + j, k));
    F32 g = tanh(load_n(x + 3 * n + j, k) + load_n(r + 3 * n + j, k));
    F32 next = fma(f, load_n(c + j, k), i * g);
    store_n(c + j, next, k);
    store_n(h + j, o * tanh(next), k);
  }
}

MOTE_INLINE void gru_row(const float* x, const float* r, const float* bias, float* h, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    F32 z = sigmoid(load_n(x + j, k) + load_n(r + j, k));
    F32 reset = sigmoid(load_n(x + n + j, k) + load_n(r + n + j, k));
    F32 inner = load_n(r + 2 * n + j, k) + (bias ? load_n(bias + j, k) : zero());
    F32 g = tanh(fma(reset, inner, load_n(x + 2 * n + j, k)));
    // (1 - z) g + z h
    store_n(h + j, fma(z, load_n(h + j, k) - g, g), k);
  }
}

// The two halves of a row whose reset comes first: what the hidden gate's product takes, and the cell.
MOTE_INLINE void reset_row(const float* x, const float* r, const float* h, float* out, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    store_n(out + j, sigmoid(load_n(x + n + j, k) + load_n(r + n + j, k)) * load_n(h + j, k), k);
  }
}

MOTE_INLINE void update_row(const float* x, const float* r, const float* inner, float* h, std::int64_t n) {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    F32 z = sigmoid(load_n(x + j, k) + load_n(r + j, k));
    F32 g = tanh(load_n(x + 2 * n + j, k) + load_n(inner + j, k));
    store_n(h + j, fma(z, load_n(h + j, k) - g, g), k);
  }
}

MOTE_INLINE void copy_floats(float* to, const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = from ? from[i] : 0.0f;
}

// Rows of gates are too short for the CPU to see them coming.
MOTE_INLINE void prefetch_floats(const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += 64 / 4) prefetch(from + i);
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept {
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
        for (std::int64_t r = 0; r < rows; ++r) reset_row(x(r), product + r * 2 * n, h + r * n, reset + r * n, n);
        p.dot->run(second_product, {0, second_tiles, inner});
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        if (r + 1 < rows) prefetch_floats(x(r + 1), gates);
        if (p.lstm) {
          lstm_row(x(r), product + r * gates, c + r * n, h + r * n, n);
        } else if (p.reset_first) {
          update_row(x(r), product + r * 2 * n, inner_gate + r * n, h + r * n, n);
        } else {
          gru_row(x(r), product + r * gates, p.reset_bias ? p.reset_bias + d * n : nullptr, h + r * n, n);
        }
      }
      if (p.y) copy_floats(p.y + ((step * p.directions + d) * p.batch + first) * n, h, rows * n);
    }
    if (end < p.steps) continue;
    if (p.y_h) copy_floats(p.y_h + state, h, rows * n);
    if (p.y_c) copy_floats(p.y_c + state, c, rows * n);
  }
}

}  // namespace mote::kernels::rnn::MOTE_SIMD_NS
