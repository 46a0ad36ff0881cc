// Quantizing a model: from f32 to integers, weights in fewer bits, or fewer channels.
//
// The model is any that Mote reads; the result is ONNX (QuantizeLinear and DequantizeLinear around what is computed in
// integers, which ONNX Runtime runs too) or `.mote`. Calibration takes samples one after another, in memory that does
// not depend on how many there are.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mote/convert.h"
#include "mote/model.h"

namespace mote {

// Inputs of one run of the model. The views must live until the next sample is asked for.
struct Sample {
  std::vector<std::pair<std::string, TensorView>> inputs;  // input name -> dense tensor
  std::vector<std::int64_t> labels;                        // right classes, one per row of output 0; may be empty
};

// Samples in order, as often as they are asked for.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  // From the first sample again.
  virtual Status rewind() = 0;
  // The next sample, null behind the last.
  virtual Result<const Sample*> next() = 0;
};

enum class QuantizeScheme : std::uint8_t {
  kStatic,       // activations and weights in 8 bits, ranges from calibration
  kDynamic,      // weights of matrix products in 8 bits, activations quantized in the run
  kWeightOnly8,  // weights kept in 8 bits, computed in f32
  kWeightOnly4,  // weights of matrix products kept in 4 bits in blocks, computed in f32
  kF16,          // weights kept in f16, computed in f32
};

// How the range of an activation follows from its values.
enum class Calibration : std::uint8_t {
  kMinMax,      // all of them
  kPercentile,  // but for the outermost
  kEntropy,     // least Kullback-Leibler divergence between the values and their quantized form
  kMse,         // least mean square error
};

// What a CPU takes for a layer: the larger of its multiply-adds by a rate and its bytes by a bandwidth (weights, and of
// activations what exceeds 1 MB, which caches hold), and a time per element that is quantized, requantized or
// dequantized, and per step.
struct CpuModel {
  std::string name;
  double ghz = 1;
  double f32_macs_per_cycle = 8, int8_macs_per_cycle = 16;                     // convolutions and products
  double f32_depthwise_macs_per_cycle = 4, int8_depthwise_macs_per_cycle = 4;  // group = channels
  double gbytes_per_s = 4;                                                     // from memory
  double requantize_cycles = 0.5, convert_cycles = 0.5;                        // per element
  double step_us = 1;                                                          // per step, whatever it does
};

// Those that the library knows.
std::span<const CpuModel> cpu_models();

struct QuantizeOptions {
  LoadOptions load;
  QuantizeScheme scheme = QuantizeScheme::kStatic;
  DType activations = DType::u8;  // u8, i8 or i16
  bool symmetric = false;         // activations: zero point in the middle
  bool per_channel = true;        // weights: a scale for every output channel
  int weight_bits = 8;            // 7: for engines whose 8-bit products saturate
  std::int64_t block = 32;        // kWeightOnly4: weights that share a scale
  Calibration calibration = Calibration::kMinMax;
  double percentile = 99.99;
  std::vector<std::string> include, exclude;  // names of nodes or ops; include: only these
  bool bias_correction = false;               // the mean error that rounded weights make goes into the bias
  bool equalize = false;                      // channels of consecutive layers get alike ranges
  double smooth = 0;                          // SmoothQuant's alpha; 0: off
  bool gptq = false;                          // kWeightOnly4: errors of rounding are made up for by later weights
  std::optional<double> max_drop;             // of the share of right answers: 0.005 is half a point
  std::optional<double> max_error;            // cosine distance of the outputs
  bool measure = false;                       // layers stay in f32 where this CPU is not faster in int8
  std::optional<CpuModel> target;             // the same by a model of another CPU
  bool sensitivity = false;                   // what each layer does alone is wanted in the report
  int threads = 0;
  // Hears what is being done; total 0: not known.
  std::function<void(std::string_view stage, std::int64_t done, std::int64_t total)> progress;
};

// What became of a layer: a node with weights.
struct LayerReport {
  std::string name, op;
  bool quantized = false;
  std::string why;                                 // it was left in f32
  std::int64_t bytes_before = 0, bytes_after = 0;  // of its weights and bias
  std::int64_t macs = 0;                           // of one sample
  std::optional<double> error;                     // cosine distance of the outputs when it alone is quantized
  std::optional<double> drop;                      // of accuracy, likewise
  std::optional<double> us_before, us_after;       // measured, or by the model of the target
};

struct QuantizeReport {
  std::string scheme;
  std::vector<LayerReport> layers;
  std::int64_t samples = 0;
  std::int64_t bytes_before = 0, bytes_after = 0;  // of all constants
  std::optional<double> error;                     // cosine distance of the outputs, mean over the samples
  std::optional<double> worst_error;               // of any sample
  std::int64_t labelled = 0;                       // samples with a label
  std::optional<double> accuracy_before, accuracy_after;
  std::optional<double> ms_before, ms_after;  // of a run of the whole model on this CPU
  bool met = true;                            // the bound that was asked for holds
  std::string verdict;                        // what does not, and how near it came
};

// Reads `from`, quantizes it and writes `to`, whole or not at all. kStatic, the bounds and everything that tightens
// ranges need `samples`. Where a bound cannot be met nothing is written and `met` is false. Fails on models that are
// quantized already, on names in the options that nothing has, and on what the format cannot express.
Result<QuantizeReport> quantize(const std::string& from, const std::string& to, FileFormat format,
                                SampleSource* samples, const QuantizeOptions& options);

struct PruneOptions {
  LoadOptions load;
  double ratio = 0.3;                         // of the channels that can go
  std::vector<std::string> include, exclude;  // names of nodes or ops whose channels may go, or stay
  std::optional<double> max_drop, max_error;  // as for quantize: the most channels go that keep within
  int threads = 0;
  std::function<void(std::string_view stage, std::int64_t done, std::int64_t total)> progress;
};

struct PruneReport {
  struct Layer {
    std::string name;
    std::int64_t channels_before = 0, channels_after = 0;
  };
  std::vector<Layer> layers;
  double ratio = 0;  // that was taken
  std::int64_t bytes_before = 0, bytes_after = 0, macs_before = 0, macs_after = 0;
  std::int64_t samples = 0, labelled = 0;
  std::optional<double> error, accuracy_before, accuracy_after;
  bool met = true;
  std::string verdict;
};

// Removes channels from `from` and writes the smaller model to `to`, whole or not at all. The bounds need `samples`;
// where they are given without, they lessen the error. Where a bound cannot be met nothing is written.
Result<PruneReport> prune(const std::string& from, const std::string& to, FileFormat format, SampleSource* samples,
                          const PruneOptions& options);

}  // namespace mote
