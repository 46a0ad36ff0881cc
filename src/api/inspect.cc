#include "mote/inspect.h"

#include <algorithm>
#include <map>

#include "api/engine.h"
#include "ops/macs.h"
#include "plan/file.h"
#include "prepare/fold.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

template <class T>
ModelInfo::Counts<T> by_count(const std::map<std::string, T>& counts) {
  ModelInfo::Counts<T> list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

Port port_of(const Module& m, const Value& v) {
  Port p;
  p.name = v.name;
  p.kind = static_cast<Port::Kind>(v.type.kind);
  const Type* t = &v.type;
  while (!t->is_tensor() && t->of) t = t->of.get();
  p.dtype = t->dtype;
  p.known_rank = t->has_rank();
  if (t->has_rank()) {
    for (const Dim& d : *t->shape) p.shape.push_back(d.to_string());
  }
  api::set_quantization(m.metadata, p);
  return p;
}

ModelInfo::Signature describe(const Module& m, const Signature& s) {
  ModelInfo::Signature out;
  out.name = s.name;
  const Function& f = m.functions[at(s.function)];
  for (ValueId v : f.inputs) out.inputs.push_back(port_of(m, f.values[at(v)]));
  for (ValueId v : f.outputs) out.outputs.push_back(port_of(m, f.values[at(v)]));
  for (const State& st : s.states) {
    Port &in = out.inputs[at(st.input)], &to = out.outputs[at(st.output)];
    in.state = to.state = true;
    out.states.push_back({in.name, to.name});
  }
  return out;
}

void count(const Module& m, ModelInfo& info) {
  std::map<std::string, std::int64_t> ops, dtypes;
  std::vector<bool> used(m.constants.size(), false);
  for (const Function& f : m.functions) {
    for (const Node& n : f.nodes) {
      if (!n.op) continue;
      ++ops[std::string(n.op->name)];
      ++info.nodes;
    }
    for (const Value& v : f.values) {
      if (v.type.is_tensor() && v.type.dtype != DType::none) ++dtypes[std::string(name_of(v.type.dtype))];
      if (v.constant != kNone) used[at(v.constant)] = true;
    }
  }
  for (std::size_t i = 0; i < m.constants.size(); ++i) {
    const Constant& c = m.constants[i];
    // Shapes and indices are no parameters.
    if (!used[i] || c.type.dtype == DType::i64 || c.type.dtype == DType::string || !c.type.is_static() ||
        c.type.rank() == 0)
      continue;
    info.parameters += volume(*c.type.shape).value();
    info.parameter_bytes += static_cast<std::int64_t>(c.size);
  }
  info.ops = by_count(ops);
  info.dtypes = by_count(dtypes);
}

// The symbols that inputs have, with the module's ranges.
std::vector<ModelInfo::Symbol> symbols_of(const Module& m, const Function& f) {
  std::vector<std::string> names;
  for (ValueId v : f.inputs) {
    const Type& t = f.values[at(v)].type;
    if (!t.has_rank()) continue;
    for (const Dim& d : *t.shape) d.collect_symbols(names);
  }
  std::vector<ModelInfo::Symbol> out;
  for (const std::string& n : names) {
    const Symbol* s = m.find_symbol(n);
    Symbol range = s ? *s : Symbol{};
    out.push_back({n, range.min, range.max});
  }
  return out;
}

std::vector<ModelInfo::Node> graph_of(const Function& f) {
  std::vector<ModelInfo::Node> out;
  for (const Node& n : f.nodes) {
    if (!n.op) continue;
    ModelInfo::Node node{n.name, std::string(n.op->name), {}};
    for (ValueId v : n.outputs) node.outputs.push_back(v == kNone ? "" : f.values[at(v)].name);
    out.push_back(std::move(node));
  }
  return out;
}

// A prepared file: what its first plan tells.
Result<ModelInfo> inspect_plans(const std::shared_ptr<const Source>& source, const LoadOptions& options,
                                ModelInfo info) {
  std::string name = source->name;
  MOTE_TRY(api::check_fixed(options, name));
  Result<std::vector<Plan>> plans = read_plans(source);
  if (!plans.ok()) return api::in_file(std::move(plans).status(), name, api::Format::kMote);
  for (const Plan& p : *plans) info.targets.push_back(p.target);
  Plan& plan = plans->front();
  if (Status s = api::prefer_signature(plan.signatures, options.signature); !s.ok()) return std::move(s).at(name);
  for (const PlanSignature& s : plan.signatures) {
    ModelInfo::Signature out{s.name, api::ports(plan, s, true), api::ports(plan, s, false), {}};
    for (const PlanState& st : s.states)
      out.states.push_back({out.inputs[at(st.input)].name, out.outputs[at(st.output)].name});
    info.signatures.push_back(std::move(out));
  }
  for (const Symbol& s : plan.symbols) info.symbols.push_back({s.name, s.min, s.max});
  info.metadata = plan.metadata;
  std::map<std::string, std::int64_t> ops, dtypes;
  for (const PlanFunction& f : plan.functions) {
    for (const Step& s : f.steps) {
      ++info.nodes;
      if (s.op != kNone) ++ops[plan.ops[at(s.op)].name];
    }
    for (const PlanValue& v : f.values) {
      if (v.dtype != DType::none) ++dtypes[std::string(name_of(v.dtype))];
    }
  }
  info.ops = by_count(ops);
  info.dtypes = by_count(dtypes);
  info.parameter_bytes = static_cast<std::int64_t>(plan.weight_bytes());
  if (plan.macs > 0) info.macs = std::to_string(plan.macs);
  return info;
}

// What preparing would find out: who runs what is left after the passes, and how much work it is.
Status look_ahead(Module m, const PrepareOptions& with, const std::string& path, ModelInfo& info) {
  if (Status s = simplify(m, with); !s.ok()) return std::move(s).at(path);
  std::string macs = count_macs(m).to_string();
  if (macs.find('$') == std::string::npos) info.macs = std::move(macs);  // else shapes depend on data
  Result<Coverage> covered = coverage(std::move(m), with);
  if (!covered.ok()) return std::move(covered).status().at(path);
  info.missing = std::move(covered->missing);
  info.slow = std::move(covered->slow);
  return {};
}

}  // namespace

Result<ModelInfo> inspect(const std::string& path, const LoadOptions& options) {
  MOTE_ASSIGN(auto source, api::map_file(path));
  ModelInfo info;
  api::Format format = api::recognise(source->bytes());
  info.format = api::name_of(format);
  if (format == api::Format::kMote) return inspect_plans(std::move(source), options, std::move(info));
  MOTE_ASSIGN(Module m, api::read_module(source, api::folder_of(path), options, &info.missing));
  MOTE_ASSIGN(PrepareOptions with, api::prepare_options(options));
  if (info.missing.empty()) {
    if (Status s = bind(m, with); !s.ok()) return std::move(s).at(path);
    MOTE_TRY(look_ahead(m, with, path, info));
  }
  api::note_quantization(m);
  info.name = m.name;
  for (const Signature& s : m.signatures) info.signatures.push_back(describe(m, s));
  const Function& main = m.functions[at(m.signatures[0].function)];
  info.symbols = symbols_of(m, main);
  info.graph = graph_of(main);
  info.metadata = m.metadata;
  count(m, info);
  return info;
}

}  // namespace mote
