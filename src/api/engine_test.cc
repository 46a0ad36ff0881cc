// From a module to results: the CPU target against the reference target, on graphs built here.
#include "api/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "backends/cpu/cpu.h"
#include "backends/reference/reference.h"
#include "base/half.h"
#include "ir/builder.h"
#include "ops/ops.h"
#include "plan/file.h"

namespace mote {
namespace {

class Graph {
 public:
  Graph() {
    module.functions.push_back(Function{"main", {}, {}, {}, {}});
    module.signatures.push_back({"main", 0, {}});
  }
  ValueId input(const std::string& name, Shape shape, DType dtype = DType::f32) {
    return module.functions[0].add_input(name, Type::tensor(dtype, std::move(shape)));
  }
  ValueId weights(const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    std::vector<float> data(static_cast<std::size_t>(n));
    std::normal_distribution<float> normal;
    for (float& v : data) v = normal(random) * 0.25f;
    return b.constant(name, DType::f32, std::move(shape), to_bytes(std::span<const float>(data)));
  }
  Module finish(std::vector<ValueId> outputs) {
    EXPECT_TRUE(b.status().ok()) << b.status().to_string();
    b.append();
    module.functions[0].outputs = std::move(outputs);
    return module;
  }

  Module module;
  std::mt19937 random{42};
  Builder b{module, 0, builtin_ops()};
};

using Arrays = std::vector<std::vector<float>>;

// The module's plan written to memory and read back.
Result<std::shared_ptr<const LinkedPlan>> through_file(const LinkedPlan& linked, std::vector<std::byte>& bytes) {
  bytes.clear();
  const Plan* plans[] = {&linked.plan};
  MOTE_TRY(write_plans(plans, [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return Status();
  }));
  MOTE_TRY(verify_data(bytes));
  return api::open_plan(api::borrow(bytes, "memory"));
}

// The first outputs' elements for the given inputs.
Result<Arrays> run(const Module& module, const LoadOptions& options,
                   const std::vector<std::pair<std::vector<float>, std::vector<std::int64_t>>>& inputs, int threads = 1,
                   bool saved = false) {
  MOTE_ASSIGN(auto linked, api::build(module, options));
  std::vector<std::byte> bytes;
  if (saved) {
    MOTE_ASSIGN(linked, through_file(*linked, bytes));
  }
  ContextOptions with;
  with.threads = threads;
  MOTE_ASSIGN(auto context, Context::create(linked, with));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto* data = reinterpret_cast<std::byte*>(const_cast<float*>(inputs[i].first.data()));
    MOTE_TRY(context->set_input(static_cast<int>(i), TensorView::of(data, DType::f32, inputs[i].second)));
  }
  MOTE_TRY(context->run());
  Arrays out;
  for (int o = 0; o < context->output_count(); ++o) {
    const TensorView& v = context->output(o);
    out.emplace_back(v.as<float>(), v.as<float>() + v.count());
  }
  return out;
}

std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& x : v) x = normal(random);
  return v;
}

void expect_close(const Arrays& a, const Arrays& b, float tolerance = 1e-4f) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t o = 0; o < a.size(); ++o) {
    ASSERT_EQ(a[o].size(), b[o].size()) << "output " << o;
    for (std::size_t i = 0; i < a[o].size(); ++i)
      ASSERT_NEAR(a[o][i], b[o][i], tolerance) << "output " << o << " element " << i;
  }
}

void compare_targets(const Module& module,
                     const std::vector<std::pair<std::vector<float>, std::vector<std::int64_t>>>& inputs) {
  LoadOptions reference, plain;
  reference.target = "reference";
  reference.optimise = false;
  plain.optimise = false;
  Result<Arrays> want = run(module, reference, inputs);
  ASSERT_TRUE(want.ok()) << want.status().to_string();
  Result<Arrays> fast = run(module, {}, inputs), unoptimised = run(module, plain, inputs),
                 threaded = run(module, {}, inputs, 3);
  ASSERT_TRUE(fast.ok()) << fast.status().to_string();
  ASSERT_TRUE(unoptimised.ok()) << unoptimised.status().to_string();
  ASSERT_TRUE(threaded.ok()) << threaded.status().to_string();
  expect_close(*fast, *want);
  expect_close(*unoptimised, *want);
  EXPECT_EQ(*fast, *threaded);
  Result<Arrays> saved = run(module, {}, inputs, 1, true);
  ASSERT_TRUE(saved.ok()) << saved.status().to_string();
  EXPECT_EQ(*fast, *saved);
}

