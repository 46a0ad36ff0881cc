// Broken and hostile files: refused with what, where and a hint, before memory is taken; never a crash.
#include "formats/emitter.h"
#include "formats/onnx/testing.h"
#include "formats/onnx/types.h"
#include "ir/infer.h"

namespace mote::onnx {
namespace {

using namespace testing;  // NOLINT

// One of everything: a typed tensor, strings, external-free attributes, a subgraph, a function, a sparse tensor.
Model rich_model() {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim("n"), dim(3)}}));
  m.graph().inputs.push_back(value("c", kBool, {std::vector<DimProto>()}));
  m.graph().initializers.push_back(m.floats("w", {3}, {1, 2, 3}));
  m.graph().initializers.push_back(m.longs("shape", {2}, {3, -1}));
  GraphProto a, b;
  a.nodes.push_back(node("Add", {"x", "w"}, {"t"}));
  a.outputs.push_back(value("t", kFloat, std::nullopt));
  b.nodes.push_back(node("Mul", {"x", "w"}, {"e"}));
  b.outputs.push_back(value("e", kFloat, std::nullopt));
  m.graph().nodes.push_back(
      node("If", {"c"}, {"r"}, attr("then_branch", std::move(a)), attr("else_branch", std::move(b))));
  m.graph().nodes.push_back(node("Reshape", {"r", "shape"}, {"s"}));
  FunctionProto f;
  f.name = "F";
  f.domain = "local";
  f.inputs = {"p"};
  f.outputs = {"q"};
  f.nodes.push_back(node("Softmax", {"p"}, {"q"}, attr("axis", std::int64_t{1})));
  m.proto.functions.push_back(std::move(f));
  NodeProto call = node("F", {"s"}, {"y"});
  call.domain = "local";
  m.graph().nodes.push_back(std::move(call));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  return m;
}

// Imports and, where that works, infers: what a user's command does.
void try_model(std::string_view bytes) {
  Result<Module> r = import_bytes(bytes);
  if (!r.ok()) {
    EXPECT_FALSE(r.status().message().empty());
    return;
  }
  Status ignored = Inference(*r).run();
  (void)ignored;
}

TEST(OnnxHostile, TruncatedAtEveryByte) {
  std::string bytes = rich_model().bytes();
  ASSERT_TRUE(import_bytes(bytes).ok()) << error_of(import_bytes(bytes));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    try_model(std::string_view(bytes).substr(0, n));
  }
}

TEST(OnnxHostile, EveryByteChanged) {
  std::string bytes = rich_model().bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int change : {1, 0x7f, 0x80, 0xff}) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ change);
      try_model(broken);
    }
  }
}

TEST(OnnxHostile, TruncationNamesTheByte) {
  std::string bytes = rich_model().bytes();
  std::string error = error_of(import_bytes(std::string_view(bytes).substr(0, bytes.size() / 2)));
  EXPECT_NE(error.find("byte "), std::string::npos) << error;
  EXPECT_NE(error_of(import_bytes("")).find("no graph"), std::string::npos);
  EXPECT_NE(error_of(import_bytes("GIF89a")), "");
}

Model with_tensor(TensorProto t) {
  Model m;
  t.name = "w";
  m.graph().nodes.push_back(node("Identity", {"w"}, {"y"}));
  m.graph().outputs.push_back(value("y", t.data_type, std::nullopt));
  m.graph().initializers.push_back(std::move(t));
  return m;
}

TEST(OnnxHostile, TensorsThatLie) {
  const std::byte four[4] = {};
  auto refused = [&](std::vector<std::int64_t> dims, int data_type, const char* expected) {
    TensorProto t;
    t.dims = std::move(dims);
    t.data_type = data_type;
    t.raw_data = four;
    std::string error = error_of(import_model(with_tensor(std::move(t))));
    EXPECT_NE(error.find(expected), std::string::npos) << error;
    EXPECT_NE(error.find("initializer 'w': byte "), std::string::npos) << error;
  };
  refused({2}, kFloat, "has 4 bytes of data, but f32[2] needs 8");
  refused({1}, kDouble, "needs 8");
  refused({-1}, kFloat, "negative");
  refused({std::int64_t{1} << 40, std::int64_t{1} << 40}, kFloat, "overflow");
  refused({std::int64_t{1} << 40}, kFloat, "needs 4398046511104");
  refused({1}, 0, "without a data type");
  refused({1}, 99, "data type 99");
  refused({1}, kString, "string tensor with raw data");
}

