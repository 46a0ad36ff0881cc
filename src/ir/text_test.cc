#include "ir/text.h"

#include <gtest/gtest.h>

#include <cstring>

#include "ir/testing.h"

namespace mote {
namespace {

const testing::TestOps kOps;

std::string print_again(const std::string& text) {
  Result<Module> m = parse(text, kOps);
  return m.ok() ? print(*m) : "failed: " + m.status().to_string();
}

std::string error_of(std::string_view text) {
  Result<Module> m = parse(text, kOps);
  return m.ok() ? "ok" : m.status().to_string();
}

// As print() writes it.
const char* kModule = R"(module "a \"net\"\x0a"
symbol N = 1..64
symbol seq.len = 0..2147483648
meta "producer" = "py\\torch"
meta "" = ""
const @w: f32[2,3] = [1, -2.5, 1e+20, 0.1, -0, inf]
const @"we ird": i64[2] = [-9223372036854775808, 9223372036854775807]
const @h: f16[3,2] from f32[2,3] = hex "000000000000803f" transpose [1,0] cast f16 scale [1] [0.5,2.0]
const @z: f32[1000,1000] = fill [0.5]
const @names: string[2] = ["a\"b", ""]
const @b: boolean[2] = [true, false]
const @r: f64[2,2] from f64[4] = [1, 2, 3, nan] reshape [2,2]
const @#1: bf16[1] = fill [1.5]
signature "main" = @main {
  state "past" = input 1, output 1
}
signature "other" = @"body #1"
func @main(%x: f32[N,3,2*seq.len+1], %past: list(optional(i64[?])), %"in 2") -> (%y, %y#2, @w, %x) {
  let %alias = @w
  let %w = @"we ird"
  %y: f32[N,4] = conv(%x, @w, _) {alpha=1.0, mode="a,b}", names=["x","y\""], strides=[2,2], to=dtype:f16} "conv 1"
  %y#2: f32[?] = conv(%y, %alias, f32(0.5))
  %#1, _, %"a b": none[3] = split(%"in 2") {axis=-1}
  print(%#1) "/p"
  _ = "my domain.Op"(i64[2](1, 2)) "n"
  %s = add:3(%w, %y#2)
  %t, %u = if(%s, %y) [@"body #1", @main/then]
}
func @"body #1"(%x) -> (%x, %x) {
}
func @main/then(%x) -> (f32(0.5), @"we ird") {
}
)";

TEST(Text, PrintsWhatItParsed) {
  EXPECT_EQ(print_again(kModule), kModule);
  Result<Module> m = parse(kModule, kOps);
  ASSERT_TRUE(m.ok()) << m.status().to_string();
  EXPECT_EQ(m->name, "a \"net\"\n");
  EXPECT_EQ(m->functions.size(), 3u);
  EXPECT_EQ(m->signatures[0].states[0].output, 1);
  const Function& f = m->functions[0];
  EXPECT_EQ(f.nodes[0].name, "conv 1");
  EXPECT_EQ(f.nodes[1].name, "y");
  EXPECT_EQ(f.nodes[6].bodies, (std::vector<FunctionId>{1, 2}));
  EXPECT_EQ(f.values[static_cast<std::size_t>(f.outputs[1])].name, "y");
  EXPECT_EQ(m->constants[0].stored().size(), 24u);
  EXPECT_EQ(*m->find_metadata("producer"), "py\\torch");
}

TEST(Text, ReadsLooseSpaceAndComments) {
  EXPECT_EQ(print_again("func @f ( %x:f32[N, 3] )->( %y ){ // hello\n%y=conv( %x , f32[2]( 1,2 ),_){strides=[1, 2]} }"),
            "func @f(%x: f32[N,3]) -> (%y) {\n  %y = conv(%x, f32[2](1, 2), _) {strides=[1,2]}\n}\n");
}

TEST(Text, NamesOfAnyBytes) {
  Module m;
  m.functions.emplace_back();
  Function& f = m.functions[0];
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  for (std::string name : {all, std::string("a#2"), std::string("a"), std::string("a"), std::string("_"),
                           std::string("\\"), std::string("\0x", 2), std::string()}) {
    f.add_input(name, Type());
  }
  for (int i = 0; i < 3; ++i) f.add_node(*kOps.find("relu"), all, {i}, {}, 1);
  f.outputs = {7, 8, 9};
  f.name = all;
  Result<Module> back = parse(print(m), kOps);
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  for (std::size_t i = 0; i < f.values.size(); ++i) EXPECT_EQ(back->functions[0].values[i].name, f.values[i].name);
  EXPECT_EQ(back->functions[0].nodes[2].name, all);
  EXPECT_EQ(print(*back), print(m));
}

TEST(Text, ConstantsOfOddBits) {
  Module m;
  std::vector<std::byte> bytes(16);
  for (std::size_t i = 0; i < 16; ++i) bytes[i] = static_cast<std::byte>(i * 37 + 255);
  for (int t = 1; t < kDTypeCount; ++t) {
    DType dtype = static_cast<DType>(t);
    if (dtype == DType::string) continue;
    m.add_constant("c" + std::to_string(t), dtype, {128 / bits_of(dtype)}, bytes);
  }
  Result<Module> back = parse(print(m), kOps);
  ASSERT_TRUE(back.ok()) << back.status().to_string();
  ASSERT_EQ(back->constants.size(), m.constants.size());
  for (const Constant& c : back->constants) {
    EXPECT_TRUE(std::ranges::equal(c.stored(), bytes)) << c.type.to_string();
  }
}

TEST(Text, LargeConstantsNameTheirSource) {
  auto source = std::make_shared<BufferSource>(std::vector<std::byte>(100000, std::byte{7}));
  source->name = "weights \"1\".bin";
  Module m;
  Constant c{"w", Type::tensor(DType::u8, Shape{50000}), source, 1000, 50000};
  c.stored_dtype = DType::u8;
  c.stored_shape = {50000};
  m.add_constant(c);
  std::string text = print(m);
  EXPECT_EQ(text, "const @w: u8[50000] = external \"weights \\\"1\\\".bin\" 1000 50000\n");
  EXPECT_NE(error_of(text).find("nothing gives its bytes"), std::string::npos);
  TextOptions options;
  std::string asked;
  options.source = [&](std::string_view name) {
    asked = name;
    return Result<std::shared_ptr<const Source>>(source);
  };
  Result<Module> back = parse(text, kOps, options);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(asked, source->name);
  EXPECT_EQ(back->constants[0].stored().data(), source->bytes().data() + 1000);
  EXPECT_FALSE(parse("const @w: u8[9] = external \"a\" 99999 9", kOps, options).ok());
  EXPECT_FALSE(parse("const @w: u8[9] = external \"a\" -1 9", kOps, options).ok());
  PrintOptions all;
  all.hex_bytes = 1 << 20;
  EXPECT_TRUE(parse(print(m, all), kOps).ok());
}

TEST(Text, ErrorsNameThePlace) {
  EXPECT_EQ(error_of("func @f(%x) -> (%y) {\n  %y = nosuch(%x)\n}"), "line 2, column 8: no op is named 'nosuch'");
  EXPECT_EQ(error_of("func @f(%x) -> (%y) {\n  %y = relu(%z)\n}"),
            "line 2, column 14: no value %z#1 before this place");
  EXPECT_EQ(error_of("func @f() -> () {\n  relu)\n}"), "line 2, column 7: expected '(', found ')'");
  EXPECT_EQ(error_of("const @w: f32[2] = [1, x]"), "line 1, column 24: 'x' is not an element of type f32");
  EXPECT_EQ(error_of("const @w: f32[2] = [1]"), "line 1, column 22: 1 elements where the shape has 2");
  EXPECT_EQ(error_of("nonsense"),
            "line 1, column 1: expected module, symbol, meta, const, signature or func, found 'nonsense'");
}

TEST(Text, RefusesWhatMakesNoSense) {
  for (const char* text : {
           "func @f(%x, %x) -> () {}",
           "func @f() -> (%y) {}",
           "func @f() -> () {} func @f() -> () {}",
           "func @f() -> () { call() [@g] }",
           "func @f() -> () {",
           "func @f(%x) -> () { %y = relu:2(%x) }",
           "func @f(%x) -> () { %y = add(%x, %x) }",
           "func @f(%x) -> () { %y = relu(%x) {a=1, a=2} }",
           "func @f(%x) -> () { %y = relu(%x) {a=} }",
           "func @f(%x: f32[) -> () {}",
           "func @f(%x: f33[2]) -> () {}",
           "const @w: f32[N] = []",
           "const @w: f32[?] = []",
           "const @w: f32[1] = [1] transpose 3",
           "const @w: f32[1] = hex \"0\"",
           "const @w: f32[1] = hex \"0g\"",
           "const @w: f32[0] = [] const @w: f32[0] = []",
           "signature \"a\" = @f",
           "symbol N = 1",
           "meta \"a\" = \"b",
           "module \"\\x0\"",
           "func @f(%x: "
           "list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(list(f32[?])))))))))))"
           ")))))))) -> () {}",
           "func @f(%x: f32[(a+b)*(c+d)]) -> () {}",
           "func @f(%x: f32[min(a+b+c,9)*min(a,b)*a-]) -> () {}",
       }) {
    EXPECT_NE(error_of(text), "ok") << text;
  }
  TextOptions few;
  few.max_items = 3;
  EXPECT_EQ(parse("func @f(%a, %b, %c, %d) -> () {}", kOps, few).status().code(), Code::kResourceExhausted);
}

TEST(Text, EveryCutOfAFileIsReadOrRefused) {
  std::string text = kModule;
  for (std::size_t n = 0; n < text.size(); ++n) {
    Result<Module> m = parse(std::string_view(text).substr(0, n), kOps);
    if (m.ok()) print(*m);
  }
}

}  // namespace
}  // namespace mote
