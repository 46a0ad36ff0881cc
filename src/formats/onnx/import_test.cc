// What models become: names, types, constants, functions, captures, older operators.
#include "formats/onnx/testing.h"
#include "ir/infer.h"

namespace mote::onnx {
namespace {

using namespace testing;  // NOLINT

const Value& value_named(const Function& f, std::string_view name) {
  for (const Value& v : f.values) {
    if (v.name == name) return v;
  }
  ADD_FAILURE() << "no value named " << name;
  static const Value none;
  return none;
}

Model add_model() {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim("batch"), dim(3)}}));
  m.graph().initializers.push_back(m.floats("w", {3}, {1, 2, 3}));
  m.graph().nodes.push_back(node("Add", {"x", "w"}, {"y"}));
  m.graph().outputs.push_back(value("y", kFloat, {{dim("batch"), dim(3)}}));
  return m;
}

TEST(OnnxImport, NamesTypesSymbolsAndMetadata) {
  Model m = add_model();
  m.proto.producer_name = "exporter";
  m.proto.metadata.emplace_back("labels", "a,b");
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  const Function& f = r->functions[0];
  EXPECT_EQ(listing(*r, f), "add(x, w) -> y\n");
  EXPECT_EQ(value_named(f, "x").type.to_string(), "f32[batch,3]");
  EXPECT_EQ(value_named(f, "y").type.to_string(), "f32[batch,3]");
  ASSERT_NE(r->find_symbol("batch"), nullptr);
  EXPECT_EQ(*r->find_metadata("onnx.opset"), "18");
  EXPECT_EQ(*r->find_metadata("onnx.producer_name"), "exporter");
  EXPECT_EQ(*r->find_metadata("labels"), "a,b");
  EXPECT_EQ(f.nodes[0].name, "y");
}

TEST(OnnxImport, RawDataIsNotCopied) {
  std::string bytes = add_model().bytes();
  auto file = source(bytes);
  Result<Module> r = import_onnx(file, options());
  ASSERT_TRUE(r.ok());
  ASSERT_EQ(r->constants.size(), 1u);
  EXPECT_EQ(r->constants[0].source, file);
  EXPECT_EQ(r->constants[0].stored().data(), file->bytes().data() + r->constants[0].offset);
  EXPECT_EQ(*small_floats(r->constants[0]), (std::vector<double>{1, 2, 3}));
}

TEST(OnnxImport, UnnamedAndOddlyNamedDimensionsBecomeSymbols) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(""), dim("seq len*2"), dim("past"), dim("past + 1")}}));
  m.graph().inputs.push_back(value("z", kFloat, {{dim("seq len*2"), dim(-1)}}));
  m.graph().nodes.push_back(node("Identity", {"x"}, {"y"}));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(value_named(r->functions[0], "x").type.to_string(), "f32[x_d0,seq_len_2,past,past+1]");
  EXPECT_EQ(value_named(r->functions[0], "z").type.to_string(), "f32[seq_len_2,z_d1]");
}

TEST(OnnxImport, NodesOutOfOrderAreSorted) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  m.graph().nodes.push_back(node("Neg", {"b"}, {"c"}));
  m.graph().nodes.push_back(node("Exp", {"a"}, {"b"}));
  m.graph().nodes.push_back(node("Abs", {"x"}, {"a"}));
  m.graph().outputs.push_back(value("c", kFloat, {{dim(2)}}));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(listing(*r, r->functions[0]), "abs(x) -> a\nexp(a) -> b\nneg(b) -> c\n");
}

// scale(x; k = 2) = x * k + x, with the constant in a node that refers to the attribute.
FunctionProto scale_function() {
  FunctionProto f;
  f.name = "Scale";
  f.domain = "local";
  f.inputs = {"x"};
  f.outputs = {"y"};
  f.opsets.push_back({"", 18});
  AttributeProto by_default = attr("k", 2.0f);
  f.attribute_defaults.push_back(std::move(by_default));
  f.nodes.push_back(node("Constant", {}, {"k"}, attr_ref("value_float", "k", AttributeType::kFloat)));
  f.nodes.push_back(node("Mul", {"x", "k"}, {"t"}));
  f.nodes.push_back(node("Add", {"t", "x"}, {"y"}));
  return f;
}