// A tensor message with one packed typed field, written by hand: tags are (field << 3) | 2.
std::string typed_tensor(int data_type, int count, int field, const std::string& packed) {
  std::string s;
  s += '\x08';
  s += static_cast<char>(count);
  s += '\x10';
  s += static_cast<char>(data_type);
  s += static_cast<char>(field << 3 | 2);
  s += static_cast<char>(packed.size());
  return s + packed;
}

Result<std::vector<double>> typed_values(const std::string& message) {
  auto file = source(message);
  TensorProto t;
  MOTE_TRY(parse_tensor(file->bytes(), {}, t));
  auto none = [](std::string_view) -> Result<std::shared_ptr<const Source>> { return invalid("external"); };
  MOTE_ASSIGN(Constant c, constant_of(t, file, none));
  return numbers_of(c);
}

TEST(OnnxHostile, TypedFields) {
  const std::string minus_one = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  auto expect = [](const std::string& message, std::vector<double> values) {
    Result<std::vector<double>> got = typed_values(message);
    ASSERT_TRUE(got.ok()) << got.status().to_string();
    EXPECT_EQ(*got, values);
  };
  expect(typed_tensor(kFloat, 1, 4, std::string("\0\0\x80\x3f", 4)), {1});
  expect(typed_tensor(kInt8, 2, 5, minus_one + "\x05"), {-1, 5});
  expect(typed_tensor(kUint8, 1, 5, "\xff\x01"), {255});
  expect(typed_tensor(kInt64, 2, 7, minus_one + "\x07"), {-1, 7});
  expect(typed_tensor(kFloat16, 1, 5, std::string("\x80\x78", 2)), {1});
  expect(typed_tensor(22, 2, 5, "\x2f"), {-1, 2});  // int4, two in a word
  // Too few, too many, out of range, in the field of another type.
  EXPECT_FALSE(typed_values(typed_tensor(kInt8, 3, 5, minus_one + "\x05")).ok());
  EXPECT_FALSE(typed_values(typed_tensor(kInt8, 1, 5, minus_one + "\x05")).ok());
  EXPECT_FALSE(typed_values(typed_tensor(kInt8, 1, 5, "\x80\x02")).ok());
  EXPECT_FALSE(typed_values(typed_tensor(kInt64, 1, 5, "\x05")).ok());
  EXPECT_FALSE(typed_values(typed_tensor(kFloat, 1, 4, std::string("\0\0\x80", 3))).ok());
}

TEST(OnnxHostile, BooleansAreZeroOrOne) {
  TensorProto t;
  const std::byte values[3] = {std::byte{0}, std::byte{1}, std::byte{7}};
  t.dims = {3};
  t.data_type = kBool;
  t.raw_data = values;
  Result<Module> r = import_model(with_tensor(std::move(t)));
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(*small_ints(r->constants[0]), (std::vector<std::int64_t>{0, 1, 1}));
}

TEST(OnnxHostile, StatedTypesThatLie) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, std::nullopt));
  m.graph().nodes.push_back(node("Relu", {"x"}, {"y"}));
  m.graph().outputs.push_back(value("y", kInt64, std::nullopt));
  std::string error = error_of(import_model(m));
  EXPECT_NE(error.find("gives f32, but the file says that 'y' is i64"), std::string::npos) << error;
}

