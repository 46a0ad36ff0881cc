// mote plan: what was decided, step by step, and why.
#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "svg.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  bool explain = false;
  std::string svg;
};

Json to_json(const PlanInfo& plan) {
  Json steps = Json::array(), memory = Json::array(), assumed = Json::object();
  for (const StepInfo& s : plan.steps) {
    steps.push_back({{"name", s.name},
                     {"op", s.op},
                     {"kernel", s.kernel},
                     {"function", s.function},
                     {"depth", s.depth},
                     {"dtype", name_of(s.dtype)},
                     {"shape", s.shape},
                     {"layout", s.layout},
                     {"bytes", s.bytes},
                     {"place", s.place},
                     {"numerics", s.numerics},
                     {"late", s.late},
                     {"why", s.why}});
  }
  for (const MemoryBlock& b : plan.memory) {
    memory.push_back(
        {{"name", b.name}, {"offset", b.offset}, {"bytes", b.bytes}, {"first", b.first}, {"last", b.last}});
  }
  for (const auto& [name, value] : plan.assumed) assumed[name] = value;
  return {{"target", plan.target},
          {"arena", plan.arena},
          {"arena_bytes", plan.arena_bytes},
          {"assumed", assumed},
          {"weight_bytes", plan.weight_bytes},
          {"steps", steps},
          {"memory", memory}};
}

std::string assumed_text(const PlanInfo& plan) {
  std::string s;
  for (const auto& [name, value] : plan.assumed) s += concat(s.empty() ? "" : ", ", name, " = ", value);
  return s;
}

void print_steps(const PlanInfo& plan, bool explain) {
  Table table(explain ? std::vector<std::string>{"", "kernel", "type", "shape", "bytes", "order", "place", "class",
                                                 "node", "why"}
                      : std::vector<std::string>{"", "kernel", "type", "shape", "place", "node"},
              {true});
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const StepInfo& s = plan.steps[i];
    std::string kernel = std::string(static_cast<std::size_t>(2 * s.depth), ' ') + s.kernel;
    std::string shape = s.late ? "at run time" : list_text(s.shape), node = clean_text(s.name, 80),
                type(name_of(s.dtype));
    if (explain) {
      table.add({std::to_string(i), kernel, type, shape, s.bytes, s.layout.empty() ? "" : list_text(s.layout), s.place,
                 s.numerics, node, s.why});
    } else {
      table.add({std::to_string(i), kernel, type, shape, s.place, node});
    }
  }
  table.print();
}

void print_memory(const PlanInfo& plan) {
  std::printf("\nmemory of the arena%s\n", plan.assumed.empty() ? "" : (" for " + assumed_text(plan)).c_str());
  Table table({"offset", "bytes", "steps", "value"}, {true, true, true});
  for (const MemoryBlock& b : plan.memory) {
    table.add({grouped(b.offset), grouped(b.bytes), concat(b.first, "-", b.last), clean_text(b.name, 80)});
  }
  table.print();
}

Result<int> show(const Options& o) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(Model model, load_model(o.model.path, load));
  if (Result<SessionOptions> fits = o.model.session(model); !fits.ok()) return std::move(fits).status();
  PlanInfo plan = model.plan();
  if (!o.svg.empty()) {
    MOTE_ASSIGN(FileWriter file, FileWriter::create(o.svg));
    MOTE_TRY(file.write(memory_svg(plan, o.model.path)));
    MOTE_TRY(file.commit());
    detail("wrote " + o.svg);
  }
  if (globals.json) {
    print_json(to_json(plan));
    return 0;
  }
  std::printf("target %s, arena %s bytes, weights %s bytes, %zu steps\n", plan.target.c_str(), plan.arena.c_str(),
              grouped(static_cast<std::int64_t>(plan.weight_bytes)).c_str(), plan.steps.size());
  print_steps(plan, o.explain);
  if (o.explain) print_memory(plan);
  return 0;
}

}  // namespace

void register_plan(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "plan", "show the plan: kernels, layouts, memory",
                            "mote plan mobilenet.onnx --explain --svg memory.svg");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_flag("--explain", o->explain, "say why each step is as it is, and where every value lies");
  verb->add_option("--svg", o->svg, "write a picture of the memory to this file");
  set_action(*verb, exit_code, [o] { return show(*o); });
}

}  // namespace mote::cli
