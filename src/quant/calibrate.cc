#include "quant/calibrate.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace mote::quant {

int input_axis(const Layer& l, const Type& x) { return l.kind == Layer::Kind::kConv ? 1 : x.rank() - 1; }

namespace {

// Sums and largest magnitudes along one axis of an activation.
struct ByChannel {
  int axis = 0;
  std::vector<double> sums;
  std::vector<float> most;
  std::int64_t count = 0;  // elements of each channel

  void add(const TensorView& v) {
    if (v.rank <= axis || v.dtype != DType::f32) return;
    std::size_t extent = static_cast<std::size_t>(v.dims[axis]);
    if (sums.empty()) {
      sums.assign(extent, 0);
      most.assign(extent, 0);
    }
    if (sums.size() != extent || extent == 0) return;
    bool inner = axis == v.rank - 1;
    std::int64_t per = 1;
    for (int i = axis + 1; i < v.rank; ++i) per *= v.dims[i];
    for_rows(v, [&](const float* x, std::int64_t n, std::int64_t stride, std::int64_t position) {
      std::size_t channel = static_cast<std::size_t>(position / per) % extent;
      for (std::int64_t i = 0; i < n; ++i) {
        std::size_t c = inner ? static_cast<std::size_t>(i) : channel;
        sums[c] += static_cast<double>(x[i * stride]);
        most[c] = std::max(most[c], std::abs(x[i * stride]));
      }
    });
    count += v.count() / static_cast<std::int64_t>(extent);
  }
};

}  // namespace

Result<Statistics> calibrate(const Module& m, SampleSource& samples, const QuantizeOptions& options, const Link& link,
                             std::span<const Layer> by_channel) {
  const Function& f = main_function(m);
  Statistics statistics;
  std::map<ValueId, ByChannel> channels;
  for (const Layer& l : by_channel) {
    if (l.can() && f.values[at(l.x)].type.has_rank()) channels[l.x].axis = input_axis(l, f.values[at(l.x)].type);
  }
  std::set<ValueId> wanted;
  for (ValueId v : Regions::candidates(m)) wanted.insert(v);
  for (const auto& [v, c] : channels) wanted.insert(v);
  std::vector<ValueId> observed;
  for (ValueId v : wanted) {
    if (f.values[at(v)].producer != kNone) observed.push_back(v);
  }
  MOTE_ASSIGN(Runner runner, Runner::create(m, link, options.threads, observed));
  MOTE_TRY(samples.rewind());
  auto see = [&](ValueId v, const TensorView& view) {
    statistics.histograms[v].add(view);
    if (auto it = channels.find(v); it != channels.end()) it->second.add(view);
  };
  for (;;) {
    MOTE_ASSIGN(const Sample* sample, samples.next());
    if (!sample) break;
    MOTE_TRY(runner.run(*sample));
    for (std::size_t i = 0; i < observed.size(); ++i) see(observed[i], runner.observed(i));
    for (ValueId v : f.inputs) {
      if (!wanted.contains(v)) continue;
      for (const auto& [name, view] : sample->inputs) {
        if (name == f.values[at(v)].name) see(v, view);
      }
    }
    ++statistics.samples;
    if (options.progress) options.progress("calibrating", statistics.samples, 0);
  }
  if (statistics.samples == 0) return invalid("there are no samples to calibrate with");
  for (auto& [v, c] : channels) {
    for (double& s : c.sums) s /= static_cast<double>(std::max<std::int64_t>(c.count, 1));
    statistics.means[v] = std::move(c.sums);
    statistics.magnitudes[v] = std::move(c.most);
  }
  return statistics;
}

}  // namespace mote::quant