NodeProto call(std::string_view function, std::initializer_list<std::string_view> inputs,
               std::initializer_list<std::string_view> outputs) {
  NodeProto n = node(function, inputs, outputs);
  n.domain = "local";
  return n;
}

TEST(OnnxImport, FunctionsAreInlinedWithTheirAttributes) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  m.proto.functions.push_back(scale_function());
  FunctionProto twice;
  twice.name = "Twice";
  twice.domain = "local";
  twice.inputs = {"a"};
  twice.outputs = {"b", "same"};
  twice.attributes = {"k"};
  twice.nodes.push_back(call("Scale", {"a"}, {"t"}));
  NodeProto second = call("Scale", {"t"}, {"b"});
  second.attributes.push_back(attr_ref("k", "k", AttributeType::kFloat));
  twice.nodes.push_back(std::move(second));
  twice.nodes.push_back(node("Identity", {"a"}, {"same"}));
  m.proto.functions.push_back(std::move(twice));
  NodeProto top = call("Twice", {"x"}, {"y", "z"});
  top.name = "top";
  top.attributes.push_back(attr("k", 5.0f));
  m.graph().nodes.push_back(std::move(top));
  m.graph().outputs.push_back(value("y", kFloat, {{dim(2)}}));
  m.graph().outputs.push_back(value("z", kFloat, {{dim(2)}}));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(listing(*r, r->functions[0]),
            "mul(x, top/t/k) -> top/t/t\nadd(top/t/t, x) -> top/t\nmul(top/t, top/b/k) -> top/b/t\n"
            "add(top/b/t, top/t) -> y\nidentity(x) -> z\n");
  EXPECT_EQ(*small_floats(r->constants[0]), std::vector<double>{2});
  EXPECT_EQ(*small_floats(r->constants[1]), std::vector<double>{5});
}

TEST(OnnxImport, FunctionOutputsThatAreItsInputsAreCopied) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  FunctionProto f;
  f.name = "Same";
  f.domain = "local";
  f.inputs = {"x"};
  f.outputs = {"x", "x"};
  m.proto.functions.push_back(std::move(f));
  m.graph().nodes.push_back(call("Same", {"x"}, {"y", "z"}));
  m.graph().outputs.push_back(value("y", kFloat, {{dim(2)}}));
  m.graph().outputs.push_back(value("z", kFloat, {{dim(2)}}));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(listing(*r, r->functions[0]), "identity(x) -> y\nidentity(x) -> z\n");
}

