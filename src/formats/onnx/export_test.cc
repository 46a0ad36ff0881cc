// Writing: what is read again is what was written.
#include "formats/onnx/testing.h"
#include "ir/infer.h"

namespace mote::onnx {
namespace {

using namespace testing;  // NOLINT

std::string all_listings(const Module& m) {
  std::string s;
  for (const Function& f : m.functions) s += f.name + ":\n" + listing(m, f);
  return s;
}

Module imported(const Model& m) {
  Result<Module> r = import_model(m);
  EXPECT_TRUE(r.ok()) << r.status().to_string();
  if (!r.ok()) return {};
  EXPECT_TRUE(Inference(*r).run().ok());
  return *std::move(r);
}

Module again(const Module& m, const ExportOptions& o = {}) {
  Result<std::string> bytes = export_onnx(m, o);
  EXPECT_TRUE(bytes.ok()) << bytes.status().to_string();
  if (!bytes.ok()) return {};
  Result<Module> r = import_bytes(*bytes);
  EXPECT_TRUE(r.ok()) << r.status().to_string();
  if (!r.ok()) return {};
  EXPECT_TRUE(Inference(*r).run().ok());
  return *std::move(r);
}

Model branching_model() {
  Model m;
  m.proto.producer_name = "exporter";
  m.proto.metadata.emplace_back("labels", "a,b");
  m.graph().inputs.push_back(value("x", kFloat, {{dim("batch"), dim(3)}}));
  m.graph().inputs.push_back(value("c", kBool, {std::vector<DimProto>()}));
  m.graph().initializers.push_back(m.floats("w", {3}, {1, 2, 3}));
  GraphProto a, b;
  a.nodes.push_back(node("Add", {"x", "w"}, {"t"}));
  a.outputs.push_back(value("t", kFloat, std::nullopt));
  b.nodes.push_back(node("Softmax", {"x"}, {"t"}, attr("axis", std::int64_t{-1})));
  b.outputs.push_back(value("t", kFloat, std::nullopt));
  m.graph().nodes.push_back(
      node("If", {"c"}, {"r"}, attr("then_branch", std::move(a)), attr("else_branch", std::move(b))));
  m.graph().nodes.push_back(node("Cast", {"r"}, {"y"}, attr("to", std::int64_t{kDouble})));
  m.graph().outputs.push_back(value("y", kDouble, {{dim("batch"), dim(3)}}));
  return m;
}

TEST(OnnxExport, RoundTripKeepsNamesTypesAndMetadata) {
  Module first = imported(branching_model());
  Module second = again(first);
  EXPECT_EQ(first.functions[0].inputs.size(), second.functions[0].inputs.size());
  EXPECT_EQ(listing(first, first.functions[0]), listing(second, second.functions[0]));
  EXPECT_EQ(first.functions[0].values[0].type, second.functions[0].values[0].type);
  EXPECT_EQ(*second.find_metadata("labels"), "a,b");
  EXPECT_EQ(*second.find_metadata("onnx.producer_name"), "exporter");
  EXPECT_EQ(*second.find_metadata("onnx.opset"), "18");
  // A second time nothing changes any more.
  EXPECT_EQ(all_listings(second), all_listings(again(second)));
}

TEST(OnnxExport, LoopsKeepTheirCaptures) {
  Model m;
  m.graph().inputs.push_back(value("n", kInt64, {std::vector<DimProto>()}));
  m.graph().inputs.push_back(value("x", kFloat, {{dim(2)}}));
  GraphProto body;
  body.inputs.push_back(value("i", kInt64, {std::vector<DimProto>()}));
  body.inputs.push_back(value("go", kBool, {std::vector<DimProto>()}));
  body.inputs.push_back(value("s", kFloat, {{dim(2)}}));
  body.nodes.push_back(node("Add", {"s", "x"}, {"s2"}));
  body.nodes.push_back(node("Identity", {"go"}, {"go2"}));
  body.outputs.push_back(value("go2", kBool, std::nullopt));
  body.outputs.push_back(value("s2", kFloat, std::nullopt));
  m.graph().nodes.push_back(node("Loop", {"n", "", "x"}, {"y"}, attr("body", std::move(body))));
  m.graph().outputs.push_back(value("y", kFloat, {{dim(2)}}));
  Module first = imported(m), second = again(first);
  EXPECT_EQ(all_listings(first), all_listings(second));
}

TEST(OnnxExport, LargeConstantsGoOutside) {
  Module first = imported(branching_model());
  std::vector<std::byte> outside;
  ExportOptions o;
  o.max_bytes = 11;
  o.external_above = 4;
  o.external_name = "weights.bin";
  EXPECT_FALSE(export_onnx(first,
                           [] {
                             ExportOptions small;
                             small.max_bytes = 8;
                             return small;
                           }())
                   .ok());
  o.write_external = [&](std::span<const std::byte> bytes) -> Result<std::uint64_t> {
    outside.resize((outside.size() + 63) / 64 * 64);
    std::uint64_t at = outside.size();
    outside.insert(outside.end(), bytes.begin(), bytes.end());
    return at;
  };
  Result<std::string> bytes = export_onnx(first, o);
  ASSERT_TRUE(bytes.ok()) << bytes.status().to_string();
  ASSERT_EQ(outside.size(), 12u);
  ImportOptions read = options();
  read.external_data = [&](std::string_view location) -> Result<std::shared_ptr<const Source>> {
    EXPECT_EQ(location, "weights.bin");
    return std::shared_ptr<const Source>(std::make_shared<BufferSource>(outside));
  };
  Result<Module> second = import_onnx(source(*bytes), read);
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_EQ(*small_floats(second->constants[0]), (std::vector<double>{1, 2, 3}));
}

TEST(OnnxExport, FilledAndTransposedConstants) {
  Module m = imported(branching_model());
  Constant& c = m.constants[0];
  float seven = 7;
  c.encoding = Encoding::kFill;
  c.source = std::make_shared<BufferSource>(to_bytes(std::span<const float>(&seven, 1)));
  c.offset = 0;
  c.size = 4;
  Module filled = again(m);
  ASSERT_EQ(filled.constants.size(), 2u);
  EXPECT_EQ(*small_floats(filled.constants[1]), (std::vector<double>{7, 7, 7}));

  Module t = imported(branching_model());
  std::vector<float> data = {0, 1, 2, 3, 4, 5};
  Constant& w = t.constants[0];
  w.source = std::make_shared<BufferSource>(to_bytes(std::span<const float>(data)));
  w.offset = 0;
  w.size = 24;
  w.stored_shape = {2, 3};
  w.transforms = {Transform{Transform::Kind::kTranspose, {1, 0}}, Transform{Transform::Kind::kReshape, {6}}};
  w.type = Type::tensor(DType::f32, Shape{6});
  for (Value& v : t.functions[1].values) {
    if (v.constant != kNone) v.type = w.type;
  }
  Result<std::string> bytes = export_onnx(t);
  ASSERT_TRUE(bytes.ok()) << bytes.status().to_string();
  ModelProto proto;
  auto file = source(*bytes);
  ASSERT_TRUE(parse_model(file->bytes(), {}, proto).ok());
  std::vector<float> got(6);
  ASSERT_EQ(proto.graph.initializers[0].raw_data->size(), 24u);
  std::memcpy(got.data(), proto.graph.initializers[0].raw_data->data(), 24);
  EXPECT_EQ(got, (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

// Stored, then cast, moved and scaled: what is stored is written as it is, with nodes behind it.
TEST(OnnxExport, CastConstantsAreWrittenAsStored) {
  Module m = imported(branching_model());
  Constant& c = m.constants[0];
  std::vector<std::uint16_t> halves = {0x3c00, 0x4000, 0x4200};  // 1, 2, 3
  c.source = std::make_shared<BufferSource>(to_bytes(std::span<const std::uint16_t>(halves)));
  c.offset = 0;
  c.size = 6;
  c.stored_dtype = DType::f16;
  c.stored_shape = {1, 3};
  c.transforms = {{Transform::Kind::kTranspose, {1, 0}, DType::none, {}},
                  {Transform::Kind::kCast, {}, DType::f32, {}},
                  {Transform::Kind::kScale, {0}, DType::none, {0.5, 1, 2}},
                  {Transform::Kind::kReshape, {3}, DType::none, {}}};
  Module second = again(m);
  std::string nodes = listing(second, second.functions[0]);
  std::size_t cast = nodes.find("cast"), mul = nodes.find("mul"), reshape = nodes.find("reshape");
  EXPECT_LT(cast, mul) << nodes;
  EXPECT_LT(mul, reshape) << nodes;
  EXPECT_NE(reshape, std::string::npos) << nodes;
  const Constant& stored = second.constants[0];
  EXPECT_EQ(stored.type.dtype, DType::f16);
  EXPECT_EQ(stored.stored_shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(*small_floats(stored), (std::vector<double>{1, 2, 3}));

  c.encoding = Encoding::kFill;
  c.size = 2;
  c.transforms = {{Transform::Kind::kTranspose, {1, 0}, DType::none, {}},
                  {Transform::Kind::kCast, {}, DType::f32, {}},
                  {Transform::Kind::kReshape, {3}, DType::none, {}}};
  Module filled = again(m);
  nodes = listing(filled, filled.functions[0]);
  EXPECT_LT(nodes.find("cast"), nodes.find("reshape")) << nodes;
}

TEST(OnnxExport, StatesSurvive) {
  Module m = imported(branching_model());
  m.signatures[0].states.push_back(State{"x", 0, 0});
  Module second = again(m);
  ASSERT_EQ(second.signatures[0].states.size(), 1u);
  EXPECT_EQ(second.signatures[0].states[0].input, 0);
  EXPECT_EQ(second.signatures[0].states[0].output, 0);
  EXPECT_EQ(second.find_metadata("mote.state.x"), nullptr);
}

TEST(OnnxExport, OpsThatOnnxDoesNotHaveAreListed) {
  static constexpr Op kMine = {.name = "mine.thing", .doc = "", .infer = nullptr};
  Module m = imported(branching_model());
  m.functions[0].nodes[1].op = &kMine;
  Result<std::string> bytes = export_onnx(m);
  ASSERT_FALSE(bytes.ok());
  EXPECT_NE(bytes.status().message().find("mine.thing (1 nodes)"), std::string::npos);
}

}  // namespace
}  // namespace mote::onnx
