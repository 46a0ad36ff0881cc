// From a classifier's output to its best classes.
#pragma once

#include "media/array.h"
#include "media/preprocess.h"

namespace mote::media {

struct Class {
  std::int64_t index = 0;
  float score = 0;  // as the model gives it, dequantized
  float prob = 0;   // the score where the output is a distribution already, else its softmax
};

// Whether the scores are probabilities: none negative or above 1, sum 1 to within 1e-3 and what quantization in steps
// of `step` can do to it.
bool is_distribution(std::span<const float> scores, float step = 0);

// The k best, best first; equal scores by lower index; NaN last.
std::vector<Class> top_k(std::span<const float> scores, std::int64_t k, float step = 0);

// Any numeric array as floats, dequantized where it is quantized.
Result<std::vector<float>> to_floats(const ArrayView& array, Quantization quantization = {}, const Limits& limits = {});

}  // namespace mote::media
