// A deadline or a cancellation is seen between tiles: a tile of any step is a bounded piece of work, however large the
// tensor is.
#include <gtest/gtest.h>

#include "api/engine.h"
#include "ir/text.h"
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

}  // namespace
}  // namespace mote
