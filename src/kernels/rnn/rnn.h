// rnn: the recurrence of LSTM and GRU cells with sigmoid and tanh, in f32. The products of the inputs with their
// weights are done before, for all steps at once, by dot; here every step multiplies the hidden state by packed
// recurrent weights and applies the cell.
//
//   LSTM (gates i, o, f, c)  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')
//   GRU  (gates z, r, h)  n = tanh(x_h + r (R_h h + b)), or with reset_first tanh(x_h + R_h (r h));
//                         h' = (1 - z) n + z h
//
// Layouts as ONNX's: y [steps, directions, batch, hidden], states [directions, batch, hidden]. A tile is some steps of
// one direction of some rows of the batch. Steps depend on each other: tile r * Work::tiles + t is round r of rows t,
// and goes on from what round r - 1 left in `states`. Class `chain`: no bit depends on how rows and steps are cut.
#pragma once

#include "kernels/dot/dot.h"

namespace mote::kernels::rnn {

// A round has about the work of so many usual tiles: the weights of a direction fill much of L2, and every round of
// another direction or batch brings them anew.
inline constexpr std::int64_t kRoundTiles = 8;

struct Params {
  // Set by the caller.
  bool lstm = true;
  bool reset_first = false;  // GRU: the reset acts before the product of its hidden gate, not behind it
  std::int64_t steps = 0, batch = 0, hidden = 0, directions = 1;
  bool reverse[2] = {};
  const float* x = nullptr;                            // [steps, batch, directions, gates * hidden]: W x + bias
  const std::byte* weights = nullptr;                  // R packed by dot, per direction the parts of recurrent_parts
  dot::Store store = dot::Store::kF32;                 // of the weights: f32, f16 or bf16
  const float* reset_bias = nullptr;                   // GRU: [directions, hidden], the bias inside of the reset
  const float *h0 = nullptr, *c0 = nullptr;            // or null for zeros
  float *y = nullptr, *y_h = nullptr, *y_c = nullptr;  // each may be null
  const dot::Kernel* dot = nullptr;
  int threads = 1;          // that the rows of the batch are shared between
  float* states = nullptr;  // shared memory of the size that setup gives
  // By setup.
  std::int64_t row_step = 1, row_tiles = 0;  // rows of a tile, and tiles of a direction
  std::int64_t steps_per_round = 1;
  std::size_t gates_bytes = 0, state_bytes = 0;

  std::int64_t gates() const { return lstm ? 4 : 3; }
};

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<Params> run;
};

// The matrices that R of one direction is packed as, one behind the other: their columns.
struct Part {
  std::int64_t first, columns;
};
struct Parts {
  Part part[2];
  int count;
};
Parts recurrent_parts(bool lstm, bool reset_first, std::int64_t hidden);
std::int64_t packed_bytes(dot::Store store, const Parts& parts, std::int64_t hidden);

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);

struct Work {
  std::int64_t tiles, rounds;
  std::size_t scratch_bytes;  // per thread
  std::size_t shared_bytes;
};
Work setup(Params* params);

}  // namespace mote::kernels::rnn
