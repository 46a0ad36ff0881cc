// --reproducible: whole networks give the same bits for every instruction set, for every number of threads and on every
// machine. The hashes were made once; every build and every ISA must give them.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "api/engine.h"
#include "backends/cpu/cpu.h"
#include "base/cpu.h"
#include "ir/builder.h"
#include "ops/ops.h"

namespace mote {
namespace {

// The same numbers everywhere: no library's distributions.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) : state_(seed) {}
  float next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 8) - (1 << 23)) / static_cast<float>(1 << 23);
  }

 private:
  std::uint32_t state_;
};

std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (std::int64_t d : shape) n *= d;
  return n;
}

using Ints = std::vector<std::int64_t>;

struct Net {
  Net() {
    module.functions.push_back(Function{"main", {}, {}, {}, {}});
    module.signatures.push_back({"main", 0, {}});
  }
  ValueId input(Ints shape) {
    input_shape = shape;
    return module.functions[0].add_input("x", Type::tensor(DType::f32, Shape(shape.begin(), shape.end())));
  }
  ValueId weights(Ints shape, float scale) {
    std::vector<float> data(static_cast<std::size_t>(count_of(shape)));
    for (float& v : data) v = numbers.next() * scale;
    return b.constant("w" + std::to_string(next_++), DType::f32, std::move(shape),
                      to_bytes(std::span<const float>(data)));
  }
  void finish(std::vector<ValueId> outputs) {
    EXPECT_TRUE(b.status().ok()) << b.status().to_string();
    b.append();
    module.functions[0].outputs = std::move(outputs);
  }
  Module module;
  Ints input_shape;
  Numbers numbers{12345};
  Builder b{module, 0, builtin_ops()};

 private:
  int next_ = 0;
};

Attrs::Item ints(const char* name, Ints v) { return {name, std::move(v)}; }

void vision(Net& n) {
  auto& b = n.b;
  ValueId x = n.input({2, 3, 37, 29});
  x = b.add("conv", {x, n.weights({16, 3, 3, 3}, 0.4f), n.weights({16}, 0.1f)},
            {ints("strides", {2, 2}), ints("pads", {1, 1, 1, 1})});
  x = b.add("swish", {x});
  ValueId d =
      b.add("conv", {x, n.weights({16, 1, 3, 3}, 0.4f)}, {{"group", std::int64_t{16}}, ints("pads", {1, 1, 1, 1})});
  d = b.add("conv", {b.add("relu", {d}), n.weights({40, 16, 1, 1}, 0.3f)});
  ValueId w = b.add("conv", {x, n.weights({40, 16, 3, 3}, 0.1f)}, {ints("pads", {1, 1, 1, 1})});
  x = b.add("add", {d, w});
  ValueId scale = b.add("sigmoid", {b.add("global_average_pool", {x})});
  x = b.add("mul", {x, scale});
  ValueId up = b.add("resize",
                     {b.add("max_pool", {x}, {ints("kernel_shape", {3, 3}), ints("strides", {2, 2})}), kNone, kNone,
                      b.ints({2, 40, 19, 15})},
                     {{"mode", std::string("linear")}});
  x = b.add("concat", {x, up}, {{"axis", std::int64_t{1}}});
  x = b.add("conv_transpose", {x, n.weights({80, 12, 2, 2}, 0.1f)}, {ints("strides", {2, 2})});
  x = b.add("instance_normalization", {x, n.weights({12}, 1.0f), n.weights({12}, 1.0f)});
  n.finish({b.add("softmax", {x}, {{"axis", std::int64_t{1}}}), up});
}

void text(Net& n) {
  auto& b = n.b;
  ValueId x = n.input({2, 45, 64});
  for (int layer = 0; layer < 2; ++layer) {
    ValueId y = b.add("layer_normalization", {x, n.weights({64}, 1.0f), n.weights({64}, 0.2f)});
    auto heads = [&] {
      ValueId v = b.add("reshape", {b.add("matmul", {y, n.weights({64, 64}, 0.3f)}), b.ints({2, 45, 4, 16})});
      return b.add("transpose", {v}, {ints("perm", {0, 2, 1, 3})});
    };
    ValueId q = heads(), k = heads(), v = heads();
    ValueId a = b.add("attention", {q, k, v}, {{"is_causal", std::int64_t{layer}}});
    a = b.add("reshape", {b.add("transpose", {a}, {ints("perm", {0, 2, 1, 3})}), b.ints({2, 45, 64})});
    x = b.add("add", {x, b.add("matmul", {a, n.weights({64, 64}, 0.3f)})});
    y = b.add(
        "gelu",
        {b.add("gemm", {b.add("reshape", {x, b.ints({90, 64})}), n.weights({64, 150}, 0.3f), n.weights({150}, 0.1f)})});
    x = b.add("add", {x, b.add("reshape", {b.add("matmul", {y, n.weights({150, 64}, 0.3f)}), b.ints({2, 45, 64})})});
  }
  ValueId sum = b.add("reduce_l2", {x, b.ints({1})}), most = b.add("log_softmax", {x}, {{"axis", std::int64_t{-1}}});
  n.finish({x, sum, most});
}

