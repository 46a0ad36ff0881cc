// A plan for people: its steps and where its values lie.
#include <algorithm>

#include "api/engine.h"
#include "base/checked.h"

namespace mote::api {
namespace {

constexpr std::string_view kNumerics[] = {"exact", "chain", "lanes16", "winograd23", "winograd43", "fast"};
constexpr std::string_view kPlaces[] = {"arena", "constant", "input", "output", "state", "heap", "alias"};
constexpr int kMaxDepth = 16;
constexpr std::size_t kMostSteps = 1 << 16;  // of bodies that a file may name again and again

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

std::string bytes_text(const PlanFunction& f, const PlanValue& v) {
  Dim total(bits_of(v.dtype));
  for (Extent e : v.dims) {
    Result<Dim> d = Dim::parse(to_text(f, e));
    if (!d.ok()) return {};
    total = total * *d;
  }
  return ceildiv(total, Dim(8)).to_string();
}

StepInfo describe_step(const Plan& plan, const PlanFunction& f, const Step& s) {
  StepInfo out;
  out.name = s.name;
  out.op = s.op == kNone ? "" : plan.ops[at(s.op)].name;
  out.kernel = s.kernel == kNone ? out.op : plan.kernels[at(s.kernel)].name;
  out.why = s.why;
  out.numerics = kNumerics[static_cast<int>(s.numerics)];
  out.late = s.late;
  if (s.outputs.empty() || s.outputs[0] == kNone) return out;
  const PlanValue& v = f.values[at(s.outputs[0])];
  out.dtype = v.dtype;
  out.place = kPlaces[static_cast<int>(v.place)];
  if (v.place == Place::kArena) out.place += "+" + to_text(f, v.offset);
  if (v.late) return out;
  for (Extent e : v.dims) out.shape.push_back(to_text(f, e));
  for (std::uint8_t axis : v.perm) out.layout.push_back(std::to_string(axis));
  out.bytes = bytes_text(f, v);
  return out;
}

void describe_steps(const Plan& plan, const PlanFunction& f, const std::string& name, int depth,
                    std::vector<StepInfo>& out) {
  if (depth > kMaxDepth) return;
  for (const Step& s : f.steps) {
    if (depth > 0 && out.size() >= kMostSteps) return;
    out.push_back(describe_step(plan, f, s));
    out.back().function = name;
    out.back().depth = depth;
    for (std::int32_t body : s.bodies) {
      const PlanFunction& b = plan.functions[at(body)];
      describe_steps(plan, b, b.name, depth + 1, out);
    }
  }
}

// Bytes from a value's first element to its last; 0 where the extents are beyond any memory.
std::int64_t span_bytes(const PlanFunction& f, const PlanValue& v, std::span<const std::int64_t> symbols) {
  Checked count = 1, last = 1;
  for (std::size_t i = 0; i < v.dims.size(); ++i) {
    std::int64_t d = evaluate(f, v.dims[i], symbols);
    count *= d;
    if (i < v.strides.size()) last += (Checked(d) - 1) * evaluate(f, v.strides[i], symbols);
  }
  Checked span = v.strides.empty() ? count : last;
  if (!count.ok() || !span.ok() || count.value() <= 0 || span.value() <= 0 || span.value() > kMaxElements) return 0;
  return bytes_of(v.dtype, span.value());
}

void map_memory(const Plan& plan, const PlanFunction& f, PlanInfo& info) {
  std::vector<std::int64_t> symbols;
  for (const std::string& name : f.symbols) {
    std::int64_t value = 1;
    for (const Symbol& s : plan.symbols) {
      if (s.name == name) value = std::max<std::int64_t>(value, s.min);
    }
    symbols.push_back(value);
    info.assumed.emplace_back(name, value);
  }
  info.arena_bytes = evaluate(f, f.arena_bytes, symbols);
  std::vector<std::pair<int, int>> life(f.values.size(), {-1, -1});
  for (std::size_t s = 0; s < f.steps.size(); ++s) {
    for (const auto* list : {&f.steps[s].inputs, &f.steps[s].outputs}) {
      for (std::int32_t v : *list) {
        while (v != kNone && f.values[at(v)].place == Place::kAlias) v = f.values[at(v)].index;
        if (v == kNone) continue;
        if (life[at(v)].first < 0) life[at(v)].first = static_cast<int>(s);
        life[at(v)].second = static_cast<int>(s);
      }
    }
  }
  for (std::size_t v = 0; v < f.values.size(); ++v) {
    const PlanValue& pv = f.values[v];
    const bool result = pv.place == Place::kOutput;
    if ((pv.place != Place::kArena && !result) || pv.late || life[v].first < 0) continue;
    const std::int64_t base = result ? evaluate(f, f.results[at(pv.index)], symbols) : 0;
    info.memory.push_back({pv.name, (Checked(base) + evaluate(f, pv.offset, symbols)).get().value_or(0),
                           span_bytes(f, pv, symbols), life[v].first, life[v].second});
  }
  std::stable_sort(info.memory.begin(), info.memory.end(),
                   [](const MemoryBlock& a, const MemoryBlock& b) { return a.offset < b.offset; });
}

}  // namespace

std::vector<Port> ports(const Plan& plan, const PlanSignature& signature, bool inputs) {
  const PlanFunction& f = plan.functions[static_cast<std::size_t>(signature.function)];
  std::vector<Port> out;
  for (std::int32_t v : inputs ? f.inputs : f.outputs) {
    const PlanValue& pv = f.values[static_cast<std::size_t>(v)];
    Port p;
    p.name = pv.name;
    p.kind = static_cast<Port::Kind>(pv.kind);
    p.dtype = pv.dtype;
    p.known_rank = pv.rank >= 0;
    set_quantization(plan.metadata, p);
    for (Extent e : pv.dims) p.shape.push_back(to_text(f, e));
    std::int32_t position = static_cast<std::int32_t>(out.size());
    p.state = std::any_of(signature.states.begin(), signature.states.end(),
                          [&](const PlanState& s) { return (inputs ? s.input : s.output) == position; });
    out.push_back(std::move(p));
  }
  return out;
}

PlanInfo describe(const LinkedPlan& linked) {
  const Plan& plan = linked.plan;
  PlanInfo info;
  info.target = plan.target;
  info.weight_bytes = plan.weight_bytes();
  info.macs = plan.macs;
  const PlanFunction& f = plan.functions[at(plan.signatures[0].function)];
  info.arena = to_text(f, f.arena_bytes);
  describe_steps(plan, f, "", 0, info.steps);
  map_memory(plan, f, info);
  return info;
}

}  // namespace mote::api
