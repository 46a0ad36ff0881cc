// mote inspect: what is in a model file.
#include "mote/inspect.h"

#include <cstdio>

#include "base/text.h"
#include "cli.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  bool nodes = false;
};

constexpr const char* kKinds[] = {"tensor", "list", "optional"};

Json to_json(const Port& p) {
  Json shape = Json::array();
  for (const std::string& d : p.shape) {
    if (auto v = parse_int(d)) {
      shape.push_back(*v);
    } else {
      shape.push_back(d);
    }
  }
  Json out = {{"name", p.name}, {"kind", kKinds[static_cast<int>(p.kind)]}, {"dtype", name_of(p.dtype)}};
  out["shape"] = p.known_rank ? std::move(shape) : Json();
  out["state"] = p.state;
  if (p.scale > 0) out["quantization"] = {{"scale", p.scale}, {"zero_point", p.zero_point}};
  return out;
}

Json to_json(const std::vector<Port>& ports) {
  Json list = Json::array();
  for (const Port& p : ports) list.push_back(to_json(p));
  return list;
}

// A number where it is one, else the formula.
Json macs_json(const std::string& macs) {
  if (auto v = parse_int(macs)) return Json(*v);
  return macs.empty() ? Json() : Json(macs);
}

Json to_json(const ModelInfo& m, bool nodes) {
  const ModelInfo::Signature& main = m.signatures.front();
  Json out = {
      {"format", m.format}, {"name", m.name}, {"inputs", to_json(main.inputs)}, {"outputs", to_json(main.outputs)}};
  Json states = Json::array(), symbols = Json::array(), signatures = Json::array();
  for (const auto& s : main.states) states.push_back({{"input", s.input}, {"output", s.output}});
  for (const auto& s : m.symbols) symbols.push_back({{"name", s.name}, {"min", s.min}, {"max", s.max}});
  for (const auto& s : m.signatures)
    signatures.push_back({{"name", s.name}, {"inputs", to_json(s.inputs)}, {"outputs", to_json(s.outputs)}});
  out["states"] = std::move(states);
  out["symbols"] = std::move(symbols);
  out["signatures"] = std::move(signatures);
  if (!m.targets.empty()) out["targets"] = m.targets;
  out["parameters"] = m.parameters;
  out["parameter_bytes"] = m.parameter_bytes;
  out["macs"] = macs_json(m.macs);
  out["nodes"] = m.nodes;
  Json ops = Json::object(), dtypes = Json::object(), metadata = Json::object();
  for (const auto& [name, n] : m.ops) ops[name] = n;
  for (const auto& [name, n] : m.dtypes) dtypes[name] = n;
  for (const auto& [key, value] : m.metadata) metadata[key] = value;
  out["ops"] = std::move(ops);
  out["dtypes"] = std::move(dtypes);
  out["opset"] = nullptr;
  for (const auto& [key, value] : m.metadata) {
    if (key == "onnx.opset") out["opset"] = parse_int(value).value_or(0);
  }
  out["metadata"] = std::move(metadata);
  out["runs"] = m.missing.empty();
  out["missing"] = m.missing;
  out["slow"] = m.slow;
  if (nodes) {
    Json list = Json::array();
    for (const auto& n : m.graph) list.push_back({{"name", n.name}, {"op", n.op}, {"outputs", n.outputs}});
    out["graph"] = std::move(list);
  }
  return out;
}

void print_ports(const char* title, const std::vector<Port>& ports) {
  std::printf("%s\n", title);
  for (const Port& p : ports) {
    std::string type = concat(p.kind == Port::Kind::kTensor ? "" : kKinds[static_cast<int>(p.kind)],
                              p.kind == Port::Kind::kTensor ? "" : " of ", name_of(p.dtype), shape_text(p));
    std::string more = p.state ? "  (state)" : "";
    if (p.scale > 0) more += concat("  (", p.scale, " * (q - ", p.zero_point, "))");
    std::printf("  %-24s %s%s\n", clean_text(p.name).c_str(), type.c_str(), more.c_str());
  }
}

std::string counts(const ModelInfo::Counts<std::int64_t>& list) {
  std::string s;
  for (const auto& [name, n] : list) s += concat(s.empty() ? "" : ", ", name, " ", n);
  return s.empty() ? "none" : s;
}

void print_list(const char* title, const std::vector<std::string>& list, std::size_t most) {
  std::printf("%s\n", title);
  for (std::size_t i = 0; i < list.size() && i < most; ++i) std::printf("  %s\n", clean_text(list[i], 1000).c_str());
  if (list.size() > most) std::printf("  and %zu more\n", list.size() - most);
}

void print(const ModelInfo& m, bool nodes) {
  const ModelInfo::Signature& main = m.signatures.front();
  std::printf("%s%s%s\n", m.format.c_str(), m.name.empty() ? "" : ", ", clean_text(m.name).c_str());
  if (!m.targets.empty()) std::printf("prepared for %s\n", join(m.targets).c_str());
  print_ports("inputs", main.inputs);
  print_ports("outputs", main.outputs);
  for (const auto& s : main.states) std::printf("state %s is fed from %s\n", s.input.c_str(), s.output.c_str());
  for (const auto& s : m.symbols)
    std::printf("symbol %s from %lld to %lld\n", s.name.c_str(), static_cast<long long>(s.min),
                static_cast<long long>(s.max));
  for (std::size_t i = 1; i < m.signatures.size(); ++i) std::printf("signature %s\n", m.signatures[i].name.c_str());
  std::printf("parameters     %s (%s)\n", grouped(m.parameters).c_str(),
              megabytes(static_cast<double>(m.parameter_bytes)).c_str());
  auto macs = parse_int(m.macs);
  std::string formula = m.macs.size() <= 200 ? m.macs : "a long formula; --dim SYMBOL=N makes it a number";
  if (m.missing.empty()) {
    std::printf("multiply-adds  %s\n", macs ? grouped(*macs).c_str() : m.macs.empty() ? "not known" : formula.c_str());
  }
  std::printf("nodes          %s: %s\n", grouped(m.nodes).c_str(), counts(m.ops).c_str());
  std::printf("types          %s\n", counts(m.dtypes).c_str());
  for (const auto& [key, value] : m.metadata)
    std::printf("%s = %s\n", clean_text(key).c_str(), clean_text(value, 100).c_str());
  if (nodes) {
    for (const auto& n : m.graph)
      std::printf("node %s: %s -> %s\n", clean_text(n.name).c_str(), n.op.c_str(),
                  clean_text(join(n.outputs), 1000).c_str());
  }
  if (!m.missing.empty()) print_list("DOES NOT RUN: Mote has no", m.missing, 100);
  if (!m.slow.empty()) print_list("runs, these nodes by slow reference loops:", m.slow, globals.verbose ? 10000 : 5);
  if (m.missing.empty() && m.slow.empty()) std::printf("runs, every node by a kernel\n");
}

}  // namespace

void register_inspect(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "inspect", "show what a model holds, and what would not run",
                            "mote inspect mobilenet.onnx --dim N=1");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_flag("--nodes", o->nodes, "list the main function's nodes");
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(LoadOptions load, o->model.load());
    MOTE_ASSIGN(ModelInfo info, inspect(o->model.path, load));
    globals.json ? print_json(to_json(info, o->nodes)) : print(info, o->nodes);
    return 0;
  });
}

}  // namespace mote::cli
