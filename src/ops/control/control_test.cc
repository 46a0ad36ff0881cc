// Types of the control ops' outputs, inferred through their bodies.
#include <gtest/gtest.h>

#include "ir/infer.h"
#include "ops/ops.h"

namespace mote {
namespace {

Type f32(std::string_view shape) {
  Shape s;
  std::string text(shape);
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = std::min(text.find(',', at), text.size());
    s.push_back(*Dim::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return Type::tensor(DType::f32, s);
}

// A body that gives back what it takes, in the order asked for.
FunctionId pick(Module& m, std::string name, std::size_t takes, std::vector<std::size_t> gives) {
  Function f;
  f.name = std::move(name);
  for (std::size_t i = 0; i < takes; ++i) f.add_input("x" + std::to_string(i), Type());
  for (std::size_t i : gives) f.outputs.push_back(f.inputs[i]);
  m.functions.push_back(std::move(f));
  return static_cast<FunctionId>(m.functions.size()) - 1;
}

// A module whose main function is one control node over inputs of the given types.
struct Fixture {
  Module module;
  Fixture() {
    module.functions.emplace_back();
    module.signatures.push_back({"main", 0, {}});
  }
  ValueId input(Type t) { return main().add_input("i" + std::to_string(main().inputs.size()), std::move(t)); }
  Function& main() { return module.functions[0]; }
  void node(std::string_view op, std::vector<ValueId> inputs, Attrs attrs, int outputs,
            std::vector<FunctionId> bodies) {
    NodeId n = main().add_node(*find_op(op), "c", std::move(inputs), std::move(attrs), outputs);
    main().nodes[static_cast<std::size_t>(n)].bodies = std::move(bodies);
    main().outputs = main().nodes[static_cast<std::size_t>(n)].outputs;
  }
  Status infer() { return Inference(module).run(); }
  std::string type(std::size_t output) {
    return main().values[static_cast<std::size_t>(main().outputs[output])].type.to_string();
  }
};

TEST(If, JoinsItsBranches) {
  Fixture t;
  ValueId cond = t.input(Type::tensor(DType::boolean, Shape()));
  ValueId a = t.input(f32("N,3")), b = t.input(f32("M,3")), c = t.input(f32("3"));
  FunctionId then = pick(t.module, "then", 3, {0, 0}), other = pick(t.module, "else", 3, {1, 2});
  t.node("if", {cond, a, b, c}, {}, 2, {then, other});
  ASSERT_TRUE(t.infer().ok()) << t.infer().to_string();
  EXPECT_EQ(t.type(0), "f32[$0,3]");
  EXPECT_EQ(t.type(1), "f32[?]");
}

TEST(If, TakesTheBranchOfAKnownCondition) {
  Fixture t;
  std::byte yes[] = {std::byte(1)};
  ConstantId c = t.module.add_constant("yes", DType::boolean, {}, {yes, yes + 1});
  ValueId cond = t.main().constant_value(c, t.module.constants[0]);
  ValueId a = t.input(f32("N,3")), b = t.input(f32("M"));
  FunctionId then = pick(t.module, "then", 2, {0}), other = pick(t.module, "else", 2, {1});
  t.node("if", {cond, a, b}, {}, 1, {then, other});
  ASSERT_TRUE(t.infer().ok());
  EXPECT_EQ(t.type(0), "f32[N,3]");
}

TEST(If, RefusesBranchesOfTwoDtypes) {
  Fixture t;
  ValueId cond = t.input(Type::tensor(DType::boolean, Shape()));
  ValueId a = t.input(f32("N")), b = t.input(Type::tensor(DType::i64, Shape()));
  FunctionId then = pick(t.module, "then", 2, {0}), other = pick(t.module, "else", 2, {1});
  t.node("if", {cond, a, b}, {}, 1, {then, other});
  Status s = t.infer();
  EXPECT_NE(s.to_string().find("f32[N] in one body and i64[] in the other"), std::string::npos) << s.to_string();
}

TEST(Loop, StacksScanOutputsAndWidensWhatChanges) {
  Fixture t;
  ValueId trips = t.input(Type::tensor(DType::i64, Shape())), cond = t.input(Type::tensor(DType::boolean, Shape()));
  ValueId a = t.input(f32("N,3")), b = t.input(f32("4,3"));
  // Exchanges its two carried values and scans the first: (i, cond, a, b) -> (cond, b, a, a).
  FunctionId body = pick(t.module, "body", 4, {1, 3, 2, 2});
  Attrs attrs;
  attrs.set("carried", std::int64_t{2});
  t.node("loop", {trips, cond, a, b}, attrs, 3, {body});
  ASSERT_TRUE(t.infer().ok()) << t.infer().to_string();
  EXPECT_EQ(t.type(0).substr(0, 5), "f32[$");
  EXPECT_EQ(t.type(0), "f32[" + t.type(0).substr(4, t.type(0).find(',') - 4) + ",3]");
  std::string scan = t.type(2);
  EXPECT_EQ(std::count(scan.begin(), scan.end(), ','), 2) << scan;
  EXPECT_EQ(scan.substr(0, 5), "f32[$");
}

TEST(Loop, CountedLoopsKnowTheirScanExtent) {
  Fixture t;
  std::int64_t n[] = {7};
  ConstantId c = t.module.add_constant("n", DType::i64, {}, to_bytes(std::span<const std::int64_t>(n)));
  ValueId trips = t.main().constant_value(c, t.module.constants[0]), x = t.input(f32("N"));
  FunctionId body = pick(t.module, "body", 3, {1, 2});
  Attrs attrs;
  attrs.set("counted", std::int64_t{1});
  t.node("loop", {trips, kNone, x}, attrs, 1, {body});
  ASSERT_TRUE(t.infer().ok()) << t.infer().to_string();
  EXPECT_EQ(t.type(0), "f32[7,N]");
}

TEST(Loop, RefusesMoreOutputsThanItsBodyGives) {
  Fixture t;
  ValueId x = t.input(f32("N"));
  FunctionId body = pick(t.module, "body", 3, {1, 2});
  Attrs attrs;
  attrs.set("carried", std::int64_t{1});
  t.node("loop", {kNone, kNone, x}, attrs, 2, {body});
  EXPECT_FALSE(t.infer().ok());
}

TEST(Call, GivesWhatItsBodyGives) {
  Fixture t;
  ValueId x = t.input(f32("N,2")), y = t.input(f32("5"));
  FunctionId body = pick(t.module, "body", 2, {1, 0});
  t.node("call", {x, y}, {}, 2, {body});
  ASSERT_TRUE(t.infer().ok());
  EXPECT_EQ(t.type(0), "f32[5]");
  EXPECT_EQ(t.type(1), "f32[N,2]");
}

}  // namespace
}  // namespace mote
