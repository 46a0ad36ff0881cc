#include "plan/verify.h"

#include <gtest/gtest.h>

#include <functional>

namespace mote {
namespace {

PlanValue tensor(std::string name, Place place, std::int32_t index = kNone) {
  PlanValue v;
  v.name = std::move(name);
  v.dtype = DType::f32;
  v.rank = 1;
  v.place = place;
  v.index = index;
  v.dims = {~Extent{0}};  // N
  return v;
}

PlanValue late(Place place, std::int32_t index) {
  PlanValue v;
  v.name = "l";
  v.dtype = DType::f32;
  v.late = true;
  v.place = place;
  v.index = index;
  return v;
}

// y = k(x, c), then z = if(b) then x else x, over x of N elements.
Plan small_plan() {
  Plan p;
  p.kernels = {{"k", 1}};
  p.ops = {{"add", 1}};
  p.sources = {std::make_shared<const BufferSource>(std::vector<std::byte>(64))};
  p.constants = {{"c", DType::f32, {16}, 0, 0, 64, ""}};
  PlanFunction f;
  f.name = "main";
  f.symbols = {"N"};
  f.exprs = {{{{ExprOp::kSymbol, 0}}, "N"}};
  f.values = {tensor("x", Place::kInput, 0), tensor("b", Place::kInput, 1), tensor("c", Place::kConstant, 0),
              tensor("y", Place::kOutput, 0), tensor("z", Place::kArena)};
  f.inputs = {0, 1};
  f.outputs = {3};
  f.arena_bytes = 64;
  f.results = {0};
  Step k;
  k.kernel = k.op = 0;
  k.inputs = {0, 2};
  k.outputs = {3};
  Step branch;
  branch.kind = Step::Kind::kIf;
  branch.inputs = {1, 0};
  branch.outputs = {4};
  branch.bodies = {1, 1};
  f.steps = {k, branch};
  PlanFunction body;
  body.name = "body";
  body.symbols = f.symbols;
  body.exprs = f.exprs;
  body.values = {tensor("x", Place::kInput, 0)};
  body.inputs = body.outputs = {0};
  p.functions = {f, body};
  p.signatures = {{"main", 0, {}}};
  return p;
}

TEST(Verify, TakesAWholePlan) {
  Status s = verify(small_plan());
  EXPECT_TRUE(s.ok()) << s.message();
}

TEST(Verify, TakesLateValuesAndViewsOfThem) {
  Plan p = small_plan();
  p.kernels.push_back({"view", 1});
  p.functions[0].values[4] = late(Place::kHeap, kNone);
  p.functions[0].values.push_back(late(Place::kAlias, 4));
  Step view = p.functions[0].steps[0];
  view.kernel = 1;
  view.inputs = {4};
  view.outputs = {5};
  view.late = true;
  p.functions[0].steps.push_back(view);
  p.functions[0].outputs = {5};
  Status s = verify(p);
  EXPECT_TRUE(s.ok()) << s.message();
}

TEST(Verify, RefusesWhatPointsNowhere) {
  struct Case {
    const char* what;
    std::function<void(Plan&)> damage;
  };
  const Case cases[] = {
      {"no signature", [](Plan& p) { p.signatures.clear(); }},
      {"a signature's function", [](Plan& p) { p.signatures[0].function = 2; }},
      {"a shared function", [](Plan& p) { p.signatures.push_back(p.signatures[0]); }},
      {"a kernel", [](Plan& p) { p.functions[0].steps[0].kernel = 1; }},
      {"a kernel of control flow", [](Plan& p) { p.functions[0].steps[1].kernel = 1 << 30; }},
      {"an op", [](Plan& p) { p.functions[0].steps[0].op = -2; }},
      {"an op of control flow", [](Plan& p) { p.functions[0].steps[1].op = 7; }},
      {"an operand", [](Plan& p) { p.functions[0].steps[0].inputs[1] = 5; }},
      {"a result", [](Plan& p) { p.functions[0].steps[0].outputs[0] = -5; }},
      {"a result that is an input", [](Plan& p) { p.functions[0].steps[0].outputs[0] = 0; }},
      {"a result that is a constant", [](Plan& p) { p.functions[0].steps[0].outputs[0] = 2; }},
      {"a body", [](Plan& p) { p.functions[0].steps[1].bodies[1] = 2; }},
      {"one body", [](Plan& p) { p.functions[0].steps[1].bodies.pop_back(); }},
      {"no condition", [](Plan& p) { p.functions[0].steps[1].inputs[0] = kNone; }},
      {"an absent argument", [](Plan& p) { p.functions[0].steps[1].inputs[1] = kNone; }},
      {"a body of other arguments", [](Plan& p) { p.functions[0].steps[1].inputs.push_back(0); }},
      {"a function that calls itself",
       [](Plan& p) {
         p.functions[0].steps[1].bodies = {0, 0};
       }},
      {"an output", [](Plan& p) { p.functions[0].outputs[0] = 9; }},
      {"an input's place", [](Plan& p) { p.functions[0].values[0].index = 1; }},
      {"a constant's value", [](Plan& p) { p.functions[0].values[2].index = 1; }},
      {"a constant's source", [](Plan& p) { p.constants[0].source = 1; }},
      {"a constant's bytes", [](Plan& p) { p.constants[0].offset = 1; }},
      {"a constant's size", [](Plan& p) { p.constants[0].size = ~std::uint64_t{0}; }},
      {"a constant's extents", [](Plan& p) { p.constants[0].dims = {17}; }},
      {"extents that overflow",
       [](Plan& p) {
         p.constants[0].dims = {std::int64_t{1} << 40, std::int64_t{1} << 40};
       }},
      {"an expression", [](Plan& p) { p.functions[0].values[0].dims[0] = ~Extent{1}; }},
      {"an offset", [](Plan& p) { p.functions[0].values[4].offset = ~Extent{1}; }},
      {"the arena's size", [](Plan& p) { p.functions[0].arena_bytes = ~Extent{1}; }},
      {"a result's place", [](Plan& p) { p.functions[0].results[0] = ~Extent{1}; }},
      {"no places for results", [](Plan& p) { p.functions[0].results.clear(); }},
      {"places for a body's results", [](Plan& p) { p.functions[1].results = {0}; }},
      {"a symbol", [](Plan& p) { p.functions[0].exprs[0].code[0].value = 1; }},
      {"an expression without operand", [](Plan& p) { p.functions[0].exprs[0].code.push_back({ExprOp::kAdd}); }},
      {"an expression of two values",
       [](Plan& p) {
         p.functions[0].exprs[0].code.push_back({ExprOp::kConst, 1});
       }},
      {"an empty expression", [](Plan& p) { p.functions[0].exprs[0].code.clear(); }},
      {"a deep expression",
       [](Plan& p) {
         p.functions[0].exprs[0].code.assign(kExprStack + 1, {ExprOp::kConst, 1});
       }},
      {"a rank", [](Plan& p) { p.functions[0].values[0].rank = 2; }},
      {"strides",
       [](Plan& p) {
         p.functions[0].values[0].strides = {1, 1};
       }},
      {"an axis order", [](Plan& p) { p.functions[0].values[0].perm = {1}; }},
      {"a late value in the arena", [](Plan& p) { p.functions[0].values[4].late = true; }},
      {"a view of what follows", [](Plan& p) { p.functions[0].values[4] = tensor("z", Place::kAlias, 4); }},
      {"a state",
       [](Plan& p) {
         p.signatures[0].states = {{"s", 0, 3}};
       }},
      {"a state that shares its input",
       [](Plan& p) {
         p.signatures[0].states = {{"s", 0, 0}, {"t", 0, 0}};
       }},
      {"extents that overflow beside an empty one",
       [](Plan& p) {
         p.constants[0].dims = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
       }},
      {"a late value that is read before a step gives it",
       [](Plan& p) {
         p.functions[0].values[4] = late(Place::kHeap, kNone);
         p.functions[0].steps[0].inputs[1] = 4;
         p.functions[0].steps[0].late = true;
       }},
      {"a late value that two steps give",
       [](Plan& p) {
         p.functions[0].values[4] = late(Place::kHeap, kNone);
         p.functions[0].steps.push_back(p.functions[0].steps[1]);
       }},
      {"a late output that no step gives",
       [](Plan& p) {
         p.functions[0].values.push_back(late(Place::kHeap, kNone));
         p.functions[0].outputs = {5};
       }},
      {"a kernel that writes to a view",
       [](Plan& p) {
         p.functions[0].values[4] = late(Place::kAlias, 0);
         p.functions[0].steps[0].outputs = {4};
         p.functions[0].steps[0].late = true;
         p.functions[0].steps.pop_back();
       }},
      {"a state's capacity",
       [](Plan& p) {
         p.signatures[0].states = {{"s", 0, 0, 0, 4}};
       }},
      {"a state's axis",
       [](Plan& p) {
         p.signatures[0].states = {{"s", 0, 0, 1}};
       }},
  };
  for (const Case& c : cases) {
    Plan p = small_plan();
    c.damage(p);
    Status s = verify(p);
    EXPECT_FALSE(s.ok()) << c.what;
    EXPECT_FALSE(s.ok() || s.message().empty()) << c.what;
  }
}

}  // namespace
}  // namespace mote
