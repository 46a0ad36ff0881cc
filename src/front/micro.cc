#include "front/micro.h"

#include "media/micro_features.h"

namespace mote::front {
namespace {

ValueId words(Builder& b, std::string_view name, std::span<const std::int16_t> v) {
  return b.constant("preprocessing_" + std::string(name), DType::i16, {static_cast<std::int64_t>(v.size())},
                    to_bytes(v));
}

// Positions, which are below 2^15.
ValueId positions(Builder& b, std::string_view name, std::span<const std::int32_t> v) {
  return words(b, name, std::vector<std::int16_t>(v.begin(), v.end()));
}

// The loop's body: (frame, condition, noise, signal) to (condition, noise, features).
FunctionId frame_body(Front& f, const media::Features& s, const Type& signal) {
  Module& module = f.b().module();
  const media::MicroTables tables(s);
  if (tables.end >= 1 << 15) {
    f.b().fail(unsupported("the model's operators take transforms of at most 32768 samples").hint("a smaller --fft"));
  }
  const auto function = static_cast<FunctionId>(module.functions.size());
  module.functions.push_back(Function{"preprocessing_frame", {}, {}, {}, {}});
  Builder b(module, function, f.b().ops(), "preprocessing");
  const ValueId t = b.fn().add_input("frame", Type::tensor(DType::i64, Shape()));
  const ValueId condition = b.fn().add_input("condition", Type::tensor(DType::boolean, Shape()));
  const ValueId noise = b.fn().add_input("noise", Type::tensor(DType::u32, Shape{Dim(s.bands)}));
  const ValueId samples = b.fn().add_input("signal", signal);
  std::vector<std::int64_t> within;
  for (std::int64_t i = 0; i < s.frame; ++i) within.push_back(i);
  const ValueId at = b.add("add", {b.add("mul", {t, b.scalar_int(s.hop)}), b.ints(std::move(within))});
  ValueId x = b.add("gather", {samples, at}, {{"axis", std::int64_t{0}}});
  x = b.add("signal_window", {x, words(b, "window", tables.window)}, {{"shift", media::MicroTables::kWindowBits}});
  const std::vector<ValueId> scaled = b.add_multi("signal_fft_auto_scale", {x}, 2);
  if (scaled.size() != 2) return function;
  x = b.add("signal_rfft", {scaled[0]}, {{"fft_length", std::int64_t{s.fft}}});
  x = b.add("signal_energy", {x}, {{"start_index", tables.begin}, {"end_index", tables.end}});
  x = b.add("signal_filter_bank",
            {x, words(b, "weights", tables.weights), words(b, "rests", tables.rests), positions(b, "bins", tables.bins),
             positions(b, "starts", tables.starts), positions(b, "widths", tables.widths)},
            {{"num_channels", std::int64_t{s.bands}}});
  x = b.add("signal_square_root", {x, scaled[1]});
  const front_end::Smoothing &even = media::MicroTables::kSmoothing[0], &odd = media::MicroTables::kSmoothing[1];
  auto whole = [](std::uint64_t v) { return static_cast<std::int64_t>(v); };
  const std::vector<ValueId> cleaned = b.add_multi("signal_spectral_subtraction", {x, noise}, 2,
                                                   {{"smoothing", whole(even.share)},
                                                    {"one_minus_smoothing", whole(even.rest)},
                                                    {"alternate_smoothing", whole(odd.share)},
                                                    {"alternate_one_minus_smoothing", whole(odd.rest)},
                                                    {"min_signal_remaining", whole(even.least)},
                                                    {"smoothing_bits", even.up},
                                                    {"spectral_subtraction_bits", even.bits}});
  if (cleaned.size() != 2) return function;
  x = b.add("signal_pcan", {cleaned[0], cleaned[1], words(b, "gains", tables.gains)},
            {{"snr_shift", media::MicroTables::kSnrShift}});
  x = b.add("signal_log", {x},
            {{"input_correction_bits", media::MicroTables::kCorrectionBits},
             {"output_scale", media::MicroTables::kLogScale}});
  std::vector<ValueId> outputs;
  for (ValueId v : {condition, cleaned[1], x}) outputs.push_back(b.add("identity", {v}));
  b.append();
  f.b().fail(b.status());
  b.fn().outputs = std::move(outputs);
  return function;
}

}  // namespace

ValueId micro_features(Front& f, ValueId samples, const media::Features& s) {
  Builder& b = f.b();
  // Samples of 16 bits; what is no number is silence.
  ValueId v = f.add("reshape", {samples, f.ints({-1})});
  v = f.add("where", {f.add("is_nan", {v}), f.f32(0), v});
  v = f.add("clip", {f.add("mul", {v, f.f32(32768)}), f.f32(-32768), f.f32(32767)});
  v = f.add("cast", {f.add("round", {v})}, {{"to", DType::i16}});
  ValueId frames = f.add("gather", {f.add("shape", {v}), b.scalar_int(0)}, {{"axis", std::int64_t{0}}});
  frames = f.add("div", {f.add("sub", {frames, b.scalar_int(s.frame)}), b.scalar_int(s.hop)});
  frames = f.add("add", {frames, b.scalar_int(1)});
  const ValueId noise = b.constant("preprocessing_noise", DType::u32, {s.bands},
                                   std::vector<std::byte>(static_cast<std::size_t>(s.bands) * 4));
  if (!b.status().ok()) return kNone;
  const FunctionId body = frame_body(f, s, b.type(v));
  if (!b.status().ok()) return kNone;
  const Dim count = floordiv(b.shape(v)[0] - Dim(s.frame), Dim(s.hop)) + Dim(1);
  Node loop;
  loop.op = b.ops().find("loop");
  loop.name = "preprocessing_frames";
  loop.inputs = {frames, kNone, noise, v};
  loop.outputs = {b.fn().add_value("preprocessing_last_noise", b.type(noise)),
                  b.fn().add_value("preprocessing_features", Type::tensor(DType::i16, Shape{count, Dim(s.bands)}))};
  loop.attrs.set("carried", std::int64_t{1});
  loop.attrs.set("counted", std::int64_t{1});
  loop.bodies = {body};
  const ValueId made = loop.outputs[1];
  b.nodes().push_back(std::move(loop));
  return f.add("unsqueeze", {f.add("transpose", {made}, {{"perm", std::vector<std::int64_t>{1, 0}}}), f.ints({0})});
}

ValueId micro_steps(Front& f, ValueId features, DType dtype) {
  auto number = [&](double v) { return f.b().scalar(v, DType::i32); };
  ValueId v = f.add("cast", {features}, {{"to", DType::i32}});
  v = f.add("div", {f.add("add", {f.add("mul", {v, number(256)}), number(333)}), number(666)});
  v = f.add("min", {v, number(255)});
  if (dtype == DType::i8) v = f.add("sub", {v, number(128)});
  return f.add("cast", {v}, {{"to", dtype}});
}

ValueId micro_floats(Front& f, ValueId features) {
  return f.add("mul", {f.add("cast", {features}, {{"to", DType::f32}}), f.f32(10.0 / 256)});
}

}  // namespace mote::front
