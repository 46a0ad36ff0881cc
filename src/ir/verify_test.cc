#include "ir/verify.h"

#include <gtest/gtest.h>

#include "ir/testing.h"
#include "ir/text.h"

namespace mote {
namespace {

const testing::TestOps kOps;

Module module_of(std::string_view text) {
  Result<Module> m = parse(text, kOps);
  EXPECT_TRUE(m.ok()) << m.status().to_string();
  return m.ok() ? *std::move(m) : Module();
}

// What verify says about a module that `spoil` changed; `text` verifies.
template <class Spoil>
std::string error_of(std::string_view text, const Spoil& spoil) {
  Module m = module_of(text);
  EXPECT_EQ(verify(m).to_string(), "ok");
  spoil(m);
  return verify(m).to_string();
}
std::string error_of(std::string_view text) { return verify(module_of(text)).to_string(); }

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

const char* kNet = R"(
const @w: f32[2,2] = [1, 2, 3, 4]
const @t: f16[3,2] from f32[6] = [1, 2, 3, 4, 5, 6] reshape [2,3] transpose [1,0] cast f16
signature "main" = @f { state "s" = input 1, output 1 }
func @f(%x: f32[N,2], %s: i64[N]) -> (%b, %c) {
  %a = conv(%x, @w, _)
  %b = relu(%a)
  %c: i64[K] = relu(%s)
}
)";

TEST(Verify, Values) {
  EXPECT_EQ(error_of(kNet), "ok");
  auto f = [](Module& m) -> Function& { return m.functions[0]; };
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).nodes[1].inputs[0] = 99; }), "value 99");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).nodes[1].inputs[0] = -2; }), "value -2");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { std::swap(f(m).nodes[0], f(m).nodes[1]), f(m).reindex(); }),
             "relu 'b': reads 'a'");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).nodes[1].outputs = f(m).nodes[0].outputs; }), "made elsewhere too");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).nodes[1].outputs[0] = f(m).inputs[0]; }), "made elsewhere too");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).values[2].producer = 1; }), "function 'f'");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).nodes[1].outputs[0] = 1000; }), "makes value 1000");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).inputs[0] = 1000; }), "input is value 1000");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).inputs[1] = f(m).inputs[0]; }), "made elsewhere");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).values[1].name = "x"; }), "two inputs");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).outputs[0] = kNone; }), "output is value -1");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).outputs[0] = f(m).add_value("q", Type()); }), "made by nothing");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).values[2].constant = 7; }), "of a constant that is none");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { f(m).values[3].type = Type::tensor(DType::f32, Shape{4}); }),
             "another type");
  EXPECT_EQ(verify(Module()).to_string(), "the module has no function");
}

TEST(Verify, Operands) {
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = relu() }"), "0 operands, and the op 1");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = relu(%x, %x) }"), "2 operands");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = relu(_) }"), "lacks operand 'x'");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = conv(%x) }"), "1 operands, and the op 2 to 3");
  EXPECT_EQ(error_of("func @f(%x) -> () { %y = conv(%x, %x) }"), "ok");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y, %z = relu(%x) }"), "2 outputs");
  EXPECT_HAS(error_of("func @f(%x) -> () { relu(%x) \"n\" }"), "relu 'n': has 0 outputs");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = relu(%x) }", [](Module& m) { m.functions[0].nodes[0].op = nullptr; }),
             "has no op");
}

TEST(Verify, Attributes) {
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = concat(%x) }"), "lacks attribute 'axis'");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = concat(%x) {axis=1.0} }"), "of kind float, wanted is int");
  EXPECT_HAS(error_of("func @f(%x) -> () { %y = concat(%x) {axis=1, b=2} }"), "no attribute 'b'");
  EXPECT_EQ(error_of("func @f(%x) -> () { %y = relu(%x) {b=2} }"), "ok");
}