// if (c) then x + w else x * u, inside a loop that captures x and u from the main graph.
TEST(OnnxImport, CapturesAreExplicitAndConstantsAreNot) {
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  m.graph().inputs.push_back(value("u", kFloat, {{dim(2)}}));
  m.graph().inputs.push_back(value("n", kInt64, {std::vector<DimProto>()}));
  m.graph().initializers.push_back(m.floats("w", {2}, {1, 2}));
  GraphProto then_graph, else_graph, body;
  then_graph.nodes.push_back(node("Add", {"x", "w"}, {"t"}));
  then_graph.outputs.push_back(value("t", kFloat, std::nullopt));
  else_graph.nodes.push_back(node("Mul", {"x", "u"}, {"e"}));
  else_graph.outputs.push_back(value("e", kFloat, std::nullopt));
  body.inputs.push_back(value("i", kInt64, {std::vector<DimProto>()}));
  body.inputs.push_back(value("c", kBool, {std::vector<DimProto>()}));
  body.inputs.push_back(value("s", kFloat, {{dim(2)}}));
  body.nodes.push_back(
      node("If", {"c"}, {"r"}, attr("then_branch", std::move(then_graph)), attr("else_branch", std::move(else_graph))));
  body.nodes.push_back(node("Add", {"s", "r"}, {"s2"}));
  body.outputs.push_back(value("c", kBool, std::nullopt));
  body.outputs.push_back(value("s2", kFloat, {{dim(2)}}));
  body.outputs.push_back(value("r", kFloat, {{dim(2)}}));
  m.graph().nodes.push_back(node("Loop", {"n", "", "x"}, {"y", "all"}, attr("body", std::move(body))));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  m.graph().outputs.push_back(value("all", kFloat, std::nullopt));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  ASSERT_EQ(r->functions.size(), 4u);
  EXPECT_EQ(listing(*r, r->functions[0]), "loop(n, _, x, x, u) -> y, all @main/y/body\n");
  EXPECT_EQ(std::get<std::int64_t>(*r->functions[0].nodes[0].attrs.find("counted")), 1);
  EXPECT_EQ(listing(*r, r->functions[1]),
            "if(c, x, u) -> r @main/y/body/r/then @main/y/body/r/else\nadd(s, r) -> s2\nidentity(c) -> c_2\n");
  EXPECT_EQ(listing(*r, r->functions[2]), "add(x, w) -> t\n");
  EXPECT_EQ(r->functions[2].inputs.size(), 2u);
  EXPECT_EQ(listing(*r, r->functions[3]), "mul(x, u) -> e\n");
  Inference inference(*r);
  Status s = inference.run();
  ASSERT_TRUE(s.ok()) << s.to_string();
  EXPECT_EQ(value_named(r->functions[0], "y").type.to_string(), "f32[2]");
  EXPECT_EQ(value_named(r->functions[0], "all").type.to_string().substr(0, 4), "f32[");
}

TEST(OnnxImport, ScanIsALoop) {
  Model m(11);
  m.graph().inputs.push_back(value("start", kFloat, {{dim(2)}}));
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2), dim(5)}}));
  GraphProto body;
  body.inputs.push_back(value("sum", kFloat, {{dim(2)}}));
  body.inputs.push_back(value("next", kFloat, {{dim(2)}}));
  body.nodes.push_back(node("Add", {"sum", "next"}, {"total"}));
  body.nodes.push_back(node("Identity", {"total"}, {"seen"}));
  body.outputs.push_back(value("total", kFloat, {{dim(2)}}));
  body.outputs.push_back(value("seen", kFloat, {{dim(2)}}));
  m.graph().nodes.push_back(node("Scan", {"start", "x"}, {"y", "trace"}, attr("num_scan_inputs", std::int64_t{1}),
                                 attr_ints("scan_input_axes", {1}), attr_ints("scan_input_directions", {1}),
                                 attr_ints("scan_output_axes", {1}), attr("body", std::move(body))));
  m.graph().outputs.push_back(value("y", kFloat, {{dim(2)}}));
  m.graph().outputs.push_back(value("trace", kFloat, {{dim(2), dim(5)}}));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  Inference inference(*r);
  Status s = inference.run();
  ASSERT_TRUE(s.ok()) << s.to_string();
  EXPECT_EQ(value_named(r->functions[0], "trace").type.to_string(), "f32[2,5]");
  EXPECT_EQ(r->functions[0].nodes.back().op->name, "transpose");
}

TEST(OnnxImport, InitializersNeedNoInput) {
  Model m = add_model();
  m.proto.ir_version = 3;
  m.graph().inputs.push_back(value("w", kFloat, {{dim(3)}}));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->functions[0].inputs.size(), 1u);
}

