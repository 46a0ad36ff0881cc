// LoadOptions::tune: the same bits, the same answers from the file the second time, and what is refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "api/engine.h"
#include "base/file.h"
#include "ir/builder.h"
#include "ops/ops.h"
#include "prepare/tune.h"
#include "prepare/tune_cache.h"

namespace mote {
namespace {

// A block with strips, a convolution and a product.
Module network(Dim batch) {
  Module module;
  module.functions.push_back(Function{"main", {}, {}, {}, {}});
  module.signatures.push_back({"main", 0, {}});
  ValueId x = module.functions[0].add_input("x", Type::tensor(DType::f32, Shape{batch, 8, 60, 60}));
  Builder b(module, 0, builtin_ops());
  std::uint32_t state = 7;
  auto weights = [&](std::vector<std::int64_t> shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    std::vector<float> data(static_cast<std::size_t>(n));
    for (float& v : data) {
      state = state * 1664525u + 1013904223u;
      v = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-33f;
    }
    return b.constant("w" + std::to_string(n), DType::f32, std::move(shape), to_bytes(std::span<const float>(data)));
  };
  ValueId y = b.add("relu", {b.add("conv", {x, weights({48, 8, 1, 1})})});
  y = b.add("conv", {y, weights({48, 1, 3, 3})},
            {{"group", std::int64_t{48}}, {"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
  y = b.add("conv", {b.add("relu", {y}), weights({24, 48, 1, 1})});
  y = b.add("conv", {y, weights({40, 24, 3, 3})}, {{"strides", std::vector<std::int64_t>{2, 2}}});
  y = b.add("reshape", {b.add("global_average_pool", {y}), b.ints({-1, 40})});
  y = b.add("matmul", {y, weights({40, 100})});
  EXPECT_TRUE(b.status().ok()) << b.status().to_string();
  b.append();
  module.functions[0].outputs = {y};
  return module;
}

std::vector<std::byte> answer(std::shared_ptr<const LinkedPlan> linked) {
  auto context = Context::create(std::move(linked));
  EXPECT_TRUE(context.ok());
  std::vector<float> x(8 * 60 * 60);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) * 0.01f - 0.4f;
  const std::int64_t shape[] = {1, 8, 60, 60};
  EXPECT_TRUE((*context)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, shape)).ok());
  const Status s = (*context)->run();
  EXPECT_TRUE(s.ok()) << s.to_string();
  const TensorView& y = (*context)->output(0);
  return {y.data, y.data + y.bytes()};
}

class Tune : public ::testing::Test {
 protected:
  Tune() : path_(testing::TempDir() + "mote_tune_" + std::to_string(getpid())) {
    setenv("MOTE_TUNE_CACHE", path_.c_str(), 1);
    options_.tune = true;
  }
  ~Tune() override {
    unsetenv("MOTE_TUNE_CACHE");
    unlink(path_.c_str());
  }
  std::string path_;
  LoadOptions options_;
};

TEST_F(Tune, TheSameBitsAndTheSamePlanFromTheFile) {
  auto plain = api::build(network(1), LoadOptions()), tuned = api::build(network(1), options_);
  ASSERT_TRUE(plain.ok() && tuned.ok()) << tuned.status().to_string();
  EXPECT_EQ(answer(*plain), answer(*tuned));
  Result<TuneCache> cache = TuneCache::read(path_);
  ASSERT_TRUE(cache.ok()) << cache.status().to_string();
  EXPECT_GE(cache->answers.size(), 3u);
  // Whatever the file says is done.
  for (auto& [key, tiling] : cache->answers) tiling = 3;
  ASSERT_TRUE(cache->write(path_).ok());
  auto turned = api::build(network(1), options_);
  ASSERT_TRUE(turned.ok()) << turned.status().to_string();
  EXPECT_EQ(answer(*plain), answer(*turned));
  std::size_t said = 0;
  for (const Step& s : (*turned)->plan.functions[0].steps) {
    said += s.why.find("tuned: loops turned (as measured before)") != std::string::npos;
  }
  EXPECT_EQ(said, cache->answers.size());
}

TEST_F(Tune, RefusesWhatItCannotMeasure) {
  EXPECT_EQ(api::build(network(Dim::symbol("N")), options_).status().code(), Code::kInvalid);
  options_.reproducible = true;
  EXPECT_EQ(api::build(network(1), options_).status().code(), Code::kInvalid);
  options_.reproducible = false;
  Result<FileWriter> file = FileWriter::create(path_);
  ASSERT_TRUE(file.ok() && file->write("mote tuning 1\n0123456789abcdef 9\n").ok() && file->commit().ok());
  const Status s = api::build(network(1), options_).status();
  EXPECT_EQ(s.code(), Code::kInvalid);
  EXPECT_NE(s.to_string().find("line 2"), std::string::npos) << s.to_string();
}

}  // namespace
}  // namespace mote
