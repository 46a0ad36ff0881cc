// States that are copied when a run ends, where one becomes what another was.
#include <gtest/gtest.h>

#include "api/allocation_counter.h"
#include "api/engine.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/ops.h"
#include "plan/verify.h"

namespace mote {
namespace {

using Floats = std::vector<float>;

class Machine {
 public:
  explicit Machine(std::string_view text) {
    Result<Module> module = parse(text, builtin_ops());
    EXPECT_TRUE(module.ok()) << module.status().to_string();
    Result<std::shared_ptr<const LinkedPlan>> linked = api::build(*std::move(module), {});
    EXPECT_TRUE(linked.ok()) << linked.status().to_string();
    Result<std::unique_ptr<Context>> context = Context::create(*linked, {.threads = 1});
    EXPECT_TRUE(context.ok()) << context.status().to_string();
    context_ = *std::move(context);
  }
  Status run(Floats x) {
    x_ = std::move(x);
    std::int64_t dims[] = {static_cast<std::int64_t>(x_.size())};
    EXPECT_TRUE(context_->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x_.data()), DType::f32, dims)).ok());
    return context_->run();
  }
  Floats state(int i) const { return values(context_->state(i)); }
  Floats output(int i) const { return values(context_->output(i)); }
  Context& context() { return *context_; }

 private:
  static Floats values(const TensorView& v) { return {v.as<float>(), v.as<float>() + v.count()}; }
  Floats x_;
  std::unique_ptr<Context> context_;
};

constexpr std::string_view kExchange = R"(module "exchange"
signature "main" = @main {
  state "a" = input 1, output 1
  state "b" = input 2, output 2
}
func @main(%x: f32[3], %a: f32[3], %b: f32[3]) -> (%y, %b, %next) {
  %y = sub(%a, %b)
  %next = add(%a, %x)
}
)";

TEST(FixedStates, ChangePlaces) {
  Machine m(kExchange);
  Floats a(3), b(3);
  for (int step = 1; step < 20; ++step) {
    Floats x{1.0f * step, 2.0f * step, -3.0f * step}, y(3), next(3);
    for (std::size_t i = 0; i < 3; ++i) {
      y[i] = a[i] - b[i];
      next[i] = a[i] + x[i];
    }
    a = b;
    b = next;
    std::int64_t before = testing::allocations();
    Status s = m.run(x);
    ASSERT_TRUE(s.ok()) << s.to_string();
    // The first runs take what the states need to change places.
    EXPECT_TRUE(step <= 3 || testing::allocations() - before <= 1);
    EXPECT_EQ(m.output(0), y);
    EXPECT_EQ(m.output(1), a);
    EXPECT_EQ(m.output(2), b);
    EXPECT_EQ(m.state(0), a);
    EXPECT_EQ(m.state(1), b);
  }
}

// Pure passing on: no step touches either state.
TEST(FixedStates, AreSwapped) {
  Machine m(R"(module "swap"
signature "main" = @main {
  state "a" = input 1, output 1
  state "b" = input 2, output 2
  state "c" = input 3, output 3
}
func @main(%x: f32[2], %a: f32[2], %b: f32[2], %c: f32[2]) -> (%a, %b, %c, %next) {
  %next = add(%a, %x)
}
)");
  // Outputs 1 to 3: b, c, a + x; output 0 is what a was.
  std::vector<Floats> s(3, Floats(2));
  for (int step = 1; step < 12; ++step) {
    Floats was = s[0];
    s = {s[1], s[2], {was[0] + 1.0f * step, was[1] - 5.0f}};
    ASSERT_TRUE(m.run({1.0f * step, -5.0f}).ok());
    EXPECT_EQ(m.output(0), was);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(m.state(i), s[static_cast<std::size_t>(i)]) << "step " << step;
  }
}