TEST(Engine, RunsASmallConvolutionNetworkLikeTheReference) {
  Graph g;
  ValueId x = g.input("x", {2, 3, 17, 13});
  ValueId y = g.b.add("conv", {x, g.weights("w1", {8, 3, 3, 3}), g.weights("b1", {8})},
                      {{"strides", std::vector<std::int64_t>{2, 2}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  y = g.b.add("relu", {y});
  ValueId d = g.b.add("conv", {y, g.weights("w2", {8, 1, 3, 3})},
                      {{"group", std::int64_t{8}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  ValueId sum = g.b.add("add", {d, y});
  ValueId pooled =
      g.b.add("max_pool", {sum},
              {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  ValueId last = g.b.add("conv", {pooled, g.weights("w3", {20, 8, 1, 1})});
  compare_targets(g.finish({last, sum}), {{noise(2 * 3 * 17 * 13, 1), {2, 3, 17, 13}}});
}

TEST(Engine, ConcatenatesSlicesAndSplitsAsViews) {
  Graph g;
  ValueId x = g.input("x", {2, 6, 5, 4}), z = g.input("z", {2, 3, 5, 4});
  std::vector<ValueId> parts = g.b.add_multi("split", {x, g.b.ints({2, 4})}, 2, {{"axis", std::int64_t{1}}});
  ValueId a = g.b.add("relu", {parts[0]}), c = g.b.add("sigmoid", {parts[1]});
  ValueId joined = g.b.add("concat", {a, z, c, parts[0]}, {{"axis", std::int64_t{1}}});
  ValueId slice = g.b.add("slice", {joined, g.b.ints({1, 1}), g.b.ints({10, 5}), g.b.ints({1, 2}), g.b.ints({3, 2})});
  ValueId turned = g.b.add("transpose", {slice}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  ValueId flat = g.b.add("reshape", {turned, g.b.ints({2, -1})});
  compare_targets(g.finish({joined, flat, z, g.b.add("concat", {z, z}, {{"axis", std::int64_t{0}}})}),
                  {{noise(2 * 6 * 5 * 4, 1), {2, 6, 5, 4}}, {noise(2 * 3 * 5 * 4, 2), {2, 3, 5, 4}}});
}

TEST(Engine, KeepsChannelsLastThroughABranchedNetwork) {
  Graph g;
  ValueId x = g.input("x", {1, 16, 9, 9});
  ValueId s = g.b.add("relu", {g.b.add("conv", {x, g.weights("w1", {8, 16, 1, 1})})});
  ValueId a = g.b.add("relu", {g.b.add("conv", {s, g.weights("w2", {12, 8, 1, 1})})});
  ValueId b = g.b.add("relu", {g.b.add("conv", {s, g.weights("w3", {20, 8, 3, 3})},
                                       {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}})});
  ValueId joined = g.b.add("concat", {a, b}, {{"axis", std::int64_t{1}}});
  ValueId pooled =
      g.b.add("max_pool", {joined},
              {{"kernel_shape", std::vector<std::int64_t>{3, 3}}, {"strides", std::vector<std::int64_t>{2, 2}}});
  ValueId scale = g.b.add("sigmoid", {g.b.add("global_average_pool", {pooled})});
  ValueId scaled = g.b.add("mul", {pooled, scale});
  ValueId shuffled = g.b.add("reshape", {scaled, g.b.ints({1, 2, 16, 4, 4})});
  shuffled = g.b.add("reshape", {g.b.add("transpose", {shuffled}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3, 4}}}),
                                 g.b.ints({1, 32, 4, 4})});
  ValueId last = g.b.add("conv", {shuffled, g.weights("w4", {5, 32, 3, 3})});
  compare_targets(g.finish({last}), {{noise(16 * 81, 3), {1, 16, 9, 9}}});
}

// What the passes make of a transposed convolution, beside the map it is joined with: of its moves one copy is left.
TEST(Engine, KeepsChannelsLastThroughDepthToSpace) {
  Graph g;
  ValueId x = g.input("x", {2, 16, 6, 5});
  ValueId y = g.b.add("depth_to_space", {g.b.add("conv", {x, g.weights("w1", {32, 16, 1, 1})})},
                      {{"blocksize", std::int64_t{2}}, {"mode", std::string("DCR")}});
  ValueId skip = g.b.add("conv", {g.b.add("relu", {y}), g.weights("w2", {8, 8, 3, 3})},
                         {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  ValueId joined = g.b.add("concat", {skip, g.b.add("sigmoid", {y})}, {{"axis", std::int64_t{1}}});
  Module module = g.finish({g.b.add("conv", {joined, g.weights("w3", {5, 16, 3, 3})})});
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, {});
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  const Plan& plan = (*linked)->plan;
  std::vector<std::string> copies;
  for (const Step& step : plan.functions[static_cast<std::size_t>(plan.signatures[0].function)].steps) {
    if (step.kernel >= 0 && plan.kernels[static_cast<std::size_t>(step.kernel)].name == "copy")
      copies.push_back(step.why);
  }
  EXPECT_EQ(copies, (std::vector<std::string>{"to channels-last", "to channels-last", "to row-major"}));
  compare_targets(module, {{noise(2 * 16 * 30, 4), {2, 16, 6, 5}}});
}

TEST(Engine, LooksUpIntoPartsOfAWhole) {
  Graph g;
  std::vector<std::byte> codes(256);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(255 - i);
  ValueId table = g.b.constant("table", DType::u8, {256}, std::move(codes)), scale = g.b.scalar(0.02, DType::f32),
          zero = g.b.scalar(128, DType::u8);
  std::vector<ValueId> wholes;
  for (std::int64_t axis : {1, 3}) {
    ValueId x = g.b.add("quantize_linear", {g.input("x" + std::to_string(axis), {2, 6, 5, 4}), scale, zero});
    ValueId joined = g.b.add("concat", {g.b.add("lookup", {x, table}), x}, {{"axis", axis}});
    wholes.push_back(g.b.add("dequantize_linear", {joined, scale, zero}));
  }
  compare_targets(g.finish(wholes), {{noise(240, 1), {2, 6, 5, 4}}, {noise(240, 2), {2, 6, 5, 4}}});
}

TEST(Engine, AttendsLikeTheReference) {
  for (int kind = 0; kind < 3; ++kind) {
    Graph g;
    std::int64_t keys = kind == 1 ? 70 : 37, kv_heads = kind == 2 ? 2 : 4;
    ValueId x = g.input("x", {2, 70, 4, 24});
    ValueId q = g.b.add("transpose", {x}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    ValueId k = g.weights("k", {2, kv_heads, keys, 24}), v = g.weights("v", {2, kv_heads, keys, 16});
    std::vector<ValueId> inputs{q, k, v};
    if (kind == 0) inputs.push_back(g.weights("mask", {2, 1, 1, keys}));
    ValueId y = g.b.add("attention", inputs, {{"is_causal", std::int64_t{kind == 1}}});
    ValueId turned = g.b.add("transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    compare_targets(g.finish({turned}), {{noise(2 * 70 * 4 * 24, 9), {2, 70, 4, 24}}});
  }
}

TEST(Engine, RunsRecurrentCellsLikeTheReference) {
  for (bool lstm : {true, false}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      Graph g;
      std::int64_t d = direction[0] == 'b' ? 2 : 1, h = 19, gates = lstm ? 4 : 3;
      ValueId x = g.input("x", {7, 11, 5});
      std::vector<ValueId> inputs{x,
                                  g.weights("w", {d, gates * h, 5}),
                                  g.weights("r", {d, gates * h, h}),
                                  g.weights("b", {d, 2 * gates * h}),
                                  kNone,
                                  g.weights("h0", {d, 11, h})};
      if (lstm) inputs.push_back(g.weights("c0", {d, 11, h}));
      std::vector<Attrs::Item> attrs{{"direction", std::string(direction)}, {"hidden_size", h}};
      if (!lstm) attrs.emplace_back("linear_before_reset", std::int64_t{1});
      std::vector<ValueId> y = g.b.add_multi(lstm ? "lstm" : "gru", inputs, lstm ? 3 : 2, attrs);
      compare_targets(g.finish(y), {{noise(7 * 11 * 5, 9), {7, 11, 5}}});
    }
  }
}

TEST(Engine, FindsAndChoosesLikeTheReference) {
  Graph g;
  ValueId x = g.input("x", {2, 40, 4}), s = g.input("s", {2, 3, 40});
  ValueId few = g.b.ints({7});
  const float limits[] = {0.4f, -0.2f};
  ValueId overlap = g.b.constant("overlap", DType::f32, {}, to_bytes(std::span<const float>(limits, 1)));
  ValueId least = g.b.constant("least", DType::f32, {}, to_bytes(std::span<const float>(limits + 1, 1)));
  ValueId chosen = g.b.add("non_max_suppression", {x, s, few, overlap, least});
  ValueId centre = g.b.add("non_max_suppression", {x, s, few}, {{"center_point_box", std::int64_t{1}}});
  ValueId found = g.b.add("non_zero", {g.b.add("relu", {s})});
  compare_targets(g.finish({chosen, centre, found}), {{noise(320, 5), {2, 40, 4}}, {noise(240, 6), {2, 3, 40}}});
}

TEST(Engine, GivesAShapeFoundAtRunTimeAPlaceOnceItIsKnown) {
  Graph g;
  ValueId found = g.b.add("cast", {g.b.add("non_zero", {g.input("x", {2, 3})})}, {{"to", DType::f32}});
  compare_targets(g.finish({g.b.add("relu", {g.b.add("reshape", {found, g.b.ints({3, 4})})})}),
                  {{noise(6, 3), {2, 3}}});
}

TEST(Engine, MultipliesByWeightsThatRepeatAlongAnInnerBatchAxis) {
  Graph g;
  compare_targets(g.finish({g.b.add("matmul", {g.input("x", {2, 2, 3, 4}), g.weights("w", {2, 1, 4, 5})})}),
                  {{noise(48, 3), {2, 2, 3, 4}}});
}

TEST(Engine, MultipliesByPackedWeightsWhereRowsAreFoundAtRunTime) {
  Graph g;
  ValueId found = g.b.add("cast", {g.b.add("non_zero", {g.input("x", {2, 3})})}, {{"to", DType::f32}});
  ValueId rows = g.b.add("transpose", {found});
  compare_targets(g.finish({g.b.add("matmul", {rows, g.weights("w", {2, 5})})}), {{noise(6, 3), {2, 3}}});
}

TEST(Engine, ResizesByConstantFactorsWhatIsFoundAtRunTime) {
  Graph g;
  ValueId found = g.b.add("cast", {g.b.add("non_zero", {g.input("x", {2, 3})})}, {{"to", DType::f32}});
  ValueId image = g.b.add("unsqueeze", {found, g.b.ints({0, 1})});
  const float by[] = {1, 1, 2, 1.5f};
  ValueId factors = g.b.constant("factors", DType::f32, {4}, to_bytes(std::span<const float>(by)));
  compare_targets(g.finish({g.b.add("resize", {image, kNone, factors}, {{"mode", std::string("linear")}})}),
                  {{noise(6, 3), {2, 3}}});
}

TEST(Engine, MultipliesATransposedLeftOperandLikeTheReference) {
  Graph g;
  ValueId x = g.input("x", {2, 7, 5});
  ValueId y = g.b.add("matmul", {x, g.weights("w", {7, 9})}, {{"trans_a", std::int64_t{1}}});
  compare_targets(g.finish({g.b.add("relu", {y})}), {{noise(70, 4), {2, 7, 5}}});
}

TEST(Engine, RunsSixteenBitFloatsOnTheKernelsOfF32) {
  for (DType narrow : {DType::f16, DType::bf16}) {
    Graph g;
    auto cast = [&](ValueId v, DType to) { return g.b.add("cast", {v}, {{"to", to}}); };
    ValueId x = cast(g.input("x", {1, 5, 9, 7}), narrow), w = cast(g.weights("w", {6, 5, 3, 3}), narrow);
    ValueId y = g.b.add("conv", {x, w}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    y = g.b.add("relu", {g.b.add("add", {y, g.b.add("conv", {x, w}, {{"pads", std::vector<std::int64_t>(4, 1)}})})});
    Module module = g.finish({cast(y, DType::f32), y});
    Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, {});
    ASSERT_TRUE(linked.ok()) << linked.status().to_string();
    for (const NamedVersion& k : (*linked)->plan.kernels)
      EXPECT_EQ(k.name.find("reference"), std::string::npos) << k.name;
    module.functions[0].outputs.pop_back();
    LoadOptions reference;
    reference.target = "reference";
    Result<Arrays> want = run(module, reference, {{noise(315, 6), {1, 5, 9, 7}}});
    Result<Arrays> got = run(module, {}, {{noise(315, 6), {1, 5, 9, 7}}});
    ASSERT_TRUE(want.ok() && got.ok()) << want.status().to_string() << got.status().to_string();
    expect_close(*got, *want, narrow == DType::f16 ? 0.02f : 0.15f);
  }
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// Products, 1x1 convolutions and an LSTM with weights that are large enough to stay in 16 bits. `narrow`: what the file
// keeps them in; none: f32, and their values those of f32 or of `rounded`.
Module with_large_weights(DType narrow, DType rounded, int* weights) {
  Graph g;
  auto kept = [&](const std::string& name, std::vector<std::int64_t> shape) {
    ValueId v = g.weights(name, std::move(shape));
    const DType to = narrow != DType::none ? narrow : rounded;
    if (to == DType::none) return v;
    Function& f = g.module.functions[0];
    Constant c = g.module.constants[static_cast<std::size_t>(f.values[static_cast<std::size_t>(v)].constant)];
    const auto* x = reinterpret_cast<const float*>(c.stored().data());
    std::vector<std::uint16_t> half;
    std::vector<float> wide;
    for (std::size_t i = 0; i < c.size / 4; ++i) {
      half.push_back(to == DType::f16 ? f32_to_f16(x[i]) : f32_to_bf16(x[i]));
      wide.push_back(to == DType::f16 ? f16_to_f32(half.back()) : bf16_to_f32(half.back()));
    }
    *weights += static_cast<int>(wide.size());
    if (narrow == DType::none)
      return g.b.constant(name, DType::f32, c.stored_shape, to_bytes(std::span<const float>(wide)));
    v = g.b.constant(name, narrow, c.stored_shape, to_bytes(std::span<const std::uint16_t>(half)));
    return g.b.add("cast", {v}, {{"to", DType::f32}});
  };
  ValueId x = g.input("x", {1, 200, 3, 3});
  ValueId y = g.b.add("relu", {g.b.add("conv", {x, kept("w1", {170, 200, 1, 1}), g.weights("b1", {170})})});
  y = g.b.add("reshape", {y, g.b.ints({9, 1, 170})});
  y = g.b.add_multi("lstm", {y, kept("w", {1, 240, 170}), kept("r", {1, 240, 60}), g.weights("b", {1, 480})}, 1,
                    {{"hidden_size", std::int64_t{60}}})[0];
  y = g.b.add("matmul", {g.b.add("reshape", {y, g.b.ints({-1, 60})}), kept("w2", {60, 600})});
  return g.finish({g.b.add("gemm", {y, kept("w3", {70, 600})}, {{"transB", std::int64_t{1}}})});
}

TEST(Engine, KeepsWeightsOf16BitsWithTheBitsOfF32) {
  for (DType narrow : {DType::f16, DType::bf16}) {
    int count = 0;
    Module halves = with_large_weights(narrow, DType::none, &count),
           wide = with_large_weights(DType::none, narrow, &count);
    const std::vector<std::pair<std::vector<float>, std::vector<std::int64_t>>> inputs = {
        {noise(1800, 3), {1, 200, 3, 3}}};
    Result<std::shared_ptr<const LinkedPlan>> narrow_plan = api::build(halves, {}), wide_plan = api::build(wide, {});
    ASSERT_TRUE(narrow_plan.ok() && wide_plan.ok()) << narrow_plan.status().to_string();
    EXPECT_LT((*narrow_plan)->plan.weight_bytes() * 3, (*wide_plan)->plan.weight_bytes() * 2);
    Result<Arrays> got = run(halves, {}, inputs, 2, true), want = run(wide, {}, inputs);
    ASSERT_TRUE(got.ok() && want.ok()) << got.status().to_string() << want.status().to_string();
    EXPECT_EQ(*got, *want);
  }
}

TEST(Engine, RoundsWeightsTo16BitsAtACosineOf0999) {
  int count = 0;
  const Module module = with_large_weights(DType::none, DType::none, &count);
  const std::vector<std::pair<std::vector<float>, std::vector<std::int64_t>>> inputs = {
      {noise(1800, 3), {1, 200, 3, 3}}};
  Result<Arrays> want = run(module, {}, inputs);
  ASSERT_TRUE(want.ok());
  for (Precision precision : {Precision::kF16, Precision::kBf16}) {
    LoadOptions options;
    options.precision = precision;
    Result<std::shared_ptr<const LinkedPlan>> plain = api::build(module, {}), linked = api::build(module, options);
    ASSERT_TRUE(plain.ok() && linked.ok());
    EXPECT_LT((*linked)->plan.weight_bytes() * 3, (*plain)->plan.weight_bytes() * 2);
    Result<Arrays> got = run(module, options, inputs);
    ASSERT_TRUE(got.ok()) << got.status().to_string();
    EXPECT_NE(*got, *want);
    EXPECT_GE(cosine((*got)[0], (*want)[0]), 0.999);
  }
}

// Weights of few bits stay as they are: of a file's form with whole blocks or not, signed or not, either way round.
TEST(Engine, MultipliesByWeightsInBlocks) {
  for (std::int64_t k_axis : {0, 1}) {
    for (DType dtype : {DType::u4, DType::i4, DType::u8, DType::i8, DType::u2}) {
      Graph g;
      const std::int64_t n = 37, k = 75, depth = dtype == DType::u2 ? 96 : 75, block = 32, blocks = 3;
      auto sided = [&](std::int64_t along) {
        return k_axis == 1 ? std::vector<std::int64_t>{n, along} : std::vector<std::int64_t>{along, n};
      };
      std::vector<std::byte> codes(static_cast<std::size_t>(bytes_of(dtype, n * depth)));
      for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(i * 7 + i / 5);
      std::vector<std::byte> zeros(static_cast<std::size_t>(bytes_of(dtype, n * blocks)));
      for (std::size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<std::byte>(i * 3 + 1);
      ValueId w = g.b.constant("w", dtype, sided(depth), std::move(codes));
      ValueId z = g.b.constant("z", dtype, sided(blocks), std::move(zeros));
      ValueId wide = g.b.add("dequantize_linear",
                             {w, g.b.add("mul", {g.weights("s", sided(blocks)), g.b.scalar(0.01, DType::f32)}), z},
                             {{"axis", k_axis}, {"block_size", block}});
      if (depth != k) wide = g.b.add("slice", {wide, g.b.ints({0}), g.b.ints({k}), g.b.ints({k_axis})});
      if (k_axis == 1) wide = g.b.add("transpose", {wide}, {{"perm", std::vector<std::int64_t>{1, 0}}});
      ValueId x = g.input("x", {2, 3, k}), r = g.input("r", {2, 3, n});
      ValueId y = g.b.add("add", {g.b.add("matmul", {x, wide}), g.weights("bias", {n})});
      Module module = g.finish({g.b.add("gelu", {g.b.add("add", {y, r})})});
      Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, {});
      ASSERT_TRUE(linked.ok()) << linked.status().to_string();
      ASSERT_EQ((*linked)->plan.functions[0].steps.size(), 1u) << name_of(dtype);
      EXPECT_LT((*linked)->plan.weight_bytes(), static_cast<std::uint64_t>(n * k * 4) / 2);
      compare_targets(module, {{noise(450, 8), {2, 3, k}}, {noise(222, 9), {2, 3, n}}});
    }
  }
}

TEST(Engine, PacksQuantizedWeights) {
  Graph g;
  std::vector<std::byte> codes(6 * 5 * 3 * 3);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(i * 7);
  ValueId w = g.b.constant("w", DType::i8, {6, 5, 3, 3}, std::move(codes));
  ValueId y =
      g.b.add("conv", {g.input("x", {1, 5, 9, 7}), g.b.add("dequantize_linear", {w, g.b.scalar(0.01, DType::f32)})});
  Module module = g.finish({y});
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, {});
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  for (const NamedVersion& k : (*linked)->plan.kernels)
    EXPECT_EQ(k.name.find("reference"), std::string::npos) << k.name;
  compare_targets(module, {{noise(315, 8), {1, 5, 9, 7}}});
}

TEST(Engine, BindsSymbolsPerRunWithoutANewPlan) {
  Graph g;
  ValueId x = g.input("x", {Dim::symbol("N"), 3, Dim::symbol("H"), 12});
  ValueId y = g.b.add("conv", {x, g.weights("w", {6, 3, 3, 3})}, {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  y = g.b.add("relu", {y});
  y = g.b.add("average_pool", {y}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  Module module = g.finish({y});
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(module, {});
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  Result<std::unique_ptr<Context>> context = Context::create(*linked);
  ASSERT_TRUE(context.ok());
  for (std::int64_t h : {9, 4, 30, 9}) {
    std::vector<float> data = noise(static_cast<std::size_t>(2 * 3 * h * 12), 5);
    std::vector<std::int64_t> shape{2, 3, h, 12};
    ASSERT_TRUE(
        (*context)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(data.data()), DType::f32, shape)).ok());
    Status s = (*context)->run();
    ASSERT_TRUE(s.ok()) << s.to_string();
    const TensorView& out = (*context)->output(0);
    EXPECT_EQ(out.dims[2], h - 1);
    LoadOptions reference;
    reference.target = "reference";
    Result<Arrays> want = run(module, reference, {{data, shape}});
    ASSERT_TRUE(want.ok()) << want.status().to_string();
    expect_close({std::vector<float>(out.as<float>(), out.as<float>() + out.count())}, *want);
  }
  std::vector<float> wrong(3);
  EXPECT_FALSE((*context)
                   ->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(wrong.data()), DType::f32,
                                                 std::vector<std::int64_t>{3}))
                   .ok());
}

TEST(Engine, RefusesDamagedPlanFiles) {
  Graph g;
  ValueId x = g.input("x", {1, 4, 6, 6});
  ValueId y = g.b.add("relu", {g.b.add("conv", {x, g.weights("w", {4, 4, 3, 3})})});
  Result<std::shared_ptr<const LinkedPlan>> linked = api::build(g.finish({y}), {});
  ASSERT_TRUE(linked.ok());
  std::vector<std::byte> bytes;
  ASSERT_TRUE(through_file(**linked, bytes).ok());
  for (std::size_t cut :
       {std::size_t{0}, std::size_t{7}, std::size_t{31}, std::size_t{90}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_FALSE(api::open_plan(api::borrow(std::span(bytes).first(cut), "cut")).ok()) << cut;
  }
  // Any damaged byte of the header, the table or the plan is noticed.
  for (std::size_t at = 0; at < bytes.size(); at += at < 200 ? 1 : 97) {
    std::vector<std::byte> damaged = bytes;
    damaged[at] ^= std::byte{0x10};
    if (at < 96) {
      EXPECT_FALSE(api::open_plan(api::borrow(damaged, "damaged")).ok()) << at;
    }
  }
}

}  // namespace
}  // namespace mote
