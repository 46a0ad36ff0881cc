#include "quant/cost.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "base/buffer.h"
#include "ir/infer.h"
#include "ops/ops.h"

namespace mote::quant {
namespace {

double now_us() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Normal floats, or bytes of any value, for every input.
Status fill_inputs(Context& c, std::vector<std::vector<std::byte>>& storage) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  storage.resize(static_cast<std::size_t>(c.input_count()));
  for (int i = 0; i < c.input_count(); ++i) {
    const PlanValue& v = c.input_info(i);
    std::vector<std::int64_t> dims(v.dims.begin(), v.dims.end());
    std::int64_t count = 1;
    for (std::int64_t d : dims) count *= std::max<std::int64_t>(d, 0);
    std::vector<std::byte>& bytes = storage[static_cast<std::size_t>(i)];
    bytes.resize(static_cast<std::size_t>(bytes_of(v.dtype, count)));
    for (std::int64_t k = 0; k < count; ++k) {
      if (v.dtype == DType::f32) {
        reinterpret_cast<float*>(bytes.data())[k] = normal(random);
      } else {
        bytes[static_cast<std::size_t>(k)] = static_cast<std::byte>(random());
      }
    }
    MOTE_TRY(c.set_input(i, TensorView::of(bytes.data(), v.dtype, dims)));
  }
  return {};
}

// Runs once; gives how long that took, in microseconds.
using TimedRun = std::function<Result<double>()>;

TimedRun timed(std::function<Status()> run) {
  return [run = std::move(run)]() -> Result<double> {
    double from = now_us();
    MOTE_TRY(run());
    return now_us() - from;
  };
}

// Without the copies from and to the layout of the inputs and outputs: inside of a network its neighbours have the
// layer's own.
TimedRun timed_steps(Context& c) {
  return [&c]() -> Result<double> {
    std::vector<StepTime> times;
    c.set_profile(&times);
    Status ran = c.run();
    c.set_profile(nullptr);
    MOTE_TRY(std::move(ran));
    const Plan& plan = c.linked().plan;
    std::int64_t ns = 0;
    for (const StepTime& t : times) {
      if (t.step->kernel == kNone || plan.kernels[at(t.step->kernel)].name != "copy") ns += t.duration_ns;
    }
    return static_cast<double>(ns) / 1000;
  };
}

// The shortest of several runs of both, in turns.
Result<std::pair<double, double>> in_turns(const TimedRun& a, const TimedRun& b, double budget_us) {
  double best[2] = {HUGE_VAL, HUGE_VAL};
  double start = now_us();
  for (int round = 0; round < 3 || (now_us() - start < budget_us && round < 200); ++round) {
    for (int side = 0; side < 2; ++side) {
      const TimedRun& run = side == 0 ? a : b;
      MOTE_TRY(run().status());  // caches as the layer itself leaves them
      MOTE_ASSIGN(double us, run());
      best[side] = std::min(best[side], us);
    }
  }
  return std::pair(best[0], best[1]);
}

}  // namespace

Result<Module> with_shapes_of(const Module& m, SampleSource& samples) {
  MOTE_TRY(samples.rewind());
  MOTE_ASSIGN(const Sample* sample, samples.next());
  if (!sample) return invalid("there are no samples");
  Module fixed = m;
  Function& f = main_function(fixed);
  for (const auto& [name, view] : sample->inputs) {
    for (ValueId v : f.inputs) {
      if (f.values[at(v)].name == name) f.values[at(v)].type.shape = Shape(view.dims, view.dims + view.rank);
    }
  }
  MOTE_TRY(Inference(fixed).run());
  return fixed;
}