TEST(OnnxImport, InitializersThatAreInputsCanBeOverridden) {
  for (std::int64_t version : {3, 8}) {
    Model m = add_model();
    m.proto.ir_version = version;
    m.graph().inputs.push_back(value("w", kFloat, {{dim(3)}}));
    std::string bytes = m.bytes();
    ImportOptions o = options();
    o.overrides = {"w", "x", "no such name"};
    Result<Module> r = import_onnx(source(bytes), o);
    ASSERT_TRUE(r.ok()) << r.status().to_string();
    const Function& f = r->functions[0];
    ASSERT_EQ(f.inputs.size(), 2u);
    EXPECT_EQ(f.values[static_cast<std::size_t>(f.inputs[1])].name, "w");
    EXPECT_TRUE(r->constants.empty());
  }
  // What is no graph input stays a constant.
  Model m = add_model();
  ImportOptions o = options();
  o.overrides = {"w"};
  std::string bytes = m.bytes();
  Result<Module> r = import_onnx(source(bytes), o);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(r->constants.size(), 1u);
}

TEST(OnnxImport, SparseInitializersBecomeDense) {
  Model m = add_model();
  m.graph().initializers.clear();
  SparseTensorProto s;
  s.values = m.floats("w", {2}, {7, 9});
  s.indices = m.longs("", {2}, {0, 2});
  s.dims = {3};
  m.graph().sparse_initializers.push_back(std::move(s));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(*small_floats(r->constants[0]), (std::vector<double>{7, 0, 9}));
}

TEST(OnnxImport, LegacyBroadcastAlignsAtAnAxis) {
  Model m(6);
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2), dim(3), dim(4), dim(5)}}));
  m.graph().inputs.push_back(value("b", kFloat, {{dim(3)}}));
  m.graph().nodes.push_back(
      node("Add", {"x", "b"}, {"y"}, attr("axis", std::int64_t{1}), attr("broadcast", std::int64_t{1})));
  m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
  Result<Module> r = import_model(m);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  EXPECT_EQ(value_named(r->functions[0], "y").type.to_string(), "f32[2,3,4,5]");
  EXPECT_EQ(r->functions[0].nodes[0].op->name, "unsqueeze");
}

TEST(OnnxImport, SoftmaxBeforeOpset13IsOverAMatrix) {
  for (auto [axis, nodes] : {std::pair<std::int64_t, std::size_t>{1, 4}, {2, 1}, {-1, 1}}) {
    Model m(11);
    m.graph().inputs.push_back(value("x", kFloat, {{dim(2), dim(3), dim(4)}}));
    m.graph().nodes.push_back(node("Softmax", {"x"}, {"y"}, attr("axis", axis)));
    m.graph().outputs.push_back(value("y", kFloat, std::nullopt));
    Result<Module> r = import_model(m);
    ASSERT_TRUE(r.ok()) << r.status().to_string();
    EXPECT_EQ(r->functions[0].nodes.size(), nodes) << "axis " << axis;
    EXPECT_EQ(value_named(r->functions[0], "y").type.to_string(), "f32[2,3,4]");
  }
}

TEST(OnnxImport, CustomOpsKeepTheirAttributes) {
  static constexpr Op kMine = {.name = "mine.thing", .doc = "", .infer = nullptr};
  Model m;
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  NodeProto n = node("Thing", {"x"}, {"y"}, attr("size", std::int64_t{3}), attr("mode", std::string_view("fast")));
  n.domain = "mine";
  m.graph().nodes.push_back(std::move(n));
  m.graph().outputs.push_back(value("y", kFloat, {{dim(2)}}));
  ImportOptions o = options();
  o.custom_op = [](std::string_view domain, std::string_view name) {
    return domain == "mine" && name == "Thing" ? &kMine : nullptr;
  };
  Result<Module> r = import_onnx(source(m.bytes()), o);
  ASSERT_TRUE(r.ok()) << r.status().to_string();
  const Node& made = r->functions[0].nodes[0];
  EXPECT_EQ(made.op, &kMine);
  EXPECT_EQ(std::get<std::int64_t>(*made.attrs.find("size")), 3);
  EXPECT_EQ(std::get<std::string>(*made.attrs.find("mode")), "fast");
}

}  // namespace
}  // namespace mote::onnx