TEST(Verify, Bodies) {
  const char* net = R"(
func @f(%c, %x) -> (%y) {
  %y = if(%c, %x) [@g, @g]
  %z, %s = loop(_, %c, %x, %y) [@h] {carried=1}
  %w = call(%x) [@g]
}
func @g(%x) -> (%x) {}
func @h(%i, %c, %x, %y) -> (%c, %x, %y) {}
)";
  std::string text = net;
  std::size_t p = text.find(" [@h] {carried=1}");
  text.replace(p, 17, " {carried=1} [@h]");
  EXPECT_EQ(error_of(text), "ok");
  auto node = [](Module& m, int i) -> Node& { return m.functions[0].nodes[static_cast<std::size_t>(i)]; };
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 0).bodies.pop_back(); }), "has 1 bodies");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 0).bodies[1] = 9; }), "has body 9");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 0).bodies[1] = 2; }),
             "wants a body of 1 inputs and at least 1 outputs");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 0).inputs[1] = kNone; }), "lacks operand");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 1).attrs.set("carried", AttrValue(std::int64_t{3})); }),
             "carries 3");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 1).attrs.set("carried", AttrValue(std::int64_t{-1})); }),
             "carries -1");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 1).inputs.pop_back(); }), "wants a body of 3 inputs");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 2).op = kOps.find("relu"); }), "has bodies");
  EXPECT_HAS(error_of(text, [&](Module& m) { node(m, 2).bodies[0] = 0, node(m, 2).inputs.push_back(0); }),
             "calls itself");
  std::string deep;
  for (int i = 0; i < 70; ++i) {
    deep += "func @f" + std::to_string(i) + "() -> () { call() [@f" + std::to_string(i + 1) + "] }\n";
  }
  EXPECT_HAS(error_of(deep + "func @f70() -> () {}"), "nested more than 64 deep");
}

TEST(Verify, Constants) {
  auto c = [](Module& m, int i) -> Constant& { return m.constants[static_cast<std::size_t>(i)]; };
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).size = 12; }),
             "constant 'w': has 12 bytes, where f32 2x2 takes 16");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).offset = 1; }), "lies at bytes 1+16 of 16");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).offset = ~std::size_t{0}; }), "lies at bytes");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).source = nullptr; }), "has no bytes");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).type = Type::tensor(DType::f32); }),
             "not a tensor of known extents");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).encoding = Encoding::kStrings; }), "encoded as strings");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).encoding = Encoding::kFill; }), "takes 4");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).stored_dtype = DType::none; }), "no element type");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).stored_shape = {-2, -2}; }), "no size");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 0).stored_shape = {INT64_MAX, 2}; }), "no size");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms.pop_back(); }), "is f32 3x2 once made");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms[0].ints = {2, 4}; }), "a reshape from");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms[1].ints = {1, 1}; }), "no permutation");
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms[1].ints = {1}; }), "no permutation");
  for (Transform bad : {Transform{Transform::Kind::kScale, {2}, DType::none, {1.0, 2.0}},
                        Transform{Transform::Kind::kScale, {1}, DType::none, {1.0}},
                        Transform{Transform::Kind::kScale, {}, DType::none, {}}}) {
    EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms.push_back(bad); }), "fits no axis");
  }
  EXPECT_HAS(error_of(kNet, [&](Module& m) { c(m, 1).transforms[2].dtype = DType::none; }), "cast to no type");
  EXPECT_EQ(error_of("const @s: string[2] = [\"a\", \"\"] func @f() -> (@s) {}"), "ok");
  EXPECT_HAS(error_of("const @s: string[2] = hex \"0100000061\" func @f() -> () {}"), "do not fill");
  EXPECT_HAS(error_of("const @s: string[1] = hex \"ff00000061\" func @f() -> () {}"), "do not fill");
  EXPECT_EQ(error_of("const @s: i4[3] = hex \"1203\" func @f() -> (@s) {}"), "ok");
}

TEST(Verify, SignaturesAndSymbols) {
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.signatures[0].function = 5; }), "signature 'main': is of a function");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.signatures.push_back(m.signatures[0]); }), "two signatures");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.signatures[0].states[0].input = 2; }), "input 2, which is none");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.signatures[0].states[0].output = -1; }), "output -1, which is none");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.signatures[0].states.push_back({"t", 0, 1}); }), "shares");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.functions[0].values[1].type.dtype = DType::i32; }), "is read as i32[N]");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.functions[0].outputs[0] = m.functions[0].outputs[1]; }), "two outputs");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.symbols = {{"N", 5, 4}}; }), "from 5 to 4");
  EXPECT_HAS(error_of(kNet, [](Module& m) { m.symbols = {{"N"}, {"N"}}; }), "two symbols");
  for (const char* name : {"", "1", "a b", "a+b", "a[", "a\""}) {
    EXPECT_HAS(error_of(kNet, [&](Module& m) { m.symbols = {{name}}; }), "no name of a symbol");
  }
}

}  // namespace
}  // namespace mote