// As much of `a` as there is goes to `b`, while `a` takes another size with every run.
TEST(FixedStates, ChangePlacesAndSizes) {
  Machine m(R"(module "sizes"
symbol N = 0..100000
symbol A = 0..100000
symbol B = 0..100000
signature "main" = @main {
  state "a" = input 1, output 1
  state "b" = input 2, output 2
}
func @main(%x: f32[N], %a: f32[A], %b: f32[B]) -> (%y, %next, %a) {
  %next = concat(%x, %b) {axis=0}
  %y = neg(%a)
}
)");
  Floats a, b;
  for (std::size_t step = 0; step < 14; ++step) {
    Floats x(step % 5 * 7 + 1, static_cast<float>(step)), y = a, next = x;
    for (float& v : y) v = -v;
    next.insert(next.end(), b.begin(), b.end());
    b = a;
    a = next;
    Status s = m.run(x);
    ASSERT_TRUE(s.ok()) << s.to_string();
    EXPECT_EQ(m.output(0), y);
    EXPECT_EQ(m.output(2), b);
    EXPECT_EQ(m.state(0), a);
    EXPECT_EQ(m.state(1), b);
  }
  ASSERT_TRUE(m.context().reset_states().ok());
  EXPECT_TRUE(m.state(0).empty() && m.state(1).empty());
}

TEST(FixedStates, StayAsTheyWereWhenOneHasNoRoom) {
  Result<Module> module = parse(R"(module "sizes"
symbol N = 0..1000000
symbol A = 0..1000000
symbol B = 0..1000000
signature "main" = @main {
  state "a" = input 1, output 0
  state "b" = input 2, output 1
}
func @main(%x: f32[N], %a: f32[A], %b: f32[B]) -> (%p, %q) {
  %p = neg(%x)
  %q = exp(%x)
}
)",
                                builtin_ops());
  ASSERT_TRUE(module.ok());
  auto linked = api::build(*std::move(module), {});
  ASSERT_TRUE(linked.ok());
  auto context = Context::create(*linked, {.threads = 1, .max_bytes = 13000});
  ASSERT_TRUE(context.ok());
  auto run = [&](std::int64_t n) {
    Floats x(static_cast<std::size_t>(n), 2.0f);
    std::int64_t dims[] = {n};
    EXPECT_TRUE(
        (*context)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, dims)).ok());
    return (*context)->run();
  };
  ASSERT_TRUE(run(100).ok());
  // 8,000 bytes of results and one state of 4,000 fit; the other does not.
  Status s = run(1000);
  EXPECT_EQ(s.code(), Code::kResourceExhausted) << s.to_string();
  EXPECT_EQ((*context)->state(0).count(), 100);
  EXPECT_EQ((*context)->state(1).count(), 100);
  EXPECT_EQ((*context)->state(0).as<float>()[99], -2.0f);
  ASSERT_TRUE(run(101).ok());
}

// Two signatures have the state "w", and "put" one of its own.
constexpr std::string_view kShared = R"(module "shared"
signature "put" = @put {
  state "calls" = input 1, output 0
  state "w" = input 2, output 1
}
signature "get" = @get {
  state "w" = input 0, output 0
}
func @put(%x: f32[N], %calls: f32[1], %w: f32[M]) -> (%next, %new) {
  %next = add(%calls, f32[1](1))
  %new = neg(%x)
}
func @get(%w: f32[M]) -> (%same) {
  %same = identity(%w)
}
)";

Result<std::shared_ptr<const LinkedPlan>> shared_plan(std::string text) {
  MOTE_ASSIGN(Module module, parse(text, builtin_ops()));
  MOTE_TRY(verify(module));
  return api::build(std::move(module), {});
}

Floats state_of(const Context& context, int i) {
  const TensorView& v = context.state(i);
  return {v.as<float>(), v.as<float>() + v.count()};
}

