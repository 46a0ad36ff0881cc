// The cells, for the ISA of the including file.
#include "kernels/rnn/cells.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace mote::kernels::rnn::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

// One row: x and h are its gates from the input and from the hidden state.
void lstm_row(const float* x, const float* r, float* c, float* h, std::int64_t n) noexcept {
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

void gru_row(const float* x, const float* r, const float* bias, float* h, std::int64_t n) noexcept {
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
void reset_row(const float* x, const float* r, const float* h, float* out, std::int64_t n) noexcept {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    store_n(out + j, sigmoid(load_n(x + n + j, k) + load_n(r + n + j, k)) * load_n(h + j, k), k);
  }
}

void update_row(const float* x, const float* r, const float* inner, float* h, std::int64_t n) noexcept {
  for (std::int64_t j = 0; j < n; j += kLanes) {
    int k = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    F32 z = sigmoid(load_n(x + j, k) + load_n(r + j, k));
    F32 g = tanh(load_n(x + 2 * n + j, k) + load_n(inner + j, k));
    store_n(h + j, fma(z, load_n(h + j, k) - g, g), k);
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-definitions-in-headers): one namespace per including file
void run(const Params& p, TileRange range) noexcept {
  run_with(p, range, {&lstm_row, &gru_row, &reset_row, &update_row});
}

}  // namespace mote::kernels::rnn::MOTE_SIMD_NS