TEST(OnnxHostile, LocationsStayInTheFolder) {
  for (std::string_view good : {"weights.bin", "a/b.bin", "./w", "..w", "a..b/c"}) {
    EXPECT_TRUE(check_location(good).ok()) << good;
  }
  for (std::string_view bad :
       {std::string_view(""), std::string_view("/etc/passwd"), std::string_view("../w"), std::string_view("a/../../w"),
        std::string_view("a/.."), std::string_view(".."), std::string_view("..\\w"), std::string_view("C:w"),
        std::string_view("w\0x", 3), std::string_view("a/"), std::string_view(".")}) {
    EXPECT_FALSE(check_location(bad).ok()) << bad;
  }
}

TensorProto external_tensor(std::string_view location, std::string_view offset, std::string_view length) {
  TensorProto t;
  t.dims = {2};
  t.data_type = kFloat;
  t.is_external = true;
  t.external_data = {{"location", location}, {"offset", offset}};
  if (!length.empty()) t.external_data.emplace_back("length", length);
  return t;
}

TEST(OnnxHostile, ExternalData) {
  auto data = std::make_shared<const BufferSource>(std::vector<std::byte>(16));
  int opened = 0;
  ImportOptions o = options();
  o.external_data = [&](std::string_view) -> Result<std::shared_ptr<const Source>> {
    ++opened;
    return std::shared_ptr<const Source>(data);
  };
  auto import = [&](std::string_view location, std::string_view offset, std::string_view length) {
    return error_of(import_onnx(source(with_tensor(external_tensor(location, offset, length)).bytes()), o));
  };
  EXPECT_EQ(import("w.bin", "8", "8"), "");
  EXPECT_EQ(opened, 1);
  EXPECT_NE(import("../w.bin", "0", "8").find("leaves the folder"), std::string::npos);
  EXPECT_EQ(opened, 1);
  EXPECT_NE(import("w.bin", "9", "8").find("has 16 bytes"), std::string::npos);
  EXPECT_NE(import("w.bin", "18446744073709551608", "8").find("has 16 bytes"), std::string::npos);
  EXPECT_NE(import("w.bin", "-1", "8").find("not a number"), std::string::npos);
  EXPECT_NE(import("w.bin", "0", "4").find("needs 8"), std::string::npos);
  EXPECT_NE(error_of(import_model(with_tensor(external_tensor("w.bin", "0", "8")))).find("cannot be reached"),
            std::string::npos);
}

TEST(OnnxHostile, NamesThatDoNotFit) {
  auto error = [](std::vector<NodeProto> nodes, std::string_view output) {
    Model m;
    m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
    m.graph().nodes = std::move(nodes);
    m.graph().outputs.push_back(value(output, kFloat, std::nullopt));
    return error_of(import_model(m));
  };
  auto list = [](auto... n) {
    std::vector<NodeProto> v;
    (v.push_back(std::move(n)), ...);
    return v;
  };
  std::string cycle = error(list(node("Neg", {"b"}, {"a"}), node("Neg", {"a"}, {"b"})), "b");
  EXPECT_NE(cycle.find("cycle: 'a', 'b'"), std::string::npos) << cycle;
  EXPECT_NE(error(list(node("Neg", {"a"}, {"a"})), "a").find("cycle"), std::string::npos);
  EXPECT_NE(error(list(node("Neg", {"q"}, {"a"})), "a").find("input 'q' is not defined"), std::string::npos);
  EXPECT_NE(error(list(node("Neg", {"x"}, {"a"}), node("Neg", {"x"}, {"a"})), "a").find("given twice"),
            std::string::npos);
  EXPECT_NE(error(list(node("Neg", {"x"}, {"x"})), "x").find("given twice"), std::string::npos);
  EXPECT_NE(error(list(node("Neg", {"x"}, {"a"})), "b").find("graph output 'b'"), std::string::npos);
}

TEST(OnnxHostile, UnknownOperatorsAreListedTogether) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  for (const char* name : {"a", "b", "c"}) m.graph().nodes.push_back(node("Frobnicate", {"x"}, {name}));
  NodeProto other = node("Thing", {"a"}, {"d"});
  other.domain = "acme";
  m.graph().nodes.push_back(std::move(other));
  m.graph().nodes.push_back(node("Neg", {"d"}, {"y"}));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  Result<Module> r = import_model(m);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.status().code(), Code::kUnsupported);
  EXPECT_EQ(r.status().message(),
            "the model needs what Mote does not have: Frobnicate of opset 18 ('a', 'b', 'c'); Thing of domain 'acme' "
            "('d')");
  EXPECT_NE(r.status().hint(), "");
}