Result<Module> layer_alone(const Module& m, const Layer& l, bool integers, const QuantizeOptions& options) {
  const Function& from = main_function(m);
  Module out;
  out.name = "layer";
  out.functions.emplace_back();
  out.functions[0].name = "main";
  out.signatures.push_back({"main", 0, {}});
  Function& f = out.functions[0];
  ValueId x = f.add_input("x", from.values[at(l.x)].type);
  auto copy = [&](const Node& n, ValueId first) {
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < n.inputs.size(); ++i) {
      ConstantId c = constant_of(from, n.inputs[i]);
      if (i == 0) {
        inputs.push_back(first);
      } else if (c == kNone) {
        inputs.push_back(kNone);
      } else {
        ConstantId mine = out.add_constant(m.constants[at(c)]);
        inputs.push_back(out.functions[0].constant_value(mine, out.constants.back()));
      }
    }
    out.functions[0].add_node(*n.op, n.name, inputs, n.attrs, 1);
    return out.functions[0].nodes.back().outputs[0];
  };
  ValueId y = copy(from.nodes[at(l.node)], x);
  ValueId last = from.nodes[at(l.node)].outputs[0];
  NodeId reader = kNone;
  int readers = 0;
  for (NodeId i = 0; i < static_cast<NodeId>(from.nodes.size()); ++i) {
    for (ValueId v : from.nodes[at(i)].inputs) {
      if (v != last) continue;
      reader = i;
      ++readers;
    }
  }
  if (readers == 1 && (from.nodes[at(reader)].op->name == "relu" || from.nodes[at(reader)].op->name == "clip"))
    y = copy(from.nodes[at(reader)], y);
  out.functions[0].outputs = {y};
  out.functions[0].reindex();
  MOTE_TRY(Inference(out).run());
  if (!integers) return out;

  QuantizeOptions as;
  as.activations = options.activations;
  as.symmetric = options.symmetric;
  MOTE_ASSIGN(std::vector<Layer> layers, find_layers(out, as));
  if (layers.size() != 1 || !layers[0].can()) return internal_error("a layer alone is none");
  Statistics statistics;
  const float bounds[] = {-1, 1};
  for (ValueId v : {x, y}) statistics.histograms[v].add(bounds, 2, 1);
  MOTE_TRY(make_static(out, {&layers[0]}, statistics, as));
  // Integers come in and go out.
  Function& g = out.functions[0];
  std::erase_if(g.nodes, [&](const Node& n) {
    if (n.op->name == "quantize_linear" && n.inputs[0] == g.inputs[0]) {
      g.inputs[0] = n.outputs[0];
      return true;
    }
    if (n.op->name == "dequantize_linear" && n.outputs[0] == g.outputs[0]) {
      g.outputs[0] = n.inputs[0];
      return true;
    }
    return false;
  });
  g.reindex();
  MOTE_TRY(Inference(out).run());
  return out;
}

Result<LayerCost> measure(const Module& m, const Layer& l, const QuantizeOptions& options, const Link& link) {
  MOTE_ASSIGN(Module f32, layer_alone(m, l, false, options));
  MOTE_ASSIGN(Module int8, layer_alone(m, l, true, options));
  MOTE_ASSIGN(Runner a, Runner::create(std::move(f32), link, options.threads));
  MOTE_ASSIGN(Runner b, Runner::create(std::move(int8), link, options.threads));
  std::vector<std::vector<std::byte>> ax, bx;
  MOTE_TRY(fill_inputs(a.context(), ax));
  MOTE_TRY(fill_inputs(b.context(), bx));
  MOTE_ASSIGN(auto times, in_turns(timed_steps(a.context()), timed_steps(b.context()), 20000));
  return LayerCost{times.first, times.second};
}

LayerCost estimate(const Module& m, const Layer& l, const CpuModel& cpu) {
  const Function& f = main_function(m);
  std::optional<LayerWork> work = work_of({m, f, f.nodes[at(l.node)]});
  if (!work) work.emplace().macs = work->f32_macs = static_cast<double>(l.macs);  // a sum of parts that a run decides
  return cost_of(*work, cpu);
}

double estimate_around(const Module& m, const Layer& l, const CpuModel& cpu) {
  const Function& f = main_function(m);
  std::optional<LayerWork> work = work_of({m, f, f.nodes[at(l.node)]});
  return work ? convert_us(work->x, cpu) + convert_us(work->y, cpu) : 0;
}

Result<std::pair<double, double>> measure_models(Module a, Module b, SampleSource& samples, const Link& link,
                                                 int threads) {
  MOTE_TRY(samples.rewind());
  MOTE_ASSIGN(const Sample* sample, samples.next());
  if (!sample) return invalid("there are no samples");
  MOTE_ASSIGN(Runner ra, Runner::create(std::move(a), link, threads));
  MOTE_ASSIGN(Runner rb, Runner::create(std::move(b), link, threads));
  MOTE_ASSIGN(auto times,
              in_turns(timed([&] { return ra.run(*sample); }), timed([&] { return rb.run(*sample); }), 300000));
  return std::pair(times.first / 1000, times.second / 1000);
}

}  // namespace mote::quant
