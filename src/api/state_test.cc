// States that grow in place: a cache of keys and values over many steps.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <thread>

#include "api/allocation_counter.h"
#include "api/engine.h"
#include "ir/builder.h"
#include "ops/ops.h"
#include "plan/file.h"

namespace mote {
namespace {

constexpr std::int64_t kWidth = 16, kHeads = 2, kSize = 8;

// One step of a decoder: x [1, length, 16] attends to all that came before. `layers` of it share one cache in and out,
// [layers, 1, 2, past, 8]; with 0 there is one, [1, 2, past, 8], as its own input and output.
struct Decoder {
  Module module;
  std::mt19937 random{7};

  ValueId weights(Builder& b, const std::string& name, std::vector<std::int64_t> shape) {
    std::normal_distribution<float> normal;
    std::vector<float> data(static_cast<std::size_t>(shape[0] * shape[1]));
    for (float& v : data) v = normal(random) * 0.25f;
    return b.constant(name, DType::f32, std::move(shape), to_bytes(std::span<const float>(data)));
  }
  ValueId heads(Builder& b, ValueId x) {
    ValueId split = b.add("reshape", {x, b.ints({1, -1, kHeads, kSize})});
    return b.add("transpose", {split}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  }

  explicit Decoder(int layers) {
    module.functions.push_back(Function{"main", {}, {}, {}, {}});
    module.signatures.push_back({"main", 0, {}});
    Function& f = module.functions[0];
    Shape cache = {1, kHeads, Dim::symbol("past"), kSize};
    if (layers > 0) cache.insert(cache.begin(), layers);
    ValueId x = f.add_input("x", Type::tensor(DType::f32, Shape{1, Dim::symbol("length"), kWidth}));
    ValueId past[2] = {f.add_input("past_k", Type::tensor(DType::f32, cache)),
                       f.add_input("past_v", Type::tensor(DType::f32, cache))};
    Builder b(module, 0, builtin_ops());
    std::vector<ValueId> present[2];
    for (int layer = 0; layer < std::max(layers, 1); ++layer) {
      std::string name = "l" + std::to_string(layer);
      ValueId q = heads(b, b.add("matmul", {x, weights(b, name + "q", {kWidth, kWidth})})), kv[2];
      for (int i = 0; i < 2; ++i) {
        ValueId made = heads(b, b.add("matmul", {x, weights(b, name + "kv" + std::to_string(i), {kWidth, kWidth})}));
        ValueId before = layers > 0 ? b.add("gather", {past[i], b.scalar_int(layer)}) : past[i];
        kv[i] = b.add("concat", {before, made}, {{"axis", std::int64_t{2}}});
        present[i].push_back(layers > 0 ? b.add("unsqueeze", {kv[i], b.ints({0})}) : kv[i]);
      }
      ValueId y = b.add("attention", {q, kv[0], kv[1]});
      y = b.add("reshape",
                {b.add("transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}}), b.ints({1, -1, kWidth})});
      x = b.add("tanh", {b.add("add", {x, y})});
    }
    std::vector<ValueId> outputs{x};
    for (auto& list : present)
      outputs.push_back(layers > 0 ? b.add("concat", list, {{"axis", std::int64_t{0}}}) : list[0]);
    EXPECT_TRUE(b.status().ok()) << b.status().to_string();
    b.append();
    Function& done = module.functions[0];
    done.outputs = outputs;
    done.values[static_cast<std::size_t>(outputs[1])].name = "present_k";
    done.values[static_cast<std::size_t>(outputs[2])].name = "present_v";
  }
};

LoadOptions with_states() {
  LoadOptions o;
  o.states = {{"past_k", "present_k"}, {"past_v", "present_v"}};
  return o;
}

std::vector<float> token(int step, std::int64_t length = 1) {
  std::vector<float> v(static_cast<std::size_t>(length * kWidth));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(static_cast<float>(step) + 0.37f * static_cast<float>(i));
  return v;
}

TensorView tensor(std::vector<float>& v, std::vector<std::int64_t> shape) {
  return TensorView::of(reinterpret_cast<std::byte*>(v.data()), DType::f32, shape);
}

std::unique_ptr<Context> context_of(const std::shared_ptr<const LinkedPlan>& linked, std::int64_t capacity = 0,
                                    int threads = 1) {
  ContextOptions o;
  o.threads = threads;
  o.state_capacity = capacity;
  Result<std::unique_ptr<Context>> c = Context::create(linked, o);
  EXPECT_TRUE(c.ok()) << c.status().to_string();
  return *std::move(c);
}

std::vector<float> values(const TensorView& v) { return {v.as<float>(), v.as<float>() + v.count()}; }

// The same model without states: the caller carries the caches.
class Carried {
 public:
  explicit Carried(const Module& module, int layers) : layers_(layers) {
    auto linked = api::build(module, {});
    EXPECT_TRUE(linked.ok()) << linked.status().to_string();
    context_ = context_of(*linked);
  }
  std::vector<float> step(int i, std::int64_t length) {
    std::vector<float> x = token(i, length);
    EXPECT_TRUE(context_->set_input(0, tensor(x, {1, length, kWidth})).ok());
    std::vector<std::int64_t> shape{1, kHeads, past_, kSize};
    if (layers_ > 0) shape.insert(shape.begin(), layers_);
    for (int c = 0; c < 2; ++c) EXPECT_TRUE(context_->set_input(1 + c, tensor(caches[c], shape)).ok());
    Status s = context_->run();
    EXPECT_TRUE(s.ok()) << s.to_string();
    for (int c = 0; c < 2; ++c) caches[c] = values(context_->output(1 + c));
    past_ += length;
    return values(context_->output(0));
  }
  std::vector<float> caches[2];

 private:
  int layers_;
  std::int64_t past_ = 0;
  std::unique_ptr<Context> context_;
};

std::vector<float> run_step(Context& c, int step, std::int64_t length) {
  std::vector<float> x = token(step, length);
  EXPECT_TRUE(c.set_input(0, tensor(x, {1, length, kWidth})).ok());
  Status s = c.run();
  EXPECT_TRUE(s.ok()) << s.to_string();
  return values(c.output(0));
}

void expect_in_place(const LinkedPlan& linked) {
  for (const PlanState& s : linked.plan.signatures[0].states) EXPECT_NE(s.axis, kNone) << s.name;
}

class GrowingState : public ::testing::TestWithParam<int> {};

TEST_P(GrowingState, RunsAThousandStepsInPlaceWithoutAllocating) {
  Decoder d(GetParam());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(d.module, with_states());
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  expect_in_place(**linked);
  std::unique_ptr<Context> c = context_of(*linked, 1007);
  Carried carried(d.module, GetParam());
  // A prompt of 7, then a thousand single steps.
  EXPECT_EQ(run_step(*c, 0, 7), carried.step(0, 7));
  EXPECT_EQ(run_step(*c, 1, 1), carried.step(1, 1));
  const std::byte *keys = c->state(0).data, *answer = c->output(0).data;
  std::vector<float> x(kWidth), next;
  TensorView view = tensor(x, {1, 1, kWidth});
  std::int64_t arena = c->arena_bytes(), taken = 0;
  for (int i = 2; i <= 1000; ++i) {
    next = token(i);
    std::copy(next.begin(), next.end(), x.begin());
    std::int64_t before = testing::allocations();
    ASSERT_TRUE(c->set_input(0, view).ok());
    ASSERT_TRUE(c->run().ok());
    taken += testing::allocations() - before;
    ASSERT_EQ(values(c->output(0)), carried.step(i, 1)) << "step " << i;
  }
  EXPECT_EQ(taken, 0);
  EXPECT_EQ(c->state(0).data, keys);
  EXPECT_EQ(c->output(0).data, answer);
  EXPECT_EQ(c->arena_bytes(), arena);
  EXPECT_EQ(c->state(0).dims[c->state(0).rank - 2], 1007);
  for (int i = 0; i < 2; ++i) {
    Result<TensorView> cache = c->dense_output(1 + i);
    ASSERT_TRUE(cache.ok());
    EXPECT_EQ(values(*cache), carried.caches[i]);
  }
}

TEST_P(GrowingState, MakesRoomWhenNoneWasAskedFor) {
  Decoder d(GetParam());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(d.module, with_states());
  ASSERT_TRUE(linked.ok());
  std::unique_ptr<Context> c = context_of(*linked, 0, 3);
  Carried carried(d.module, GetParam());
  for (int i = 0; i < 150; ++i) {
    std::int64_t length = i % 50 == 20 ? 9 : 1;
    ASSERT_EQ(run_step(*c, i, length), carried.step(i, length)) << "step " << i;
  }
  ASSERT_TRUE(c->reset_states().ok());
  EXPECT_EQ(c->state(1).count(), 0);
  Carried again(d.module, GetParam());
  for (int i = 0; i < 3; ++i) ASSERT_EQ(run_step(*c, i, 1), again.step(i, 1));
}

TEST_P(GrowingState, SurvivesAFileAndGivesItsOutputToTheCaller) {
  Decoder d(GetParam());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(d.module, with_states());
  ASSERT_TRUE(linked.ok());
  std::vector<std::byte> bytes;
  const Plan* plans[] = {&(*linked)->plan};
  ASSERT_TRUE(write_plans(plans, [&](std::span<const std::byte> more) {
                bytes.insert(bytes.end(), more.begin(), more.end());
                return Status();
              }).ok());
  Result<std::shared_ptr<const LinkedPlan>> read = api::open_plan(api::borrow(bytes, "memory"));
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  std::unique_ptr<Context> c = context_of(*read);
  Carried carried(d.module, GetParam());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(run_step(*c, i, 2), carried.step(i, 2));
  carried.step(5, 2);
  std::vector<float> cache(carried.caches[0].size());
  std::vector<std::int64_t> shape{1, kHeads, 12, kSize};
  if (GetParam() > 0) shape.insert(shape.begin(), GetParam());
  ASSERT_TRUE(c->set_output(1, tensor(cache, shape)).ok());
  run_step(*c, 5, 2);
  EXPECT_EQ(cache, carried.caches[0]);
}

TEST_P(GrowingState, StaysAsItWasWhenARunEndsEarly) {
  Decoder d(GetParam());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(d.module, with_states());
  ASSERT_TRUE(linked.ok());
  std::unique_ptr<Context> c = context_of(*linked);
  Carried carried(d.module, GetParam());
  for (int i = 0; i < 40; ++i) {
    int steps = 0;
    c->set_after_step([&](const Step&, std::span<Cell* const>) {
      return ++steps == i % 5 + 1 ? Status(Code::kCancelled, "enough") : Status();
    });
    std::vector<float> wrong = token(1000 + i, 3);
    ASSERT_TRUE(c->set_input(0, tensor(wrong, {1, 3, kWidth})).ok());
    EXPECT_FALSE(c->run().ok());
    c->set_after_step(nullptr);
    ASSERT_EQ(run_step(*c, i, 1), carried.step(i, 1)) << "step " << i;
  }
}

// One plan, two threads, two caches.
TEST_P(GrowingState, IsItsContextsOwn) {
  Decoder d(GetParam());
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(d.module, with_states());
  ASSERT_TRUE(linked.ok());
  std::vector<float> got[2], want[2];
  auto work = [&](int who) {
    std::unique_ptr<Context> c = context_of(*linked, 0, 2);
    for (int i = 0; i < 60; ++i) got[who] = run_step(*c, 100 * who + i, 1);
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (int who = 0; who < 2; ++who) {
    Carried carried(d.module, GetParam());
    for (int i = 0; i < 60; ++i) want[who] = carried.step(100 * who + i, 1);
    EXPECT_EQ(got[who], want[who]);
  }
}

INSTANTIATE_TEST_SUITE_P(Layers, GrowingState, ::testing::Values(0, 1, 3));

// What looks like an append but is not: both copies of the past get something else behind them.
TEST(States, AreCopiedWhereTheirOutputIsNotAnAppend) {
  Module module;
  module.functions.push_back(Function{"main", {}, {}, {}, {}});
  module.signatures.push_back({"main", 0, {}});
  ValueId x = module.functions[0].add_input("x", Type::tensor(DType::f32, Shape{2, 1, 3}));
  ValueId past = module.functions[0].add_input("past", Type::tensor(DType::f32, Shape{2, Dim::symbol("past"), 3}));
  Builder b(module, 0, builtin_ops());
  ValueId first = b.add("gather", {past, b.scalar_int(0)});
  std::vector<ValueId> parts;
  for (int i = 0; i < 2; ++i) {
    ValueId made = b.add("gather", {x, b.scalar_int(i)});
    parts.push_back(b.add("unsqueeze", {b.add("concat", {first, made}, {{"axis", std::int64_t{0}}}), b.ints({0})}));
  }
  ValueId present = b.add("concat", parts, {{"axis", std::int64_t{0}}});
  b.append();
  module.functions[0].outputs = {present};
  module.functions[0].values[static_cast<std::size_t>(present)].name = "present";
  LoadOptions o;
  o.states = {{"past", "present"}};
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, o);
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  EXPECT_EQ((*linked)->plan.signatures[0].states[0].axis, kNone);
  std::unique_ptr<Context> c = context_of(*linked);
  std::vector<float> data(6);
  ASSERT_TRUE(c->set_input(0, tensor(data, {2, 1, 3})).ok());
  for (int i = 0; i < 3; ++i) {
    for (std::size_t k = 0; k < 6; ++k) data[k] = static_cast<float>(10 * i + static_cast<int>(k));
    ASSERT_TRUE(c->run().ok());
  }
  // Both halves begin with what the first one was.
  EXPECT_EQ(values(c->output(0)), (std::vector<float>{0, 1, 2, 10, 11, 12, 20, 21, 22,  //
                                                      0, 1, 2, 10, 11, 12, 23, 24, 25}));
}

}  // namespace
}  // namespace mote