TEST(OnnxHostile, DeepNesting) {
  GraphProto inner;
  inner.nodes.push_back(node("Neg", {"x"}, {"t"}));
  inner.outputs.push_back(value("t", kFloat, std::nullopt));
  for (int i = 0; i < 200; ++i) {
    GraphProto outer;
    GraphProto other;
    other.nodes.push_back(node("Neg", {"x"}, {"t"}));
    other.outputs.push_back(value("t", kFloat, std::nullopt));
    outer.nodes.push_back(
        node("If", {"c"}, {"t"}, attr("then_branch", std::move(inner)), attr("else_branch", std::move(other))));
    outer.outputs.push_back(value("t", kFloat, std::nullopt));
    inner = std::move(outer);
  }
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  m.graph().inputs.push_back(value("c", kBool, {std::vector<DimProto>()}));
  m.graph().nodes = std::move(inner.nodes);
  m.graph().outputs.push_back(value("t", kFloat, std::nullopt));
  EXPECT_NE(error_of(import_model(m)).find("nested"), std::string::npos);
}

FunctionProto caller(std::string_view name, std::string_view callee) {
  FunctionProto f;
  f.name = name;
  f.domain = "local";
  f.inputs = {"p"};
  f.outputs = {"q"};
  NodeProto first = node(callee, {"p"}, {"t"}), second = node(callee, {"t"}, {"q"});
  first.domain = second.domain = "local";
  f.nodes.push_back(std::move(first));
  f.nodes.push_back(std::move(second));
  return f;
}

TEST(OnnxHostile, FunctionsThatExplodeOrRecur) {
  static const char* names[] = {"F0", "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12"};
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  FunctionProto leaf;
  leaf.name = names[0];
  leaf.domain = "local";
  leaf.inputs = {"p"};
  leaf.outputs = {"q"};
  leaf.nodes.push_back(node("Neg", {"p"}, {"q"}));
  m.proto.functions.push_back(std::move(leaf));
  for (int i = 1; i < 13; ++i) m.proto.functions.push_back(caller(names[i], names[i - 1]));
  NodeProto call = node(names[12], {"x"}, {"y"});
  call.domain = "local";
  m.graph().nodes.push_back(std::move(call));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  EXPECT_EQ(error_of(import_model(m)), "");
  ImportOptions o = options();
  o.limits.max_nodes = 1000;
  EXPECT_NE(error_of(import_onnx(source(m.bytes()), o)).find("more than 1000 nodes"), std::string::npos);
  m.proto.functions[0] = caller(names[0], names[12]);
  EXPECT_NE(error_of(import_model(m)).find("calls itself"), std::string::npos);
}

TEST(OnnxHostile, StructuresAreBudgeted) {
  Model m;
  for (int i = 0; i < 100; ++i) m.graph().nodes.push_back(node("Neg", {"x"}, {}));
  ImportOptions o = options();
  o.limits.max_bytes = 10'000;
  Result<Module> r = import_onnx(source(m.bytes()), o);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.status().code(), Code::kResourceExhausted);
}

TEST(OnnxHostile, TypesAndOpsetsThatAreNotKnown) {
  Model newer(29);
  newer.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  EXPECT_NE(error_of(import_model(newer)).find("operator set 29"), std::string::npos);
  Model odd;
  odd.graph().inputs.push_back(value("x", 77, {{dim(2)}}));
  EXPECT_NE(error_of(import_model(odd)).find("element type 77"), std::string::npos);
  Model negative;
  negative.graph().inputs.push_back(value("x", kFloat, {{dim(-5)}}));
  EXPECT_NE(error_of(import_model(negative)).find("dimension 0 is -5"), std::string::npos);
}

}  // namespace
}  // namespace mote::onnx
