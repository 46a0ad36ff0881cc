// Running a module over samples.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ir/module.h"
#include "mote/quantize.h"
#include "runtime/context.h"

namespace mote::quant {

// From a module to what runs it on this CPU.
using Link = std::function<Result<std::shared_ptr<const LinkedPlan>>(Module)>;

// A module ready to run. `observed` are values of its main function that are given out behind its own outputs.
class Runner {
 public:
  static Result<Runner> create(Module module, const Link& link, int threads, std::span<const ValueId> observed = {});
  Status run(const Sample& sample);
  int outputs() const { return outputs_; }  // of the model itself
  const TensorView& output(int i) const { return context_->output(i); }
  const TensorView& observed(std::size_t i) const { return context_->output(outputs_ + static_cast<int>(i)); }
  Context& context() { return *context_; }

 private:
  std::unique_ptr<Context> context_;
  int outputs_ = 0;
};

// Calls each(const float* first, count, stride in elements, position of the row) for the rows of a view of f32, in
// logical order: position counts elements of the dense row-major tensor.
template <class Each>
void for_rows(const TensorView& v, Each&& each) {
  if (v.count() == 0) return;
  std::int64_t row = v.rank == 0 ? 1 : v.dims[v.rank - 1], stride = v.rank == 0 ? 1 : v.strides[v.rank - 1];
  std::int64_t index[kMaxRank] = {}, position = 0;
  const float* data = v.as<float>();
  for (;;) {
    std::int64_t at = 0;
    for (int i = 0; i + 1 < v.rank; ++i) at += index[i] * v.strides[i];
    each(data + at, row, stride, position);
    position += row;
    int i = v.rank - 2;
    for (; i >= 0 && ++index[i] == v.dims[i]; --i) index[i] = 0;
    if (i < 0) return;
  }
}

// How near the outputs of two runs are, and how often each is right.
struct Agreement {
  std::int64_t samples = 0, labelled = 0, right_a = 0, right_b = 0;
  double sum_error = 0, worst_error = 0;  // cosine distance of all f32 outputs of a sample

  double error() const { return samples > 0 ? sum_error / static_cast<double>(samples) : 0; }
  double accuracy_a() const { return labelled > 0 ? static_cast<double>(right_a) / static_cast<double>(labelled) : 0; }
  double accuracy_b() const { return labelled > 0 ? static_cast<double>(right_b) / static_cast<double>(labelled) : 0; }
};

// Runs both over at most `most` samples (0: all), a the model as it was.
Result<Agreement> agreement(Runner& a, Runner& b, SampleSource& samples, std::int64_t most,
                            const std::function<void(std::int64_t)>& progress = {});

}  // namespace mote::quant
