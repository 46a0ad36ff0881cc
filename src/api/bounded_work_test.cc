// A deadline or a cancellation is seen between tiles: a tile of any step is a bounded piece of work, however large the
// tensor is. References have no tiles and look by themselves; ops/pace_test.cc counts how often.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "api/engine.h"
#include "ir/text.h"
#include "ops/element.h"
#include "ops/ops.h"

namespace mote {
namespace {

// One row of a million numbers, and what is made of it.
constexpr std::string_view kRows = R"(module "rows"
const @one: f32[1] = [1]
signature "main" = @main {
}
func @main(%x: f32[1,1,1048576]) -> (%a, %b, %c, %d, %e, %f) {
  %a = softmax(%x)
  %b = log_softmax(%x)
  %c = lp_normalization(%x)
  %d = instance_normalization(%x, @one, @one)
  %e = reduce_sum(%x)
  %f = sigmoid(%x)
}
)";

TEST(BoundedWork, ATileOfALongRowIsAPieceOfIt) {
  constexpr std::int64_t kCount = 1 << 20, kMost = 1 << 17;  // elements
  Result<Module> module = parse(kRows, builtin_ops());
  ASSERT_TRUE(module.ok()) << module.status().to_string();
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(*std::move(module), {});
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  Result<std::unique_ptr<Context>> context = Context::create(*linked, {.threads = 1});
  ASSERT_TRUE(context.ok());
  std::vector<float> x(kCount);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7);
  const std::int64_t shape[] = {1, 1, kCount};
  ASSERT_TRUE((*context)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, shape)).ok());
  ASSERT_TRUE((*context)->run().ok());
  const Plan& plan = (*linked)->plan;
  const std::vector<Step>& steps = plan.functions[static_cast<std::size_t>(plan.signatures[0].function)].steps;
  std::size_t checked = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string& kernel = plan.kernels[static_cast<std::size_t>(steps[i].kernel)].name;
    if (steps[i].name.empty() || kernel.starts_with("reference.")) continue;
    EXPECT_LE(kCount / std::max<std::int64_t>((*context)->tiles(i), 1), kMost) << steps[i].name << " by " << kernel;
    ++checked;
  }
  EXPECT_GE(checked, 6u);
  std::span<const float> softmax((*context)->output(0).as<float>(), x.size());
  double sum = 0;
  for (float v : softmax) sum += v;
  EXPECT_NEAR(sum, 1, 1e-4);
}

// Ops that run as references here, on operands of symbolic extents: far too much work for a deadline of 20 ms,
// and little.
struct Heavy {
  std::string_view name, text;
  std::vector<Shape> large, small;  // of each input
};

const Heavy kHeavy[] = {
    {"conv",
     R"(func @f(%x: f64[1,32,N,N], %w: f64[32,32,5,5]) -> (%y) {
  %y = conv(%x, %w)
})",
     {{1, 32, 512, 512}, {32, 32, 5, 5}},
     {{1, 32, 6, 6}, {32, 32, 5, 5}}},
    {"conv_transpose",
     R"(func @f(%x: f32[1,32,N,N], %w: f32[32,32,5,5]) -> (%y) {
  %y = conv_transpose(%x, %w)
})",
     {{1, 32, 512, 512}, {32, 32, 5, 5}},
     {{1, 32, 2, 2}, {32, 32, 5, 5}}},
    {"lstm",
     R"(func @f(%x: f64[N,1,256], %w: f64[1,1024,256], %r: f64[1,1024,256], %n: i32[1]) -> (%y) {
  %y = lstm(%x, %w, %r, _, %n)
})",
     {{4000, 1, 256}, {1, 1024, 256}, {1, 1024, 256}, {1}},
     {{2, 1, 256}, {1, 1024, 256}, {1, 1024, 256}, {1}}},
    {"matmul",
     R"(func @f(%x: f64[N,N], %w: f64[N,N]) -> (%y) {
  %y = matmul(%x, %w)
})",
     {{2048, 2048}, {2048, 2048}},
     {{3, 3}, {3, 3}}},
    {"a list",
     R"(func @f(%x: f32[N,64]) -> (%y) {
  %l = split_to_sequence(%x) {axis=0}
  %y = concat_from_sequence(%l) {axis=0}
})",
     {{1 << 18, 64}},
     {{3, 64}}},
    {"one row",
     R"(func @f(%x: f64[N]) -> (%y) {
  %a = softmax(%x)
  %y = unique(%a)
})",
     {{1 << 22}},
     {{5}}},
};

class InReferences : public ::testing::TestWithParam<Heavy> {};

struct Inputs {
  std::vector<std::vector<std::byte>> memory;
  Status bind(Context& context, const std::vector<Shape>& shapes, std::int64_t steps) {
    memory.clear();
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::vector<std::int64_t> dims = *constant_extents(shapes[i]);
      const DType dtype = context.input_info(static_cast<int>(i)).dtype;
      TensorView view = TensorView::of(nullptr, dtype, dims);
      memory.emplace_back(static_cast<std::size_t>(view.bytes()));
      view.data = memory.back().data();
      for (std::int64_t k = 0; k < view.count(); ++k)
        is_int(dtype) ? store_i64(view, k, steps) : store_f64(view, k, 0.25 * static_cast<double>(k % 5) - 0.5);
      MOTE_TRY(context.set_input(static_cast<int>(i), view));
    }
    return {};
  }
};

std::unique_ptr<Context> reference_context(std::string_view text) {
  Result<Module> module = parse("module \"heavy\"\nsignature \"main\" = @f {\n}\n" + std::string(text), builtin_ops());
  EXPECT_TRUE(module.ok()) << module.status().to_string();
  if (!module.ok()) return nullptr;
  LoadOptions options;
  options.target = "reference";
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(*std::move(module), options);
  EXPECT_TRUE(linked.ok()) << linked.status().to_string();
  if (!linked.ok()) return nullptr;
  Result<std::unique_ptr<Context>> context = Context::create(*linked, {.threads = 1});
  EXPECT_TRUE(context.ok());
  return context.ok() ? *std::move(context) : nullptr;
}

TEST_P(InReferences, ADeadlineStopsAndTheContextGoesOn) {
  std::unique_ptr<Context> context = reference_context(GetParam().text), fresh = reference_context(GetParam().text);
  ASSERT_TRUE(context && fresh);
  Inputs large, small;
  ASSERT_TRUE(large.bind(*context, GetParam().large, GetParam().large[0].front().value()).ok());
  ContextRun run;
  run.deadline_ns = Stop::now_ns() + 20'000'000;
  Status s = context->run(run);
  EXPECT_EQ(s.code(), Code::kDeadlineExceeded) << s.to_string();
  EXPECT_EQ(s.message(), "the deadline passed");

  std::atomic<bool> cancel = false;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancel = true;
  });
  s = context->run({.cancel = &cancel});
  EXPECT_EQ(s.code(), Code::kCancelled) << s.to_string();

  for (Context* c : {context.get(), fresh.get()}) {
    ASSERT_TRUE(small.bind(*c, GetParam().small, 1).ok());
    s = c->run();
    ASSERT_TRUE(s.ok()) << s.to_string();
  }
  const TensorView &got = context->output(0), &want = fresh->output(0);
  ASSERT_EQ(got.bytes(), want.bytes());
  EXPECT_EQ(std::memcmp(got.data, want.data, static_cast<std::size_t>(got.bytes())), 0);
}

INSTANTIATE_TEST_SUITE_P(BoundedWork, InReferences, ::testing::ValuesIn(kHeavy), [](const auto& p) {
  std::string name(p.param.name);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

}  // namespace
}  // namespace mote
