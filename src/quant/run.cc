#include "quant/run.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace mote::quant {

Result<Runner> Runner::create(Module module, const Link& link, int threads, std::span<const ValueId> observed) {
  Runner r;
  Function& f = module.functions[static_cast<std::size_t>(module.signatures[0].function)];
  r.outputs_ = static_cast<int>(f.outputs.size());
  f.outputs.insert(f.outputs.end(), observed.begin(), observed.end());
  MOTE_ASSIGN(std::shared_ptr<const LinkedPlan> linked, link(std::move(module)));
  ContextOptions options;
  options.threads = threads;
  MOTE_ASSIGN(r.context_, Context::create(std::move(linked), options));
  return r;
}

Status Runner::run(const Sample& sample) {
  for (const auto& [name, view] : sample.inputs) {
    int i = context_->find_input(name);
    if (i == kNone) return invalid("the model has no input named " + quoted(name));
    MOTE_TRY(context_->set_input(i, view));
  }
  return context_->run();
}

namespace {

struct Products {
  double ab = 0, aa = 0, bb = 0;
};

void multiply(const TensorView& a, const TensorView& b, Products& p) {
  std::vector<float> dense;
  dense.reserve(static_cast<std::size_t>(a.count()));
  for_rows(a, [&](const float* x, std::int64_t n, std::int64_t stride, std::int64_t) {
    for (std::int64_t i = 0; i < n; ++i) dense.push_back(x[i * stride]);
  });
  for_rows(b, [&](const float* y, std::int64_t n, std::int64_t stride, std::int64_t position) {
    for (std::int64_t i = 0; i < n; ++i) {
      double u = static_cast<double>(dense[static_cast<std::size_t>(position + i)]),
             v = static_cast<double>(y[i * stride]);
      p.ab += u * v;
      p.aa += u * u;
      p.bb += v * v;
    }
  });
}

// The class with the largest score of every row of an output.
std::vector<std::int64_t> classes(const TensorView& v, std::size_t rows) {
  std::vector<float> dense;
  for_rows(v, [&](const float* x, std::int64_t n, std::int64_t stride, std::int64_t) {
    for (std::int64_t i = 0; i < n; ++i) dense.push_back(x[i * stride]);
  });
  std::vector<std::int64_t> out;
  std::size_t per = rows > 0 ? dense.size() / rows : 0;
  for (std::size_t r = 0; r < rows && per > 0; ++r) {
    auto first = dense.begin() + static_cast<std::ptrdiff_t>(r * per);
    out.push_back(std::max_element(first, first + static_cast<std::ptrdiff_t>(per)) - first);
  }
  return out;
}

}  // namespace

Result<Agreement> agreement(Runner& a, Runner& b, SampleSource& samples, std::int64_t most,
                            const std::function<void(std::int64_t)>& progress) {
  Agreement result;
  MOTE_TRY(samples.rewind());
  while (most == 0 || result.samples < most) {
    MOTE_ASSIGN(const Sample* sample, samples.next());
    if (!sample) break;
    MOTE_TRY(a.run(*sample));
    MOTE_TRY(b.run(*sample));
    Products p;
    bool same = true;
    for (int i = 0; i < a.outputs(); ++i) {
      const TensorView &x = a.output(i), &y = b.output(i);
      if (x.dtype != DType::f32 || !x.data) continue;
      // Detections and the like: as many as the values say.
      same = same && y.dtype == x.dtype && std::ranges::equal(x.shape(), y.shape());
      if (same) multiply(x, y, p);
    }
    double length = std::sqrt(p.aa * p.bb);
    double error = !same ? 1 : length > 0 ? std::max(0.0, 1 - p.ab / length) : p.aa == p.bb ? 0 : 1;
    result.sum_error += error;
    result.worst_error = std::max(result.worst_error, error);
    if (!sample->labels.empty() && a.outputs() > 0 && a.output(0).dtype == DType::f32) {
      std::vector<std::int64_t> ca = classes(a.output(0), sample->labels.size());
      std::vector<std::int64_t> cb = classes(b.output(0), sample->labels.size());
      for (std::size_t i = 0; i < ca.size() && i < cb.size(); ++i) {
        ++result.labelled;
        result.right_a += ca[i] == sample->labels[i];
        result.right_b += cb[i] == sample->labels[i];
      }
    }
    ++result.samples;
    if (progress) progress(result.samples);
  }
  return result;
}

}  // namespace mote::quant
