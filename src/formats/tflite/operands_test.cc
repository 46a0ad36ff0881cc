// Every operator with too few or too many operands, of any type and rank, and without its options: refused or read, but
// never trusted.
#include <flatbuffers/flexbuffers.h>
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

struct Shape {
  fbs::TensorType type;
  bool scaled, constant, variable;
  std::vector<std::int32_t> extents;
};

// Options of the custom operators, those of all of them in one map.
std::vector<std::uint8_t> custom_options() {
  flexbuffers::Builder b;
  b.Map([&] {
    for (const char* name : {"T", "stacker_left_context"}) b.Int(name, 1);
    for (const char* name : {"dct_coefficient_count", "delay_length", "fft_length", "filterbank_channel_count",
                             "frame_size", "num_channels", "window_size"})
      b.Int(name, 2);
    for (const char* name : {"frame_step", "stacker_step", "stride", "upper_frequency_limit"}) b.Int(name, 1);
  });
  b.Finish();
  return b.GetBuffer();
}

// One operator `op` of `operands` tensors that are alike; two results. An LSTM has its options where it has
// intermediates.
Bytes model(fbs::BuiltinOperator op, const std::string& custom, int operands, const Shape& s, bool with_options,
            int intermediates = 0) {
  FlatBufferBuilder b;
  std::size_t bytes = s.type == fbs::TensorType::INT8 ? 1 : s.type == fbs::TensorType::INT16 ? 2 : 4;
  for (std::int32_t e : s.extents) bytes *= static_cast<std::size_t>(e);
  std::vector<Offset<fbs::Tensor>> tensors;
  std::vector<std::int32_t> inputs, outputs = {operands, operands + 1}, fed;
  for (int i = 0; i < operands + 2; ++i) {
    Offset<fbs::Quantization> q;
    if (s.scaled)
      q = fbs::CreateQuantization(b, 0, 0, b.CreateVector(std::vector<float>{0.25f}),
                                  b.CreateVector(std::vector<std::int64_t>{3}));
    const bool constant = s.constant && i > 0 && i < operands;
    tensors.push_back(fbs::CreateTensor(b, b.CreateVector(s.extents), s.type, constant ? 1u : 0u,
                                        b.CreateString("t" + std::to_string(i)), q, s.variable && i > 0 && !constant));
    if (i < operands) inputs.push_back(i);
    if (i < operands && !constant && !(s.variable && i > 0)) fed.push_back(i);
  }
  Offset<flatbuffers::Vector<std::uint8_t>> options;
  if (with_options) options = b.CreateVector(custom_options());
  auto kind = fbs::BuiltinOptions::NONE;
  Offset<void> of_lstm;
  if (intermediates > 0 && op == fbs::BuiltinOperator::LSTM) {
    kind = fbs::BuiltinOptions::LSTM;
    of_lstm = fbs::CreateLstmOptions(b).Union();
  } else if (intermediates > 0) {
    kind = fbs::BuiltinOptions::UnidirectionalSequenceLSTM;
    of_lstm = fbs::CreateSequenceLstmOptions(b).Union();
  }
  const std::vector<std::int32_t> own(static_cast<std::size_t>(intermediates), 0);
  auto node = fbs::CreateOperator(b, 0, b.CreateVector(inputs), b.CreateVector(outputs), kind, of_lstm, options,
                                  fbs::CustomFormat::FLEXBUFFERS, 0, b.CreateVector(own));
  auto graph = fbs::CreateSubGraph(b, b.CreateVector(tensors), b.CreateVector(fed), b.CreateVector(outputs),
                                   b.CreateVector(std::vector<Offset<fbs::Operator>>{node}), b.CreateString("main"));
  auto code = fbs::CreateOperatorCode(b, static_cast<std::int8_t>(std::min(static_cast<int>(op), 127)),
                                      custom.empty() ? 0 : b.CreateString(custom), 1, op);
  std::vector<Offset<fbs::Buffer>> buffers = {
      fbs::CreateBuffer(b), fbs::CreateBuffer(b, b.CreateVector(std::vector<std::uint8_t>(bytes, 1)))};
  b.Finish(fbs::CreateModel(b, 3, b.CreateVector(std::vector<Offset<fbs::OperatorCode>>{code}),
                            b.CreateVector(std::vector<Offset<fbs::SubGraph>>{graph}), 0, b.CreateVector(buffers)),
           fbs::ModelIdentifier());
  auto* data = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return Bytes(data, data + b.GetSize());
}

struct Count {
  int read = 0, refused = 0;
};

void check(fbs::BuiltinOperator op, const std::string& custom, Count* count, bool with_options = false) {
  using T = fbs::TensorType;
  const Shape shapes[] = {{T::FLOAT32, false, false, false, {2, 3}},  {T::FLOAT32, false, true, true, {1, 2, 2, 1}},
                          {T::INT32, false, true, false, {}},         {T::INT8, true, true, false, {2, 2}},
                          {T::INT8, true, false, true, {1, 2, 3, 4}}, {T::INT16, true, true, false, {3}},
                          {T::STRING, false, false, false, {2}},      {T::INT32, false, false, false, {2, 1}}};
  for (const Shape& s : shapes) {
    for (int operands : {0, 1, 2, 3, 5, 12, 24, 48}) {
      ImportOptions options;
      std::vector<std::string> missing;
      options.ops = &builtin_ops();
      options.missing = &missing;
      options.limits.max_nodes = 10000;
      options.max_constants = 1 << 20;
      Result<Module> m =
          import_tflite(std::make_shared<const BufferSource>(model(op, custom, operands, s, with_options)), options);
      if (m.ok()) {
        ++count->read;
        if (missing.empty()) (void)Inference(*m).run();
      } else {
        ++count->refused;
        EXPECT_FALSE(m.status().message().empty());
      }
    }
  }
}

TEST(TfliteOperands, AreNotTrusted) {
  Count count;
  for (int op = 0; op <= static_cast<int>(fbs::BuiltinOperator::MAX); ++op)
    check(static_cast<fbs::BuiltinOperator>(op), "", &count);
  for (const char* custom :
       {"AudioSpectrogram", "Mfcc", "NumericVerify", "SignalDelay", "SignalEnergy", "SignalFftAutoScale",
        "SignalFilterBank", "SignalFilterBankLog", "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot",
        "SignalFramer", "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalStacker", "SignalWindow",
        "TFLite_Detection_PostProcess"}) {
    for (bool with_options : {false, true}) check(fbs::BuiltinOperator::CUSTOM, custom, &count, with_options);
  }
  EXPECT_GT(count.read, 500);
  EXPECT_GT(count.refused, 500);
}

TEST(TfliteOperands, LstmsOfTwelveIntermediatesAreRefusedByName) {
  for (auto [op, name] :
       {std::pair(fbs::BuiltinOperator::LSTM, "LSTM"),
        std::pair(fbs::BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM, "UNIDIRECTIONAL_SEQUENCE_LSTM")}) {
    ImportOptions options;
    std::vector<std::string> missing;
    options.ops = &builtin_ops();
    options.missing = &missing;
    const Shape s = {fbs::TensorType::INT8, true, true, false, {2, 2}};
    Result<Module> m = import_tflite(std::make_shared<const BufferSource>(model(op, "", 24, s, false, 12)), options);
    ASSERT_TRUE(m.ok()) << m.status().to_string();
    ASSERT_EQ(missing.size(), 1u);
    EXPECT_NE(missing[0].find(std::string(name) + " of 12 intermediates"), std::string::npos) << missing[0];
  }
}

}  // namespace
}  // namespace mote::tflite
