// Broken and hostile files: refused with what and where, before memory is taken; never a crash.
#include <gtest/gtest.h>

#include "formats/tflite/file.h"
#include "formats/tflite/tflite.h"
#include "ir/infer.h"
#include "ops/ops.h"

namespace mote::tflite {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using Bytes = std::vector<std::byte>;

// What a small model is made of; tests break one thing each.
struct Spec {
  std::vector<std::int32_t> weight_shape = {3, 2};
  std::size_t weight_bytes = 24;
  std::int32_t weight_buffer = 1, operand = 1, result = 2, graph_output = 2;
  std::uint32_t opcode = 0, version = 3, called = 1;
  std::uint64_t offset = 0, size = 0;  // of the weights, outside of the flatbuffer
  std::int32_t scales = 0, zero_points = 0;
  std::uint32_t signature_tensor = 2;
  bool composite = false;  // calls are STABLEHLO_COMPOSITE
};

// Subgraph 0: y = FULLY_CONNECTED(x, w); z = CALL(subgraph `called`)(y). Subgraph 1 gives back what it takes, by CALL
// of subgraph 2 which is an ABS.
Bytes model(const Spec& s) {
  FlatBufferBuilder b;
  auto tensor = [&](const std::vector<std::int32_t>& shape, std::uint32_t buffer, const char* name,
                    std::int32_t scales = 0, std::int32_t zeros = 0) {
    Offset<fbs::Quantization> q;
    if (scales + zeros > 0) {
      q = fbs::CreateQuantization(b, 0, 0, b.CreateVector(std::vector<float>(static_cast<std::size_t>(scales), 1.0f)),
                                  b.CreateVector(std::vector<std::int64_t>(static_cast<std::size_t>(zeros), 0)));
    }
    auto at = b.CreateVector(shape);
    auto text = b.CreateString(name);
    fbs::TensorBuilder t(b);
    t.add_shape(at);
    t.add_type(scales + zeros > 0 ? fbs::TensorType::INT8 : fbs::TensorType::FLOAT32);
    t.add_buffer(buffer);
    t.add_name(text);
    if (!q.IsNull()) t.add_quantization(q);
    return t.Finish();
  };
  auto ints = [&](const std::vector<std::int32_t>& v) { return b.CreateVector(v); };
  auto call = [&](std::uint32_t graph, std::int32_t in, std::int32_t out) {
    const auto from = ints({in}), to = ints({out});
    const Offset<void> options = s.composite
                                     ? fbs::CreateCompositeOptions(b, 0, static_cast<std::int32_t>(graph)).Union()
                                     : fbs::CreateCallOptions(b, graph).Union();
    fbs::OperatorBuilder op(b);
    op.add_opcode_index(1);
    op.add_inputs(from);
    op.add_outputs(to);
    if (s.composite) {
      op.add_builtin_options_2_type(fbs::BuiltinOptions2::StableHLOComposite);
      op.add_builtin_options_2(options);
    } else {
      op.add_builtin_options_type(fbs::BuiltinOptions::Call);
      op.add_builtin_options(options);
    }
    return op.Finish();
  };
  auto connected =
      fbs::CreateOperator(b, s.opcode, ints({0, s.operand, -1}), ints({s.result}), fbs::BuiltinOptions::FullyConnected,
                          fbs::CreateFullyConnectedOptions(b).Union());
  auto abs = fbs::CreateOperator(b, 2, ints({0}), ints({1}));
  auto graph = [&](const std::vector<Offset<fbs::Tensor>>& tensors, std::int32_t out,
                   const std::vector<Offset<fbs::Operator>>& ops) {
    return fbs::CreateSubGraph(b, b.CreateVector(tensors), ints({0}), ints({out}), b.CreateVector(ops),
                               b.CreateString("graph"));
  };
  std::vector<Offset<fbs::SubGraph>> graphs = {
      graph({tensor({1, 2}, 0, "x"),
             tensor(s.weight_shape, static_cast<std::uint32_t>(s.weight_buffer), "w", s.scales, s.zero_points),
             tensor({1, 3}, 0, "y"), tensor({1, 3}, 0, "z")},
            s.graph_output, {connected, call(s.called, 2, 3)}),
      graph({tensor({1, 3}, 0, "a"), tensor({1, 3}, 0, "b")}, 1, {call(2, 0, 1)}),
      graph({tensor({1, 3}, 0, "a"), tensor({1, 3}, 0, "b")}, 1, {abs})};
  auto code = [&](fbs::BuiltinOperator op) {
    return fbs::CreateOperatorCode(b, static_cast<std::int8_t>(std::min(static_cast<int>(op), 127)), 0, 1, op);
  };
  std::vector<Offset<fbs::OperatorCode>> codes = {
      code(fbs::BuiltinOperator::FULLY_CONNECTED),
      code(s.composite ? fbs::BuiltinOperator::STABLEHLO_COMPOSITE : fbs::BuiltinOperator::CALL),
      code(fbs::BuiltinOperator::ABS)};
  std::vector<Offset<fbs::Buffer>> buffers = {
      fbs::CreateBuffer(b), s.offset != 0
                                ? fbs::CreateBuffer(b, 0, s.offset, s.size)
                                : fbs::CreateBuffer(b, b.CreateVector(std::vector<std::uint8_t>(s.weight_bytes, 1)))};
  std::vector<Offset<fbs::SignatureDef>> signatures = {fbs::CreateSignatureDef(
      b, b.CreateVector(std::vector<Offset<fbs::TensorMap>>{fbs::CreateTensorMap(b, b.CreateString("in"), 0)}),
      b.CreateVector(
          std::vector<Offset<fbs::TensorMap>>{fbs::CreateTensorMap(b, b.CreateString("out"), s.signature_tensor)}),
      b.CreateString("serve"), 0)};
  auto root = fbs::CreateModel(b, s.version, b.CreateVector(codes), b.CreateVector(graphs), 0, b.CreateVector(buffers),
                               0, 0, b.CreateVector(signatures));
  b.Finish(root, fbs::ModelIdentifier());
  auto* data = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return Bytes(data, data + b.GetSize());
}

Result<Module> import(Bytes bytes, std::vector<std::string>* missing = nullptr) {
  ImportOptions options;
  options.ops = &builtin_ops();
  options.missing = missing;
  options.limits.max_nodes = 10000;
  options.max_constants = 1 << 20;
  return import_tflite(std::make_shared<const BufferSource>(std::move(bytes)), options);
}

std::string refusal(const Spec& s) {
  Result<Module> m = import(model(s));
  return m.ok() ? "" : m.status().to_string();
}

TEST(HostileTflite, ReadsTheModelThatTheTestsBreak) {
  Result<Module> m = import(model({.graph_output = 3}));
  ASSERT_TRUE(m.ok()) << m.status().to_string();
  EXPECT_TRUE(Inference(*m).run().ok());
  ASSERT_EQ(m->signatures.size(), 1u);
  EXPECT_EQ(m->signatures[0].name, "serve");
  const Function& f = m->functions[static_cast<std::size_t>(m->signatures[0].function)];
  EXPECT_EQ(f.values[static_cast<std::size_t>(f.inputs[0])].name, "in");
  Result<Module> composite = import(model({.graph_output = 3, .composite = true}));
  ASSERT_TRUE(composite.ok()) << composite.status().to_string();
  EXPECT_EQ(composite->functions[0].nodes.size(), m->functions[0].nodes.size());
}

TEST(HostileTflite, NamesWhatContradictsItself) {
  EXPECT_NE(refusal({.weight_shape = {3, -2}}).find("dimension -2 is negative"), std::string::npos);
  EXPECT_NE(refusal({.weight_shape = {1 << 30, 1 << 30, 1 << 30}}).find("overflow"), std::string::npos);
  EXPECT_NE(refusal({.weight_shape = {1, 1, 1, 1, 1, 1, 1, 1, 6}}).find("9 axes"), std::string::npos);
  EXPECT_NE(refusal({.weight_bytes = 20}).find("has 20 bytes of data"), std::string::npos);
  EXPECT_NE(refusal({.weight_bytes = 28}).find("has 28 bytes of data"), std::string::npos);
  EXPECT_NE(refusal({.weight_buffer = 7}).find("buffer 7 of 2"), std::string::npos);
  EXPECT_NE(refusal({.weight_buffer = 0}).find("'w' is read, but nothing gives it"), std::string::npos);
  EXPECT_NE(refusal({.operand = 9}).find("tensor 9 of 4"), std::string::npos);
  EXPECT_NE(refusal({.operand = -2}).find("tensor -2 of 4"), std::string::npos);
  EXPECT_NE(refusal({.result = -1}).find("tensor -1 of 4"), std::string::npos);
  EXPECT_NE(refusal({.result = 3}).find("given twice"), std::string::npos);
  EXPECT_NE(refusal({.graph_output = 4}).find("output 0 is tensor 4"), std::string::npos);
  EXPECT_NE(refusal({.opcode = 5}).find("operator code 5 of 3"), std::string::npos);
  EXPECT_NE(refusal({.version = 2}).find("version 2"), std::string::npos);
  EXPECT_NE(refusal({.called = 9}).find("subgraph 9 of 3"), std::string::npos);
  EXPECT_NE(refusal({.called = 0}).find("call themselves"), std::string::npos);
  EXPECT_NE(refusal({.called = 9, .composite = true}).find("subgraph 9 of 3"), std::string::npos);
  EXPECT_NE(refusal({.called = 0, .composite = true}).find("call themselves"), std::string::npos);
  EXPECT_NE(refusal({.offset = 1 << 20, .size = 24}).find("of a file of"), std::string::npos);
  EXPECT_NE(refusal({.offset = ~std::uint64_t{0} - 7, .size = 24}).find("of a file of"), std::string::npos);
  EXPECT_NE(refusal({.weight_bytes = 6, .scales = 2, .zero_points = 3}).find("2 scales"), std::string::npos);
  EXPECT_NE(refusal({.signature_tensor = 99}).find("names tensor 99"), std::string::npos);
}

TEST(HostileTflite, RefusesWhatIsNoFlatbuffer) {
  EXPECT_FALSE(import({}).ok());
  EXPECT_FALSE(import(Bytes(64)).ok());
  Bytes whole = model({.graph_output = 3});
  for (std::size_t n = 0; n < whole.size(); ++n) {
    Result<Module> m = import(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)));
    EXPECT_FALSE(m.ok()) << n << " of " << whole.size() << " bytes";
  }
}

// Whatever a byte becomes, the file is refused with a message, or what it says holds together.
TEST(HostileTflite, AnyByteMayBeWrong) {
  const Bytes whole = model({.graph_output = 3});
  int accepted = 0, refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (std::uint8_t v : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes bytes = whole;
      bytes[i] = std::byte{v};
      std::vector<std::string> missing;
      Result<Module> m = import(std::move(bytes), &missing);
      if (!m.ok()) {
        EXPECT_FALSE(m.status().message().empty());
        ++refused;
        continue;
      }
      ++accepted;
      for (const Constant& c : m->constants) {
        ASSERT_LE(c.offset, c.source->bytes().size());
        ASSERT_LE(c.size, c.source->bytes().size() - c.offset);
      }
      if (missing.empty()) (void)Inference(*m).run();
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace mote::tflite