TEST(FixedStates, AreSharedBySignatures) {
  auto linked = shared_plan(std::string(kShared));
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  auto put = Context::create(*linked, {.threads = 1, .max_bytes = 20000});
  ASSERT_TRUE(put.ok()) << put.status().to_string();
  auto get = (*put)->sibling(1);
  ASSERT_TRUE(get.ok()) << get.status().to_string();
  for (std::int64_t n : {3, 50, 2}) {
    Floats x(static_cast<std::size_t>(n), static_cast<float>(n));
    std::int64_t dims[] = {n};
    ASSERT_TRUE((*put)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, dims)).ok());
    ASSERT_TRUE((*put)->run().ok());
    ASSERT_TRUE((*get)->run().ok());
    EXPECT_EQ((*get)->output(0).count(), n);
    EXPECT_EQ(state_of(**get, 0), Floats(x.size(), -x[0]));
  }
  EXPECT_EQ(state_of(**put, 0), Floats{3});
  // One budget for both: w of 16,000 bytes leaves no room for the copy that "put" makes first.
  Floats x(4000, 1.0f);
  std::int64_t dims[] = {4000};
  ASSERT_TRUE((*put)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, dims)).ok());
  EXPECT_EQ((*put)->run().code(), Code::kResourceExhausted);
  EXPECT_EQ(state_of(**get, 0).size(), 2u);
  // What is reset is so for all, and a context keeps the states alive without the one that made them.
  ASSERT_TRUE((*get)->reset_states().ok());
  EXPECT_EQ(state_of(**put, 0), Floats{0});
  (*put).reset();
  ASSERT_TRUE((*get)->run().ok());
  EXPECT_EQ((*get)->output(0).count(), 0);
  EXPECT_FALSE((*get)->sibling(2).ok());
  // Another context of the plan has states of its own.
  auto other = Context::create(*linked, {.threads = 1, .signature = 1});
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->state(0).data, (*get)->state(0).data);
}

TEST(FixedStates, ThatAreSharedAreOneTensor) {
  std::string text(kShared);
  text.replace(text.find("func @get(%w: f32[M]"), 20, "func @get(%w: f64[M]");
  Status s = shared_plan(text).status();
  EXPECT_NE(s.to_string().find("state 'w' is f32[M] in signature 'put' and f64[M] in signature 'get'"),
            std::string::npos)
      << s.to_string();
  std::string twice(kShared);
  twice.replace(twice.find("state \"calls\""), 13, "state \"w\"");
  s = shared_plan(twice).status();
  EXPECT_NE(s.to_string().find("two states are named 'w'"), std::string::npos) << s.to_string();
}

TEST(FixedStates, OfAPlanThatAreSharedAreOneTensor) {
  auto linked = shared_plan(std::string(kShared));
  ASSERT_TRUE(linked.ok());
  Plan plan = (*linked)->plan;
  EXPECT_TRUE(verify(plan).ok());
  PlanFunction& get = plan.functions[static_cast<std::size_t>(plan.signatures[1].function)];
  for (std::int32_t v : {get.inputs[0], get.outputs[0]}) get.values[static_cast<std::size_t>(v)].dtype = DType::f64;
  Status s = verify(plan);
  EXPECT_NE(s.to_string().find("state 'w' is not the same in signatures 'put' and 'get'"), std::string::npos)
      << s.to_string();
}

// What one signature appended in place, another would not find: such states are copied.
TEST(FixedStates, ThatAreSharedDoNotGrowInPlace) {
  const std::string text = R"(module "cache"
signature "append" = @append {
  state "past" = input 1, output 0
}
signature "read" = @read {
  state "past" = input 0, output 0
}
func @append(%x: f32[2,1,3], %past: f32[2,P,3]) -> (%present) {
  %present = concat(%past, %x) {axis=1}
}
func @read(%past: f32[2,P,3]) -> (%same) {
  %same = neg(%past)
}
)";
  auto linked = shared_plan(text);
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  auto append = Context::create(*linked, {.threads = 1});
  ASSERT_TRUE(append.ok());
  auto read = (*append)->sibling(1);
  ASSERT_TRUE(read.ok());
  Floats x(6);
  std::int64_t dims[] = {2, 1, 3};
  for (int step = 1; step <= 3; ++step) {
    for (std::size_t i = 0; i < 6; ++i) x[i] = static_cast<float>(10 * step) + static_cast<float>(i);
    ASSERT_TRUE((*append)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, dims)).ok());
    ASSERT_TRUE((*append)->run().ok());
  }
  ASSERT_TRUE((*read)->run().ok());
  EXPECT_EQ(state_of(**append, 0), (Floats{-10, -11, -12, -20, -21, -22, -30, -31, -32,  //
                                           -13, -14, -15, -23, -24, -25, -33, -34, -35}));
}

}  // namespace
}  // namespace mote
