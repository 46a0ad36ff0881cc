// mote plan: what was decided, step by step, and why.
#include <cstdio>

#include "cli.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  bool explain = false;
};

std::string joined(const std::vector<std::string>& parts) {
  std::string s = "[";
  for (std::size_t i = 0; i < parts.size(); ++i) s += (i ? "," : "") + parts[i];
  return s + "]";
}

Status show(const Options& o) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(Model model, Model::load(o.model.path, load));
  PlanInfo plan = model.plan();
  if (globals.json) {
    Json steps = Json::array();
    for (const StepInfo& s : plan.steps) {
      steps.push_back({{"name", s.name},
                       {"op", s.op},
                       {"kernel", s.kernel},
                       {"shape", s.shape},
                       {"layout", s.layout},
                       {"bytes", s.bytes},
                       {"place", s.place},
                       {"numerics", s.numerics},
                       {"late", s.late},
                       {"why", s.why}});
    }
    print_json({{"target", plan.target},
                {"arena_bytes", plan.arena},
                {"weight_bytes", plan.weight_bytes},
                {"macs", plan.macs},
                {"steps", steps}});
    return {};
  }
  std::printf("target %s, arena %s bytes, weights %llu bytes, %llu multiply-adds\n", plan.target.c_str(),
              plan.arena.c_str(), static_cast<unsigned long long>(plan.weight_bytes),
              static_cast<unsigned long long>(plan.macs));
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const StepInfo& s = plan.steps[i];
    std::printf("%4zu  %-12s %-24s %-20s %s%s\n", i, s.kernel.c_str(), joined(s.shape).c_str(), s.place.c_str(),
                s.name.c_str(), s.late ? "  (late)" : "");
    if (o.explain) {
      std::printf("      %s; class %s; %s bytes%s%s\n", s.why.c_str(), s.numerics.c_str(), s.bytes.c_str(),
                  s.layout.empty() ? "" : "; order ", s.layout.empty() ? "" : joined(s.layout).c_str());
    }
  }
  return {};
}

}  // namespace

void register_plan(CLI::App& app, int& exit_code) {
  auto* sub = app.add_subcommand("plan", "show the plan: kernels, layouts, memory");
  auto o = std::make_shared<Options>();
  o->model.add(*sub);
  sub->add_flag("--explain", o->explain, "say why each step is as it is");
  sub->footer("Example: mote plan mobilenet.onnx --explain");
  sub->callback([o, &exit_code] {
    if (Status s = show(*o); !s.ok()) exit_code = fail(s);
  });
}

}  // namespace mote::cli
