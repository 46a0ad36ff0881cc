// Files of several signatures: what they share.
#include <gtest/gtest.h>

#include "formats/tflite/file.h"
#include "formats/tflite/tflite.h"
#include "ops/ops.h"

namespace mote::tflite {
namespace {

using flatbuffers::Offset;

enum Code : std::uint32_t { kHandle, kRead, kAssign, kAdd, kOnce, kLacked };
enum class Get { kPlain, kStarts, kOwn, kLacked };

class Builder {
 public:
  // Signature "add" adds its input to the variable "sum", which CALL_ONCE has set, or sets it alone; "get" reads it
  // (kStarts: after the same CALL_ONCE; kOwn: another variable; kLacked: by an operator that there is not).
  Result<Module> import(bool adds, Get get, std::string signature = {}) {
    graphs_ = {add(adds), this->get(get), graph({}, {}, {handle("sum"), op(kAssign, {0, 1}, {})})};
    finish();
    ImportOptions options;
    options.ops = &builtin_ops();
    options.signature = std::move(signature);
    const auto* data = reinterpret_cast<const std::byte*>(b_.GetBufferPointer());
    return import_tflite(std::make_shared<const BufferSource>(std::vector<std::byte>(data, data + b_.GetSize())),
                         options);
  }

 private:
  using Ints = std::vector<std::int32_t>;

  Offset<fbs::Operator> op(Code code, const Ints& inputs, const Ints& outputs,
                           fbs::BuiltinOptions type = fbs::BuiltinOptions::NONE, Offset<void> options = 0) {
    const auto from = b_.CreateVector(inputs), to = b_.CreateVector(outputs);
    return fbs::CreateOperator(b_, code, from, to, type, options);
  }
  Offset<fbs::Operator> handle(const char* name) {
    const auto options = fbs::CreateVarHandleOptions(b_, 0, b_.CreateString(name)).Union();
    return op(kHandle, {}, {0}, fbs::BuiltinOptions::VarHandle, options);
  }
  Offset<fbs::Operator> once() {
    return op(kOnce, {}, {}, fbs::BuiltinOptions::CallOnce, fbs::CreateCallOnceOptions(b_, 2).Union());
  }
  Offset<fbs::Tensor> tensor(fbs::TensorType type, std::uint32_t buffer, const char* name) {
    const auto shape = b_.CreateVector(Ints{2});
    return fbs::CreateTensor(b_, shape, type, buffer, b_.CreateString(name));
  }
  // Tensors: 0 a handle, 1 a constant, 2 to 4 values.
  Offset<fbs::SubGraph> graph(const Ints& inputs, const Ints& outputs, const std::vector<Offset<fbs::Operator>>& ops) {
    const auto f32 = fbs::TensorType::FLOAT32;
    const std::vector<Offset<fbs::Tensor>> tensors = {tensor(fbs::TensorType::RESOURCE, 0, "handle"),
                                                      tensor(f32, 1, "start"), tensor(f32, 0, "x"),
                                                      tensor(f32, 0, "before"), tensor(f32, 0, "after")};
    const auto all = b_.CreateVector(tensors);
    const auto from = b_.CreateVector(inputs), to = b_.CreateVector(outputs);
    return fbs::CreateSubGraph(b_, all, from, to, b_.CreateVector(ops));
  }
  Offset<fbs::SubGraph> add(bool adds) {
    const auto sum = op(kAdd, {3, 2}, {4}, fbs::BuiltinOptions::Add, fbs::CreateArithmeticOptions(b_).Union());
    std::vector<Offset<fbs::Operator>> ops = {once(), handle("sum"), op(kRead, {0}, {3}), sum};
    if (adds) ops.push_back(op(kAssign, {0, 4}, {}));
    return graph({2}, {4}, ops);
  }
  Offset<fbs::SubGraph> get(Get how) {
    std::vector<Offset<fbs::Operator>> ops = {handle(how == Get::kOwn ? "other" : "sum"), op(kRead, {0}, {3})};
    if (how == Get::kLacked) ops.back() = op(kLacked, {1}, {3});
    if (how == Get::kStarts) ops.insert(ops.begin(), once());
    return graph({}, {3}, ops);
  }
  void finish() {
    std::vector<Offset<fbs::OperatorCode>> codes;
    for (auto c :
         {fbs::BuiltinOperator::VAR_HANDLE, fbs::BuiltinOperator::READ_VARIABLE, fbs::BuiltinOperator::ASSIGN_VARIABLE,
          fbs::BuiltinOperator::ADD, fbs::BuiltinOperator::CALL_ONCE, fbs::BuiltinOperator::DELEGATE})
      codes.push_back(fbs::CreateOperatorCode(b_, 0, 0, 1, c));
    const std::vector<std::uint8_t> start = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40};  // 1 and 2
    const auto none = fbs::CreateBuffer(b_), data = fbs::CreateBuffer(b_, b_.CreateVector(start));
    const auto buffers = b_.CreateVector(std::vector<Offset<fbs::Buffer>>{none, data});
    std::vector<Offset<fbs::SignatureDef>> signatures;
    for (std::uint32_t i : {0u, 1u})
      signatures.push_back(fbs::CreateSignatureDef(b_, 0, 0, b_.CreateString(i == 0 ? "add" : "get"), i));
    const auto defs = b_.CreateVector(signatures);
    const auto all_codes = b_.CreateVector(codes);
    const auto graphs = b_.CreateVector(graphs_);
    b_.Finish(fbs::CreateModel(b_, 3, all_codes, graphs, 0, buffers, 0, 0, defs), fbs::ModelIdentifier());
  }

  flatbuffers::FlatBufferBuilder b_;
  std::vector<Offset<fbs::SubGraph>> graphs_;
};

std::string states(const Result<Module>& m) {
  if (!m.ok()) return m.status().to_string();
  std::string out;
  for (const Signature& s : m->signatures) {
    out += s.name + ":";
    for (const State& state : s.states) out += " " + state.name;
    out += "; ";
  }
  return out;
}

TEST(TfliteSignatures, AVariableIsOneStateOfTheModule) {
  EXPECT_EQ(states(Builder().import(true, Get::kStarts)), "add: sum call_once/2; get: sum call_once/2; ");
  EXPECT_EQ(states(Builder().import(false, Get::kPlain)), "add: sum call_once/2; get: sum; ");
  EXPECT_EQ(states(Builder().import(true, Get::kOwn)), "add: sum call_once/2; get: other; ");
}

TEST(TfliteSignatures, OneThatIsAskedForDoesWithoutThoseThatLackSomething) {
  EXPECT_EQ(states(Builder().import(true, Get::kLacked, "add")), "add: sum call_once/2; ");
  for (const char* name : {"", "get", "other"})
    EXPECT_NE(states(Builder().import(true, Get::kLacked, name)).find("DELEGATE"), std::string::npos) << name;
}

}  // namespace
}  // namespace mote::tflite
