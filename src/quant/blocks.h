// Weights of 4 bits in blocks along the depth of a product, each with a scale and a zero point.
#pragma once

#include "quant/run.h"
#include "quant/schemes.h"
#include "quant/weights.h"

namespace mote::quant {

// Sums of x_i x_j over all rows of a layer's inputs, [depth, depth], by the layer's input.
using Moments = std::map<ValueId, std::vector<double>>;

// A pass over the samples for every 256 MB of sums.
Result<Moments> moments(const Module& m, const Chosen& chosen, SampleSource& samples, const QuantizeOptions& options,
                        const Link& link);

struct Blocks {
  std::vector<std::uint8_t> levels;  // [columns, depth], 0 to 15
  std::vector<float> scales;         // [columns, blocks]
  std::vector<std::uint8_t> zeros;   // likewise
};

// Weights [depth, columns], each to the nearest level of its block.
Blocks round_blocks(const Floats& w, std::int64_t block);

// The same, where what a weight loses is made up for by those behind it in its column, after Frantar et al., "GPTQ"
// (2022): with the sums of products H of the inputs, rounding w_k moves w_j by -e U_kj, U the upper Cholesky factor of
// the inverse of H. H gets 1 % of its mean diagonal added to the diagonal.
Blocks round_blocks_jointly(const Floats& w, std::int64_t block, std::span<const double> h);

Status make_weight_only_4(Module& m, const Chosen& chosen, const Moments& moments, const QuantizeOptions& options);

}  // namespace mote::quant
