// Internal to rnn: what an ISA's file does with a row of n hidden values. `x` holds its gates from the input, `r` those
// from the hidden state.
#pragma once

#include "kernels/rnn/rnn.h"

namespace mote::kernels::rnn {

struct Cells {
  void (*lstm)(const float* x, const float* r, float* c, float* h, std::int64_t n) noexcept;
  void (*gru)(const float* x, const float* r, const float* bias, float* h, std::int64_t n) noexcept;
  // Of a GRU whose reset comes first: what the hidden gate's product takes, and the cell.
  void (*reset)(const float* x, const float* r, const float* h, float* out, std::int64_t n) noexcept;
  void (*update)(const float* x, const float* r, const float* inner, float* h, std::int64_t n) noexcept;
};

void run_with(const Params& p, TileRange range, const Cells& cells) noexcept;

}  // namespace mote::kernels::rnn
