// ./dev bench latency: what Mote itself costs around the kernels. Per new shape of a model with symbolic dimensions;
// how far a run goes past its deadline inside one huge layer; per step; to open a prepared file and make it ready to
// run.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "api/engine.h"
#include "base/thread_pool.h"
#include "ir/builder.h"
#include "ops/ops.h"
#include "plan/file.h"

namespace mote {
namespace {

double now_us() { return static_cast<double>(Stop::now_ns()) / 1e3; }

void check(const Status& s) {
  if (s.ok()) return;
  std::fprintf(stderr, "%s\n", s.to_string().c_str());
  std::exit(2);
}

template <class T>
T must(Result<T> r) {
  if (!r.ok()) check(r.status());
  return *std::move(r);
}

void report(const char* what, std::vector<double> us, const char* limit = "") {
  std::sort(us.begin(), us.end());
  std::printf("%-44s p50 %10.3f us   p99 %10.3f us   max %10.3f us  %s\n", what, us[us.size() / 2],
              us[us.size() * 99 / 100], us.back(), limit);
}

class Graph {
 public:
  Graph() {
    module.functions.push_back(Function{"main", {}, {}, {}, {}});
    module.signatures.push_back({"main", 0, {}});
  }
  ValueId input(const char* name, Shape shape) {
    return module.functions[0].add_input(name, Type::tensor(DType::f32, std::move(shape)));
  }
  ValueId weights(std::vector<std::int64_t> shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    std::vector<float> data(static_cast<std::size_t>(n), 0.01f);
    return b.constant("w" + std::to_string(next_++), DType::f32, std::move(shape),
                      to_bytes(std::span<const float>(data)));
  }
  Module finish(ValueId y) {
    check(b.status());
    b.append();
    module.functions[0].outputs = {y};
    return std::move(module);
  }
  Module module;
  Builder b{module, 0, builtin_ops()};