void recurrent(Net& n) {
  auto& b = n.b;
  ValueId x = n.input({21, 3, 20});
  std::vector<ValueId> lstm = b.add_multi(
      "lstm", {x, n.weights({2, 4 * 24, 20}, 0.3f), n.weights({2, 4 * 24, 24}, 0.3f), n.weights({2, 8 * 24}, 0.1f)}, 3,
      {{"direction", std::string("bidirectional")}, {"hidden_size", std::int64_t{24}}});
  ValueId y = b.add("reshape", {b.add("transpose", {lstm[0]}, {ints("perm", {0, 2, 1, 3})}), b.ints({21, 3, 48})});
  std::vector<ValueId> gru = b.add_multi("gru", {y, n.weights({1, 3 * 17, 48}, 0.3f), n.weights({1, 3 * 17, 17}, 0.3f)},
                                         2, {{"hidden_size", std::int64_t{17}}});
  ValueId e = b.add("exp", {b.add("sin", {gru[0]})});
  ValueId f = b.add("pow", {b.add("abs", {e}), b.scalar(1.7, DType::f32)});
  ValueId g = b.add("erf", {b.add("log", {f})});
  n.finish({lstm[1], lstm[2], g, b.add("reduce_mean", {b.add("cos", {e}), b.ints({0, 1})})});
}

std::uint64_t hash(std::uint64_t h, std::span<const std::byte> bytes) {
  for (std::byte byte : bytes) h = (h ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
  return h;
}

std::uint64_t answer(const Module& module, const Ints& shape, const std::string& target, int threads) {
  LoadOptions load;
  load.target = target;
  load.reproducible = true;
  auto linked = api::build(module, load);
  EXPECT_TRUE(linked.ok()) << linked.status().to_string();
  if (!linked.ok()) return 0;
  ContextOptions with;
  with.threads = threads;
  auto context = Context::create(*linked, with);
  EXPECT_TRUE(context.ok());
  Numbers numbers(99);
  std::vector<float> x(static_cast<std::size_t>(count_of(shape)));
  for (float& v : x) v = numbers.next();
  // A few that are denormal: they stay so.
  for (std::size_t i = 0; i < x.size(); i += 53) x[i] *= 0x1p-128f;
  Status s = (*context)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, shape));
  EXPECT_TRUE(s.ok()) << s.to_string();
  s = (*context)->run();
  EXPECT_TRUE(s.ok()) << s.to_string();
  std::uint64_t h = 0xcbf29ce484222325u;
  for (int o = 0; o < (*context)->output_count(); ++o) {
    const TensorView& v = (*context)->output(o);
    h = hash(h, {v.data, static_cast<std::size_t>(v.bytes())});
  }
  return h;
}

void check(const Module& module, const Ints& shape, std::uint64_t golden) {
  for (int i = 0; i < kIsaCount; ++i) {
    Isa isa = static_cast<Isa>(i);
    if (!active_cpu().has(isa)) continue;
    std::string target(name_of(isa));
    for (int threads : {1, 2, 3, 7}) {
      if (threads == 2 && isa == Isa::generic) break;  // slow
      EXPECT_EQ(answer(module, shape, target, threads), golden)
          << std::hex << golden << " expected of " << target << " on " << threads << " threads";
    }
  }
}

struct Case {
  const char* name;
  void (*make)(Net&);
  std::uint64_t golden;
};

class Reproducible : public ::testing::TestWithParam<Case> {};

TEST_P(Reproducible, GivesTheSameBitsEverywhere) {
  Net n;
  GetParam().make(n);
  check(n.module, n.input_shape, GetParam().golden);
}

INSTANTIATE_TEST_SUITE_P(Nets, Reproducible,
                         ::testing::Values(Case{"vision", vision, 4538286808321543680u},
                                           Case{"text", text, 1546550000385002039u},
                                           Case{"recurrent", recurrent, 446456898543026289u}),
                         [](const auto& info) { return std::string(info.param.name); });

#if MOTE_ONNX && MOTE_FILES
TEST(ReproducibleFile, DigitsGiveTheSameBitsEverywhere) {
  auto source = api::map_file(MOTE_SOURCE_DIR "/examples/digits/digits.onnx");
  if (!source.ok()) GTEST_SKIP() << source.status().to_string();
  Result<Module> module = api::read_module(*source, "", LoadOptions());
  ASSERT_TRUE(module.ok()) << module.status().to_string();
  check(*module, {3, 1, 32, 32}, 16377454237990318414u);
}
#endif

}  // namespace
}  // namespace mote
