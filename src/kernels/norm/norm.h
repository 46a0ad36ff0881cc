// norm: operations that look at whole sequences of a tensor and rescale them: softmax, layer/instance/group norm (by
// axes), RMS norm, lp normalization. (Batch norm with known statistics is an elementwise program.)
//
// A sequence runs over the given axes in logical row-major order, whatever the layout; folds over it follow the
// numerics class `lanes16` (reduce/lanes16.h), in two passes for the variance; 1/sqrt is a true square root and a true
// division.
//   softmax      e = exp(x - max); y = e * (1 / sum(e))          log_softmax  y = (x - max) - log(sum(exp(x - max)))
//   layer_norm   y = (x - mean) / sqrt(variance + eps) * scale + shift, mean and 1/sqrt(...) on request
//   rms_norm     y = x / sqrt(mean(x^2) + eps) * scale + shift
//   l1_norm, l2_norm   y = x / max(norm, eps); 0 where that is 0
// f32, f16 and bf16 (computed in f32, rounded once). scale and shift may be absent and have strides over all axes, so
// that they can go with a sequence (instance norm), with the elements in it (layer norm) or with both (group norm).
// Infinite or NaN sequences give NaN as the formulas do. The result may be the input itself.
// Long contiguous sequences of f32 are shared between tiles: there are then kRounds rounds of the same tiles, each done
// before the next begins (round r has the tiles from r * tiles), and what they find is passed on in `partials`.
#pragma once

#include <span>
#include <string_view>

#include "kernels/reduce/reduce.h"

namespace mote::kernels::norm {

using reduce::Axes;
using reduce::Form;
using reduce::kMaxDims;
using reduce::Work;

// The order is part of `.mote` files: append only.
enum class Op : std::uint8_t { softmax, log_softmax, layer_norm, rms_norm, l1_norm, l2_norm };

struct Shape {
  int rank = 0;
  std::int64_t dim[kMaxDims] = {}, in_stride[kMaxDims] = {}, out_stride[kMaxDims] = {};
  std::int64_t scale_stride[kMaxDims] = {};  // of scale and shift alike
  std::int64_t stat_stride[kMaxDims] =
      {};                  // of mean and inverse deviation, where asked for; read for axes that are kept
  std::uint32_t axes = 0;  // bit i: the sequences run over axis i
};

inline constexpr int kRounds = 3;

struct Params {
  // Set before every run.
  const void* in = nullptr;
  void* out = nullptr;
  const void* scale = nullptr;  // or null
  const void* shift = nullptr;  // or null
  float* mean = nullptr;        // or null
  float* inverse = nullptr;     // 1/sqrt(variance + eps), or null
  float* partials = nullptr;    // Work::shared_bytes of memory for all threads together, where asked for
  // By setup.
  Op op = Op::softmax;
  DType dtype = DType::f32, scale_dtype = DType::f32;
  float epsilon = 0;
  Axes kept, reduced;
  std::int64_t kept_scale[kMaxDims] = {}, reduced_scale[kMaxDims] = {}, kept_stat[kMaxDims] = {};
  bool contiguous = false;  // sequences are, in input and result
  std::int64_t sequences = 0, length = 0;
  Form form = Form::kGather;
  std::int64_t step = 1, strips = 0;
  std::int64_t piece = 0, pieces = 0;  // elements and number of pieces of a long sequence; 0: sequences stay whole
};

struct Kernel {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<Params> run;
};

std::span<const Kernel> kernels();
const Kernel& select(const CpuFeatures& cpu);

// dtype: of input and result, f32, f16 or bf16. scale_dtype: the same three.
Work setup(const Kernel& kernel, Op op, DType dtype, DType scale_dtype, float epsilon, const Shape& shape,
           Params* params);

}  // namespace mote::kernels::norm
