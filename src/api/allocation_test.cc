// What a run costs besides its kernels: no allocation, no packing, memory as planned; and how finely a deadline cuts.
#include <gtest/gtest.h>

#include <cmath>

#include "api/allocation_counter.h"
#include "api/engine.h"
#include "base/buffer.h"
#include "ir/builder.h"
#include "ops/ops.h"

namespace mote {
namespace {

using Ints = std::vector<std::int64_t>;

struct Net {
  Net() {
    module.functions.push_back(Function{"main", {}, {}, {}, {}});
    module.signatures.push_back({"main", 0, {}});
  }
  ValueId input(Shape shape) { return module.functions[0].add_input("x", Type::tensor(DType::f32, std::move(shape))); }
  ValueId weights(Ints shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    std::vector<float> data(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = 0.1f * std::sin(static_cast<float>(i));
    return b.constant("w" + std::to_string(next_++), DType::f32, std::move(shape),
                      to_bytes(std::span<const float>(data)));
  }
  Module finish(ValueId y) {
    EXPECT_TRUE(b.status().ok()) << b.status().to_string();
    b.append();
    module.functions[0].outputs = {y};
    return std::move(module);
  }
  Module module;
  Builder b{module, 0, builtin_ops()};

 private:
  int next_ = 0;
};

std::unique_ptr<Context> context_of(Module module, int threads) {
  auto linked = api::build(std::move(module), {});
  EXPECT_TRUE(linked.ok()) << linked.status().to_string();
  ContextOptions o;
  o.threads = threads;
  auto c = Context::create(*linked, o);
  EXPECT_TRUE(c.ok());
  return *std::move(c);
}

TensorView view(std::vector<float>& data, const Ints& shape) {
  return TensorView::of(reinterpret_cast<std::byte*>(data.data()), DType::f32, shape);
}

Module vision(Shape shape) {
  Net n;
  auto& b = n.b;
  ValueId x = b.add("conv", {n.input(std::move(shape)), n.weights({16, 3, 3, 3}), n.weights({16})},
                    {{"pads", Ints{1, 1, 1, 1}}});
  x = b.add("relu", {x});
  ValueId d = b.add("conv", {x, n.weights({16, 1, 3, 3})}, {{"group", std::int64_t{16}}, {"pads", Ints{1, 1, 1, 1}}});
  x = b.add("concat", {b.add("conv", {d, n.weights({24, 16, 1, 1})}), x}, {{"axis", std::int64_t{1}}});
  x = b.add("max_pool", {x}, {{"kernel_shape", Ints{2, 2}}});
  x = b.add("mul", {x, b.add("sigmoid", {b.add("global_average_pool", {x})})});
  x = b.add("reshape", {b.add("global_average_pool", {x}), b.ints({-1, 40})});
  return n.finish(b.add("softmax", {b.add("gemm", {x, n.weights({40, 10}), n.weights({10})})}));
}

Module text(Shape shape) {
  Net n;
  auto& b = n.b;
  ValueId x = n.input(std::move(shape));
  auto heads = [&](ValueId v) {
    ValueId split = b.add("reshape", {b.add("matmul", {v, n.weights({32, 32})}), b.ints({1, -1, 4, 8})});
    return b.add("transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}});
  };
  ValueId y = b.add("layer_normalization", {x, n.weights({32}), n.weights({32})});
  ValueId q = heads(y), k = heads(y), v = heads(y);
  y = b.add("reshape",
            {b.add("transpose", {b.add("attention", {q, k, v})}, {{"perm", Ints{0, 2, 1, 3}}}), b.ints({1, -1, 32})});
  return n.finish(b.add("add", {x, b.add("gelu", {y})}));
}

TEST(Allocation, NoneWhileStaticShapesRun) {
  for (int threads : {1, 2, 4}) {
    for (bool is_text : {false, true}) {
      std::unique_ptr<Context> c = context_of(is_text ? text({1, 33, 32}) : vision({2, 3, 19, 23}), threads);
      Ints shape = is_text ? Ints{1, 33, 32} : Ints{2, 3, 19, 23};
      std::vector<float> x(2 * 3 * 19 * 23, 0.5f);
      TensorView in = view(x, shape);
      ASSERT_TRUE(c->set_input(0, in).ok());
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(c->run().ok());
      std::int64_t before = testing::allocations();
      for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(c->set_input(0, in).ok());
        ASSERT_TRUE(c->run().ok());
      }
      EXPECT_EQ(testing::allocations() - before, 0) << threads << " threads, " << (is_text ? "text" : "vision");
    }
  }
}

// A row of tensors whose size a run decides: as many are held as are alive at once, and each run takes those again.
TEST(Allocation, RunTimeShapesTakeTheMemoryOfDeadOnes) {
  constexpr std::int64_t kCount = 64 << 10, kSteps = 12;
  Net n;
  auto& b = n.b;
  ValueId x = n.input({kCount});
  ValueId found = b.add("reshape", {b.add("non_zero", {x}), b.ints({-1})});
  ValueId y = b.add("gather", {x, found}, {{"axis", std::int64_t{0}}});
  for (std::int64_t i = 0; i < kSteps; ++i) y = b.add("cumsum", {y, b.ints({0})});
  std::unique_ptr<Context> c = context_of(n.finish(y), 2);
  std::vector<float> data(kCount, 1.0f);
  TensorView in = view(data, {kCount});
  std::int64_t before = allocated_bytes();
  ASSERT_TRUE(c->set_input(0, in).ok());
  ASSERT_TRUE(c->run().ok());
  EXPECT_LT(allocated_bytes() - before, (2 * 8 + 4 * 4) * kCount) << "the indices twice, and a few of the rest";
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(c->run().ok());
  std::int64_t held = allocated_bytes();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(c->run().ok());
  EXPECT_EQ(allocated_bytes(), held);
}

// A thousand shapes of one plan: once the largest has run, none takes memory; nothing is packed again.
TEST(Allocation, NoneForNewShapesOfOnePlan) {
  struct Case {
    Module module;
    Ints (*shape)(int);
  } cases[] = {{vision({Dim::symbol("N"), 3, Dim::symbol("H"), Dim::symbol("W")}),
                [](int i) {
                  return Ints{1 + i % 3, 3, 4 + i % 17, 5 + i % 13};
                }},
               {text({1, Dim::symbol("length"), 32}), [](int i) {
                  return Ints{1, 1 + i % 97, 32};
                }}};
  for (Case& each : cases) {
    bool is_text = each.shape(0).size() == 3;
    std::unique_ptr<Context> c = context_of(std::move(each.module), 2);
    std::vector<float> x(3 * 3 * 21 * 18 + 100 * 32, 0.5f);
    TensorView largest = view(x, is_text ? Ints{1, 97, 32} : Ints{3, 3, 20, 17});
    ASSERT_TRUE(c->set_input(0, largest).ok());
    ASSERT_TRUE(c->run().ok());
    std::vector<TensorView> views;
    for (int i = 0; i < 1000; ++i) views.push_back(view(x, each.shape(i)));
    // Once through all of them: kernels may want more scratch for a smaller shape.
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(c->set_input(0, views[static_cast<std::size_t>(i)]).ok());
      ASSERT_TRUE(c->run().ok());
    }
    std::int64_t before = testing::allocations(), held = allocated_bytes(), arena = c->arena_bytes();
    for (const TensorView& v : views) {
      ASSERT_TRUE(c->set_input(0, v).ok());
      Status s = c->run();
      ASSERT_TRUE(s.ok()) << s.to_string();
    }
    EXPECT_EQ(testing::allocations() - before, 0) << (is_text ? "text" : "vision");
    EXPECT_EQ(allocated_bytes(), held);
    EXPECT_EQ(c->arena_bytes(), arena);
  }
}

// The arena's size is stated before the run, as a number or a formula, and is what is taken.
TEST(Allocation, TheArenaIsAsLargeAsPlanned) {
  for (bool symbolic : {false, true}) {
    Shape shape = symbolic ? Shape{1, Dim::symbol("length"), 32} : Shape{1, 77, 32};
    auto linked = api::build(text(shape), {});
    ASSERT_TRUE(linked.ok());
    std::string planned = api::describe(**linked).arena;
    Result<Dim> formula = Dim::parse(planned);
    ASSERT_TRUE(formula.ok()) << planned;
    EXPECT_EQ(formula->is_const(), !symbolic) << planned;
    for (std::int64_t length : {77, 5}) {
      if (!symbolic && length != 77) continue;
      auto context = Context::create(*linked);
      ASSERT_TRUE(context.ok());
      std::vector<float> x(77 * 32);
      ASSERT_TRUE((*context)->set_input(0, view(x, {1, length, 32})).ok());
      ASSERT_TRUE((*context)->run().ok());
      auto lookup = [&](std::string_view) { return std::optional<std::int64_t>(length); };
      EXPECT_EQ((*context)->arena_bytes(), formula->evaluate(lookup)) << planned;
    }
  }
}

// A row of equally large values takes the memory of two, of which one is the result; it is not an input of a run that
// would write over it.
TEST(Allocation, ResultsTakeTheMemoryOfDeadValues) {
  constexpr std::int64_t kCount = 64 << 10;
  Net n;
  ValueId y = n.input({kCount});
  for (int i = 0; i < 5; ++i) y = n.b.add("cumsum", {y, n.b.ints({0})});
  std::unique_ptr<Context> c = context_of(n.finish(y), 1);
  std::vector<float> data(kCount, 0.0f), own(kCount);
  data[0] = 1;
  ASSERT_TRUE(c->set_input(0, view(data, {kCount})).ok());
  const std::int64_t before = allocated_bytes();
  ASSERT_TRUE(c->run().ok());
  EXPECT_EQ(c->arena_bytes(), 2 * 4 * kCount);
  EXPECT_LT(allocated_bytes() - before, 2 * 4 * kCount + (64 << 10));
  EXPECT_EQ(c->output(0).as<float>()[2], 15.0f);

  ASSERT_TRUE(c->set_input(0, c->output(0)).ok());
  Status refused = c->run();
  EXPECT_EQ(refused.code(), Code::kInvalid);
  EXPECT_NE(refused.message().find("result"), std::string_view::npos) << refused.message();

  ASSERT_TRUE(c->set_input(0, view(data, {kCount})).ok());
  ASSERT_TRUE(c->set_output(0, view(own, {kCount})).ok());
  ASSERT_TRUE(c->run().ok());
  EXPECT_EQ(own[2], 15.0f);
}

// Multiply-adds, or elements, that one thread computes between two looks at the clock.
std::int64_t work_between_polls(Module module, const Ints& shape, double work) {
  std::unique_ptr<Context> c = context_of(std::move(module), 1);
  std::int64_t n = 1;
  for (std::int64_t d : shape) n *= d;
  // Cancelled before the first step: everything is set up, nothing is computed.
  Result<Buffer> memory = Buffer::allocate(n * 4, "input");
  EXPECT_TRUE(memory.ok());
  EXPECT_TRUE(c->set_input(0, TensorView::of(memory->data(), DType::f32, shape)).ok());
  std::atomic<bool> cancel{true};
  ContextRun run;
  run.cancel = &cancel;
  Status s = c->run(run);
  EXPECT_EQ(s.code(), Code::kCancelled) << s.to_string();
  std::int64_t tiles = 0;
  for (std::size_t i = 0; i < c->linked().plan.functions[0].steps.size(); ++i) tiles = std::max(tiles, c->tiles(i));
  EXPECT_GT(tiles, 0);
  // Where there is a deadline, threads look at the clock before every tile.
  return static_cast<std::int64_t>(work / static_cast<double>(std::max<std::int64_t>(tiles, 1)));
}

// A core that does 50 multiply-adds, or moves one element, per nanosecond needs a millisecond for this much.
constexpr std::int64_t kMacs = 50'000'000, kElements = 1'000'000;

TEST(Deadline, CutsAHugeLayerFinely) {
  {
    Net n;
    ValueId y =
        n.b.add("conv", {n.input({1, 256, 224, 224}), n.weights({256, 256, 3, 3})}, {{"pads", Ints{1, 1, 1, 1}}});
    EXPECT_LE(work_between_polls(n.finish(y), {1, 256, 224, 224}, 224.0 * 224 * 256 * 256 * 9), kMacs);
  }
  {
    Net n;
    ValueId y = n.b.add("conv", {n.input({1, 512, 224, 224}), n.weights({512, 1, 3, 3})},
                        {{"group", std::int64_t{512}}, {"pads", Ints{1, 1, 1, 1}}});
    EXPECT_LE(work_between_polls(n.finish(y), {1, 512, 224, 224}, 224.0 * 224 * 512 * 9), kMacs);
  }
  {
    Net n;
    ValueId y = n.b.add("matmul", {n.input({4096, 2048}), n.weights({2048, 2048})});
    EXPECT_LE(work_between_polls(n.finish(y), {4096, 2048}, 4096.0 * 2048 * 2048), kMacs);
  }
  {
    Net n;
    ValueId x = n.input({1, 32, 2048, 64});
    EXPECT_LE(
        work_between_polls(n.finish(n.b.add("attention", {x, x, x})), {1, 32, 2048, 64}, 32.0 * 2048 * 2048 * 64 * 2),
        kMacs);
  }
  for (const char* op : {"exp", "add", "softmax", "transpose", "layer_normalization", "reduce_sum"}) {
    Net n;
    ValueId x = n.input({16, 1024, 1024}), y = kNone;
    std::string name = op;
    if (name == "add") {
      y = n.b.add("add", {x, x});
    } else if (name == "transpose") {
      y = n.b.add("relu", {n.b.add("transpose", {x}, {{"perm", Ints{2, 1, 0}}})});
    } else if (name == "layer_normalization") {
      y = n.b.add(name, {x, n.weights({1024}), n.weights({1024})});
    } else if (name == "reduce_sum") {
      y = n.b.add(name, {x, n.b.ints({0, 1, 2})});
    } else {
      y = n.b.add(name, {x});
    }
    EXPECT_LE(work_between_polls(n.finish(y), {16, 1024, 1024}, 16.0 * 1024 * 1024), kElements) << op;
  }
}

}  // namespace
}  // namespace mote
