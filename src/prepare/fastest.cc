#include "prepare/fastest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "prepare/layer_cost.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

// Of 8 bits, whose rates the model knows.
bool is_integer_layer(const NodeView& n) {
  return (n.node.op->name == "qlinear_conv" || n.node.op->name == "qlinear_matmul") && bits_of(n.type(0).dtype) == 8;
}

struct Candidate {
  std::size_t node;
  ValueId x, y;
  double gain_us, x_us, y_us;  // in f32; for x and y in steps of their own
};

// The layers of a function that are faster in f32 by themselves.
std::vector<Candidate> candidates_of(const Module& m, const Function& f, const CpuModel& cpu) {
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    const Node& n = f.nodes[i];
    const NodeView view{m, f, n};
    if (!is_integer_layer(view)) continue;
    std::optional<LayerWork> work = work_of(view);
    if (!work) continue;
    const LayerCost cost = cost_of(*work, cpu);
    if (!(cost.f32_us < cost.int8_us)) continue;
    const bool gives_f32 = !view.has(6);
    out.push_back({i, n.inputs[0], n.outputs[0], cost.int8_us - cost.f32_us, convert_us(work->x, cpu),
                   gives_f32 ? 0 : convert_us(work->y, cpu)});
  }
  return out;
}

std::set<std::size_t> chosen_of(const Function& f, const std::vector<Candidate>& candidates) {
  std::map<ValueId, std::vector<std::size_t>> readers;
  for (std::size_t i = 0; i < f.nodes.size(); ++i) {
    for (ValueId v : f.nodes[i].inputs) readers[v].push_back(i);
  }
  std::set<std::size_t> chosen;
  auto is_chosen = [&](std::size_t n) { return chosen.contains(n); };
  // A layer that joins makes its neighbours cheaper, and none dearer: until none is left that gains.
  for (std::size_t before = 1; before != 0;) {
    before = 0;
    for (const Candidate& c : candidates) {
      if (is_chosen(c.node)) continue;
      const NodeId producer = f.values[at(c.x)].producer;
      const bool takes_f32 = producer != kNone && is_chosen(at(producer));
      const std::vector<std::size_t>& after = readers[c.y];
      const bool leaves_f32 = !after.empty() && std::ranges::find(f.outputs, c.y) == f.outputs.end() &&
                              std::ranges::all_of(after, is_chosen);
      if (c.gain_us <= (takes_f32 ? 0 : c.x_us) + (leaves_f32 ? 0 : c.y_us)) continue;
      chosen.insert(c.node);
      ++before;
    }
  }
  return chosen;
}

std::string rounded(double us) { return to_text(us < 10 ? std::round(us * 100) / 100 : std::round(us)); }

}  // namespace

std::string slow_in_integers(const NodeView& n, const CpuFeatures& cpu) {
  const CpuModel* model = is_integer_layer(n) ? model_of(cpu) : nullptr;
  std::optional<LayerWork> work = model ? work_of(n) : std::nullopt;
  if (!work) return {};
  const LayerCost cost = cost_of(*work, *model);
  if (cost.int8_us <= cost.f32_us) return {};
  return concat(", slower in integers than in f32: ", rounded(cost.int8_us), " us and ", rounded(cost.f32_us),
                " us by the model of ", model->name);
}

bool mark_slow_layers(Module& m, const TargetOptions& target) {
  const CpuModel* cpu = model_of(target.cpu);
  if (!cpu) return false;
  bool any = false;
  for (Function& f : m.functions) {
    for (std::size_t n : chosen_of(f, candidates_of(m, f, *cpu))) {
      f.nodes[n].attrs.set("in_f32", std::int64_t{1});
      any = true;
    }
  }
  return any;
}

}  // namespace mote