 private:
  int next_ = 0;
};

using Ints = std::vector<std::int64_t>;

std::unique_ptr<Context> context_of(Module module, int threads = 1, bool optimise = true, const char* target = "") {
  LoadOptions load;
  load.optimise = optimise;
  load.target = target;
  ContextOptions o;
  o.threads = threads;
  return must(Context::create(must(api::build(std::move(module), load)), o));
}

void set(Context& c, std::vector<float>& data, const Ints& shape) {
  std::size_t n = 1;
  for (std::int64_t d : shape) n *= static_cast<std::size_t>(d);
  if (data.size() < n) data.resize(n, 0.5f);
  check(c.set_input(0, TensorView::of(reinterpret_cast<std::byte*>(data.data()), DType::f32, shape)));
}

double timed_run(Context& c) {
  double start = now_us();
  check(c.run());
  return now_us() - start;
}

// The first run of a shape against the second: binding, placing and setting up.
void new_shapes(const char* what, Module module, const std::function<Ints(int)>& shape) {
  std::unique_ptr<Context> c = context_of(std::move(module));
  std::vector<float> data;
  std::size_t steps = c->linked().plan.functions[0].steps.size();
  // The largest first: memory is taken once.
  set(*c, data, shape(999));
  check(c->run());
  std::vector<double> us;
  for (int i = 0; i < 999; ++i) {
    set(*c, data, shape(i));
    double first = timed_run(*c), again = timed_run(*c);
    us.push_back(std::max(0.0, first - std::min(again, timed_run(*c))));
  }
  report((std::string("new shape, ") + what + " (" + std::to_string(steps) + " steps)").c_str(), us, "wanted: 50 us");
}

Module conv_net(bool symbolic) {
  Graph g;
  ValueId x = symbolic ? g.input("x", {Dim::symbol("N"), 3, Dim::symbol("H"), 8}) : g.input("x", {1, 3, 8, 8});
  for (int i = 0; i < 8; ++i) {
    x = g.b.add("conv", {x, g.weights({8, i == 0 ? 3 : 8, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    x = g.b.add("relu", {x});
  }
  return g.finish(g.b.add("global_average_pool", {x}));
}

Module text_net() {
  Graph g;
  ValueId x = g.input("x", {1, Dim::symbol("length"), 32});
  for (int i = 0; i < 2; ++i) {
    auto heads = [&](ValueId v) {
      ValueId split = g.b.add("reshape", {v, g.b.ints({1, -1, 4, 8})});
      return g.b.add("transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}});
    };
    ValueId q = heads(g.b.add("matmul", {x, g.weights({32, 32})})),
            k = heads(g.b.add("matmul", {x, g.weights({32, 32})}));
    ValueId y = g.b.add("attention", {q, k, k});
    y = g.b.add("reshape", {g.b.add("transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}}), g.b.ints({1, -1, 32})});
    x = g.b.add("add", {x, g.b.add("matmul", {y, g.weights({32, 32})})});
    x = g.b.add("softmax", {x}, {{"axis", std::int64_t{-1}}});
  }
  return g.finish(x);
}

// A deadline a third into the run.
void overshoot(const char* what, Module module, const Ints& shape, const char* target = "") {
  std::unique_ptr<Context> c = context_of(std::move(module), 0, true, target);
  std::vector<float> data;
  set(*c, data, shape);
  check(c->run());
  double whole = std::min(timed_run(*c), timed_run(*c));
  std::vector<double> us;
  for (int i = 0; i < 20; ++i) {
    ContextRun run;
    double start = now_us(), limit = whole / 3;
    run.deadline_ns = Stop::now_ns() + static_cast<std::int64_t>(limit * 1e3);
    if (c->run(run).ok()) continue;
    us.push_back(now_us() - start - limit);
  }
  if (us.empty()) us.push_back(0);
  report((std::string("past the deadline, ") + what + " of " + std::to_string(static_cast<int>(whole / 1e3)) + " ms")
             .c_str(),
         us, "wanted: 1000 us");
}

void overshoots() {
  {
    Graph g;
    ValueId x = g.input("x", {1, 256, 112, 112});
    overshoot("conv 3x3", g.finish(g.b.add("conv", {x, g.weights({256, 256, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}})),
              {1, 256, 112, 112});
  }
  {
    Graph g;
    ValueId x = g.input("x", {2048, 2048});
    overshoot("matmul", g.finish(g.b.add("matmul", {x, g.weights({2048, 2048})})), {2048, 2048});
  }
  {
    Graph g;
    ValueId x = g.input("x", {1, 4096, 4096});
    overshoot("exp", g.finish(g.b.add("exp", {x})), {1, 4096, 4096});
  }
  {
    Graph g;
    ValueId x = g.input("x", {8, 2 << 20});
    overshoot("softmax", g.finish(g.b.add("softmax", {x}, {{"axis", std::int64_t{-1}}})), {8, 2 << 20});
  }
  {
    Graph g;
    ValueId x = g.input("x", {2000, 4, 256});
    overshoot("lstm",
              g.finish(g.b.add_multi("lstm", {x, g.weights({1, 1024, 256}), g.weights({1, 1024, 256})}, 3,
                                     {{"hidden_size", std::int64_t{256}}})[0]),
              {2000, 4, 256});
  }
  {
    Graph g;
    ValueId x = g.input("x", {1, 32, 64, 64});
    overshoot("conv 3x3 by its reference", g.finish(g.b.add("conv", {x, g.weights({32, 32, 3, 3})})), {1, 32, 64, 64},
              "reference");
  }
  {
    Graph g;
    ValueId x = g.input("x", {1 << 20});
    overshoot("exp by its reference", g.finish(g.b.add("exp", {x})), {1 << 20}, "reference");
  }
}

void per_step() {
  constexpr int kSteps = 1000;
  for (int threads : {1, 0}) {
    Graph g;
    ValueId x = g.input("x", {8});
    for (int i = 0; i < kSteps; ++i) x = g.b.add("neg", {x});
    std::unique_ptr<Context> c = context_of(g.finish(x), threads, false);
    std::vector<float> data;
    set(*c, data, {8});
    std::vector<double> us;
    for (int i = 0; i < 300; ++i)
      us.push_back(timed_run(*c) / static_cast<double>(c->linked().plan.functions[0].steps.size()));
    report(threads == 1 ? "per step of 8 numbers, one thread" : "per step of 8 numbers, all threads", us);
  }
}

void opening() {
  std::shared_ptr<const LinkedPlan> linked = must(api::build(conv_net(false), {}));
  std::vector<std::byte> bytes;
  const Plan* plans[] = {&linked->plan};
  check(write_plans(plans, [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return Status();
  }));
  std::vector<double> us;
  for (int i = 0; i < 300; ++i) {
    double start = now_us();
    must(Context::create(must(api::open_plan(api::borrow(bytes, "memory")))));
    us.push_back(now_us() - start);
  }
  report("open a .mote and make it ready", us);
}

int main() {
  new_shapes("convolutions", conv_net(true), [](int i) { return Ints{1 + i % 3, 3, i == 999 ? 40 : 4 + i % 36, 8}; });
  new_shapes("attention", text_net(), [](int i) { return Ints{1, i == 999 ? 128 : 1 + i % 127, 32}; });
  overshoots();
  per_step();
  opening();
  return 0;
}

}  // namespace
}  // namespace mote

int main() { return mote::main(); }
