// `.mote` files: several targets and the module they were made from.
#include "plan/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <random>

#include "api/engine.h"
#include "base/file.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "mote/convert.h"
#include "ops/ops.h"

namespace mote {
namespace {

Module network() {
  Module module;
  module.name = "net";
  module.functions.push_back(Function{"main", {}, {}, {}, {}});
  module.signatures.push_back({"main", 0, {}});
  module.metadata.emplace_back("mote.labels", "one\ntwo");
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  ValueId x = module.functions[0].add_input("x", Type::tensor(DType::f32, Shape{Dim::symbol("N"), 3, 11, 9}));
  Builder b(module, 0, builtin_ops());
  auto weights = [&](const char* name, std::vector<std::int64_t> shape) {
    std::int64_t n = 1;
    for (std::int64_t d : shape) n *= d;
    std::vector<float> data(static_cast<std::size_t>(n));
    for (float& v : data) v = normal(random) * 0.2f;
    return b.constant(name, DType::f32, std::move(shape), to_bytes(std::span<const float>(data)));
  };
  ValueId y = b.add("relu", {b.add("conv", {x, weights("w1", {40, 3, 3, 3})})});
  y = b.add("mul", {y, weights("scale", {40, 9, 7})});
  y = b.add("reshape", {b.add("global_average_pool", {y}), b.ints({-1, 40})});
  y = b.add("matmul", {y, weights("w2", {40, 1000})});
  EXPECT_TRUE(b.status().ok()) << b.status().to_string();
  b.append();
  module.functions[0].outputs = {y};
  return module;
}

Plan plan_for(const std::string& target) {
  LoadOptions load;
  load.target = target;
  Result<PrepareOptions> with = api::prepare_options(load);
  EXPECT_TRUE(with.ok());
  Result<Plan> plan = prepare(network(), *with);
  EXPECT_TRUE(plan.ok()) << plan.status().to_string();
  return *std::move(plan);
}

std::vector<std::byte> file_for(const std::vector<std::string>& targets, bool with_module) {
  std::vector<Plan> plans;
  for (const std::string& t : targets) plans.push_back(plan_for(t));
  std::vector<const Plan*> list;
  for (const Plan& p : plans) list.push_back(&p);
  Module module = network();
  std::vector<std::byte> bytes;
  EXPECT_TRUE(write_plans(
                  list,
                  [&](std::span<const std::byte> more) {
                    bytes.insert(bytes.end(), more.begin(), more.end());
                    return Status();
                  },
                  with_module ? &module : nullptr)
                  .ok());
  return bytes;
}

std::vector<float> answer(const std::shared_ptr<const LinkedPlan>& linked) {
  Result<std::unique_ptr<Context>> c = Context::create(linked);
  EXPECT_TRUE(c.ok());
  std::vector<float> x(2 * 3 * 11 * 9);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  std::vector<std::int64_t> shape{2, 3, 11, 9};
  EXPECT_TRUE((*c)->set_input(0, TensorView::of(reinterpret_cast<std::byte*>(x.data()), DType::f32, shape)).ok());
  Status s = (*c)->run();
  EXPECT_TRUE(s.ok()) << s.to_string();
  const TensorView& v = (*c)->output(0);
  return {v.as<float>(), v.as<float>() + v.count()};
}

// What this machine does not run.
#if defined(__x86_64__)
constexpr const char* kElsewhere = "neon";
#else
constexpr const char* kElsewhere = "avx2";
#endif

TEST(PlanFile, HoldsSeveralTargetsAndPicksTheBest) {
  std::vector<std::byte> bytes = file_for({"generic", "avx2", "neon", "host"}, false);
  auto source = api::borrow(bytes, "memory");
  Result<PlanFile> file = PlanFile::open(source);
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(file->targets().size(), 4u);
  EXPECT_FALSE(file->has_module());
  EXPECT_TRUE(verify_data(bytes).ok());
  auto linked = api::open_plan(source);
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  EXPECT_EQ((*linked)->plan.target, name_of(active_cpu().best()));
  auto direct = api::build(network(), {});
  ASSERT_TRUE(direct.ok());
  EXPECT_EQ(answer(*linked), answer(*direct));
}

TEST(PlanFile, StoresEqualConstantsOnce) {
  std::size_t one = file_for({"generic"}, false).size(), two = file_for({"generic", "generic"}, false).size(),
              whole = file_for({"generic"}, true).size();
  // w2 alone has 160,000 bytes.
  EXPECT_LT(two, one + 140'000) << "the second plan needs a section, no weights";
  EXPECT_GT(whole, one);
  EXPECT_LT(whole, one + 160'000 + 4 * 40 * 27 + 3 * 65536) << "plain forms are those of the module";
}

TEST(PlanFile, PreparesItsModuleAgainForAnotherCpu) {
  std::vector<std::byte> bytes = file_for({kElsewhere}, true);
  auto source = api::borrow(bytes, "memory");
  auto linked = api::open_plan(source);
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  EXPECT_EQ((*linked)->plan.target, name_of(active_cpu().best()));
  auto direct = api::build(network(), {});
  ASSERT_TRUE(direct.ok());
  EXPECT_EQ(answer(*linked), answer(*direct));
  Result<PlanFile> file = PlanFile::open(source);
  ASSERT_TRUE(file.ok());
  Result<Module> module = api::module_of(*file, nullptr);
  ASSERT_TRUE(module.ok()) << module.status().to_string();
  EXPECT_EQ(module->name, "net");
  ASSERT_EQ(module->constants.size(), network().constants.size());
  PrintOptions plain;
  plain.hex_bytes = SIZE_MAX;
  Module again = *std::move(module);
  for (Constant& c : again.constants) {
    auto bytes_of_c = c.stored();
    c.source = std::make_shared<BufferSource>(std::vector<std::byte>(bytes_of_c.begin(), bytes_of_c.end()));
    c.offset = 0;
  }
  EXPECT_EQ(print(again, plain), print(network(), plain));

  std::vector<std::byte> plans_only = file_for({kElsewhere}, false);
  auto refused = api::open_plan(api::borrow(plans_only, "memory"));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().to_string().find(kElsewhere), std::string::npos) << refused.status().to_string();
}

TEST(PlanFile, NoticesDamageToEverySection) {
  std::vector<std::byte> bytes = file_for({"generic"}, true);
  ASSERT_TRUE(verify_data(bytes).ok());
  for (std::size_t at = 65536; at < bytes.size(); at += 4099) {
    std::vector<std::byte> damaged = bytes;
    damaged[at] ^= std::byte{4};
    bool in_gap = true;  // zeros between sections belong to none
    for (std::size_t k = at & ~std::size_t{63}; k < std::min(bytes.size(), (at | 63) + 1); ++k)
      in_gap = in_gap && bytes[k] == std::byte{0};
    if (in_gap) continue;
    EXPECT_FALSE(verify_data(damaged).ok()) << at;
  }
}

TEST(PlanFile, IsConvertedFromOneTargetToAnother) {
#if MOTE_FILES
  std::string stem = ::testing::TempDir() + "mote_plan_file_" + std::to_string(getpid());
  std::string ir = stem + ".ir", first = stem + "_a.mote", second = stem + "_b.mote";
  Module module = network();
  PrintOptions whole;
  whole.hex_bytes = SIZE_MAX;
  Result<FileWriter> out = FileWriter::create(ir);
  ASSERT_TRUE(out.ok());
  ASSERT_TRUE(out->write(print(module, whole)).ok());
  ASSERT_TRUE(out->commit().ok());
  ConvertOptions elsewhere;
  elsewhere.targets = {kElsewhere};
  Status s = convert(ir, first, FileFormat::kMote, elsewhere);
  ASSERT_TRUE(s.ok()) << s.to_string();
  s = convert(first, second, FileFormat::kMote);
  ASSERT_TRUE(s.ok()) << s.to_string();
  auto source = api::map_file(second);
  ASSERT_TRUE(source.ok());
  auto linked = api::open_plan(*source);
  ASSERT_TRUE(linked.ok()) << linked.status().to_string();
  auto direct = api::build(network(), {});
  EXPECT_EQ(answer(*linked), answer(*direct));
  Result<std::string> checked = verify_file(second);
  ASSERT_TRUE(checked.ok()) << checked.status().to_string();
  EXPECT_NE(checked->find("a module of"), std::string::npos) << *checked;
  elsewhere.keep_module = false;
  ASSERT_TRUE(convert(ir, first, FileFormat::kMote, elsewhere).ok());
  EXPECT_FALSE(convert(first, second, FileFormat::kMote).ok());
  for (const std::string& path : {ir, first, second}) unlink(path.c_str());
#endif
}

}  // namespace
}  // namespace mote
