// Recurrent layers in integers. Their states are variables.
#include "base/fixed_math16.h"
#include "base/text.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {

// As import_svdf, with x, weights_feature and y of 8 bits, weights_time and the state of 16: products with the features
// in units of the state, then the sums over time and rank in units of y.
Status quantized_svdf(NodeContext& n) {
  auto* o = n.options<fbs::SvdfOptions>(fbs::BuiltinOptions::SVDF);
  if (!o || o->rank() <= 0) return invalid("has no options, or no rank");
  const Scaled x = scaled_input(n, 0), feature = scaled_input(n, 1), time = scaled_input(n, 2),
               state = scaled_input(n, 4), y = scaled_output(n);
  if (n.failed()) return {};
  if (!n.has_rank(time.value) || n.rank(time.value) != 2 || !constant_extents(n.shape(time.value)) ||
      state.value == kNone)
    return invalid("its weights are no matrices, or it has no state");
  const std::int64_t filters = n.shape(time.value)[0].value(), memory = n.shape(time.value)[1].value(),
                     rank = o->rank();
  if (filters % rank != 0) return invalid(concat("has ", filters, " filters, no multiple of its rank ", rank));
  const ValueId one = n.scalar(1, DType::f32);
  ValueId newest =
      n.emit("qlinear_matmul",
             {x.value, n.scalar(static_cast<double>(x.scale * feature.scale / state.scale), DType::f32), zero_of(n, x),
              n.transpose(feature.value, {1, 0}), one, n.scalar(0, feature.dtype), one, n.scalar(0, state.dtype)},
             {{"rounding", std::string("fixed")}});
  newest = n.emit("unsqueeze", {newest, n.ints({2})});
  ValueId past = n.emit("reshape", {state.value, n.ints({-1, filters, memory})});
  past = n.emit("slice", {past, n.ints({1}), n.ints({memory}), n.ints({2})});
  const ValueId next = n.emit("concat", {past, newest}, {{"axis", std::int64_t{2}}});
  ValueId sums = n.emit("mul", {n.cast(next, DType::i32), n.cast(time.value, DType::i32)});
  sums = n.emit("reduce_sum", {sums, n.ints({2})}, {{"keepdims", std::int64_t{0}}});
  if (rank > 1) {
    sums = n.emit("reduce_sum", {n.emit("reshape", {sums, n.ints({-1, filters / rank, rank})}), n.ints({2})},
                  {{"keepdims", std::int64_t{0}}});
  }
  n.output(0, n.emit("requantize_linear",
                     {sums, n.scalar(static_cast<double>(state.scale * time.scale / y.scale), DType::f64),
                      zero_of(n, y), kNone, n.in(3)},
                     {{"rounding", std::string("fixed")}}));
  n.update(4, n.emit("reshape", {next, n.ints({-1, filters * memory})}));
  return {};
}

namespace {

// Gates are numbered input, forget, cell, output; operands stand as the kernel of 24 operands has them.
enum { kW = 1, kR = 5, kPeephole = 9, kBias = 12, kProjection = 16, kH = 18, kC = 19, kNorm = 20 };

// How a tensor of the operator's own work is quantized.
Scaled intermediate_of(NodeContext& n, int i) {
  Scaled s;
  const auto* list = n.proto().intermediates();
  const fbs::Tensor* t = static_cast<std::size_t>(i) < size_of(list)
                             ? n.tensor(list->Get(static_cast<flatbuffers::uoffset_t>(i)))
                             : nullptr;
  Result<Quantization> q = t ? quantization_of(*t) : Quantization();
  if (!q.ok() || !q->per_tensor() || !(q->scale() > 0)) {
    n.fail(invalid(concat("its intermediate ", i, " has no scale")));
    return s;
  }
  s.scale = q->scale();
  s.zero = q->zero_point();
  return s;
}

// A clip in whole units of `scale`, at most `most`; 0 for none.
std::int64_t units_of_clip(float real, float scale, float most) {
  return real > 0 ? static_cast<std::int64_t>(std::min(real / scale, most)) : 0;
}

class IntegerLstm {
 public:
  IntegerLstm(NodeContext& n, float cell_clip, float projection_clip, bool time_major) : n_(n) {
    x_ = scaled_input(n, 0);
    h_ = scaled_input(n, kH);
    y_ = scaled_output(n);
    cell_ = scaled_input(n, kC);
    if (n.failed()) return;
    std::frexp(cell_.scale, &cell_power_);
    --cell_power_;
    normalized_ = n.has(kNorm + 1);
    add_gates();
    // What is not projected is h itself; the kernel of 16 bits knows nothing else.
    const Scaled hidden = wide() ? h_ : intermediate_of(n_, 4);
    if (n.failed()) return;
    const float weights = n.has(kProjection) ? scaled_input(n, kProjection).scale : 1;
    const double hidden_scale = 0x1p-15 / static_cast<double>(hidden.scale) * 0x1p-15;
    attrs_.emplace_back("hidden_scale", wide() ? hidden_scale : static_cast<double>(static_cast<float>(hidden_scale)));
    attr("projection_scale", weights * hidden.scale / h_.scale);
    attrs_.emplace_back("hidden_zero", hidden.zero);
    attrs_.emplace_back("x_zero", x_.zero);
    attrs_.emplace_back("h_zero", h_.zero);
    attrs_.emplace_back("cell_bits", std::int64_t{15 + cell_power_});
    attrs_.emplace_back("cell_clip", units_of_clip(cell_clip, cell_.scale, 32767));
    attrs_.emplace_back("projection_clip", units_of_clip(projection_clip, y_.scale, 127));
    attrs_.emplace_back("time_major", std::int64_t{time_major});
  }

  Status run() {
    if (n_.failed()) return {};
    if (std::frexp(cell_.scale, &cell_power_) != 0.5f || y_.dtype != x_.dtype || h_.dtype != x_.dtype ||
        (x_.dtype != DType::i8 && !wide())) {
      n_.unsupported(concat(n_.op_name(), " whose cell has a scale that is no power of two, or with operands of ",
                            name_of(x_.dtype)));
      return {};
    }
    if (wide() && (normalized_ || !n_.has(kW) || n_.has(kPeephole + 1) || n_.has(kProjection))) {
      n_.unsupported(concat(n_.op_name(), " of 16 bits with peepholes, normalization, a projection or three gates"));
      return {};
    }
    std::vector<ValueId> operands;
    for (int i = 0; i < kNorm + 4; ++i) operands.push_back(n_.in(i));
    const std::vector<ValueId> made = n_.emit_multi("qlinear_lstm", std::move(operands), 3, std::move(attrs_));
    n_.output(0, made[0]);
    n_.update(kH, made[1]);
    n_.update(kC, made[2]);
    return {};
  }

 private:
  void attr(std::string name, float v) { attrs_.emplace_back(std::move(name), static_cast<double>(v)); }

  bool wide() const { return x_.dtype == DType::i16; }

  // From units of a times b to `unit`: in f32, but for the kernel of 16 bits.
  double factor(float a, float b, float unit) const {
    return wide() ? static_cast<double>(a) * static_cast<double>(b) / static_cast<double>(unit)
                  : static_cast<double>(a * b / unit);
  }

  float weight_scale(int i) { return n_.has(i) ? scaled_input(n_, i).scale : 1; }

  void add_gates() {
    std::vector<double> input, recurrent, peephole, norm;
    for (int g = 0; g < 4 && !n_.failed(); ++g) {
      const float unit = normalized_ ? intermediate_of(n_, g).scale : 0x1p-12f;
      if (n_.failed()) return;
      input.push_back(factor(weight_scale(kW + g), x_.scale, unit));
      recurrent.push_back(factor(weight_scale(kR + g), h_.scale, unit));
      if (g != 2 && n_.has(kPeephole + 1)) {
        const double cells = std::ldexp(static_cast<double>(weight_scale(kPeephole + (g == 3 ? 2 : g))), cell_power_);
        peephole.push_back(static_cast<double>(static_cast<float>(cells / static_cast<double>(unit))));
      }
      if (normalized_) norm.push_back(static_cast<double>(weight_scale(kNorm + g)));
    }
    attrs_.emplace_back("input_scales", std::move(input));
    attrs_.emplace_back("recurrent_scales", std::move(recurrent));
    if (!peephole.empty()) attrs_.emplace_back("peephole_scales", std::move(peephole));
    if (!norm.empty()) attrs_.emplace_back("norm_scales", std::move(norm));
  }

  NodeContext& n_;
  Scaled x_, h_, y_, cell_;
  int cell_power_ = 0;
  bool normalized_ = false;
  std::vector<Attrs::Item> attrs_;
};

// A function of 16 bits of fixed point as a table.
template <class F>
ValueId table16(NodeContext& n, F f) {
  std::vector<std::int64_t> table;
  for (std::int32_t i = 0; i < 65536; ++i) table.push_back(f(static_cast<std::int16_t>(i)));
  return integers(n, DType::i16, table, {65536});
}

// As import_basic_lstm, with x, h and weights of u8, gates and cells of i16: gates have 3 integer bits, cells 4, h is
// in 128ths around 128.
Status basic_lstm(NodeContext& n) {
  const Scaled x = scaled_input(n, 0), h = scaled_input(n, 1), w = scaled_input(n, 2), bias = scaled_input(n, 3),
               cell = scaled_input(n, 4), new_cell = scaled_output(n, 1);
  if (n.failed()) return {};
  if (!n.has_rank(w.value) || n.rank(w.value) != 2 || !n.shape(w.value)[0].is_const() ||
      n.shape(w.value)[0].value() % 4 != 0)
    return invalid("its weights are no matrix for four gates");
  if (x.dtype != DType::u8 || h.dtype != DType::u8 || w.dtype != DType::u8 || cell.dtype != DType::i16 ||
      new_cell.dtype != DType::i16 || n.dtype(n.in(3)) != DType::i32)
    return invalid("needs u8 operands, an i32 bias and cells of i16");
  if (new_cell.scale != 0x1p-11f) return invalid("its cells are not in units of 2^-11");
  const ValueId both = n.emit("concat", {x.value, h.value}, {{"axis", std::int64_t{-1}}});
  auto saturated = [&](ValueId v) {
    return n.cast(n.emit("clip", {v, n.scalar(-32768, DType::i32), n.scalar(32767, DType::i32)}), DType::i16);
  };
  // Sums in units of the gates: scaled and shifted with halves up both times, as this kernel alone does.
  FixedScale scale = fixed_scale(static_cast<double>(4096 * bias.scale));
  const int down = std::max(-scale.shift, 0);
  scale.shift += down;
  ValueId sums =
      n.emit("matmul_integer", {both, n.transpose(w.value, {1, 0}), n.scalar(128, DType::u8), zero_of(n, w)});
  sums = n.emit("requantize_linear",
                {n.emit("add", {sums, n.in(3)}), integers(n, DType::i32, {scale.multiplier, scale.shift}, {2}),
                 n.scalar(0, DType::i32)},
                {{"rounding", std::string("fixed")}});
  if (down > 0) {
    sums = n.emit("bit_shift",
                  {n.emit("add", {sums, n.scalar(std::ldexp(1.0, down - 1), DType::i32)}), n.scalar(down, DType::i32)},
                  {{"direction", std::string("RIGHT")}});
  }
  const ValueId gates = saturated(sums);
  const std::vector<ValueId> g =
      n.emit_multi("split", {gates}, 4, {{"axis", std::int64_t{-1}}, {"num_outputs", std::int64_t{4}}});
  const ValueId sigmoid = table16(n, [](std::int32_t v) { return fixed16::sigmoid(v); });
  const ValueId tanh = table16(n, [](std::int32_t v) { return fixed16::tanh(v, 3); });
  auto of = [&](ValueId table, ValueId v) { return n.cast(n.emit("lookup", {v, table}), DType::i32); };
  const ValueId fresh = rounded_shift(n, high_product(n, of(sigmoid, g[0]), of(tanh, g[1])), 4);
  const ValueId kept = high_product(n, of(sigmoid, g[2]), n.cast(cell.value, DType::i32));
  const ValueId c = saturated(n.emit("add", {fresh, kept}));
  const ValueId wide = n.emit("mul", {n.cast(c, DType::i32), n.scalar(2, DType::i32)});
  ValueId y = rounded_shift(n, high_product(n, of(sigmoid, g[3]), of(tanh, saturated(wide))), 8);
  y = n.emit("clip", {y, n.scalar(-128, DType::i32), n.scalar(127, DType::i32)});
  y = n.cast(n.emit("add", {y, n.scalar(128, DType::i32)}), DType::u8);
  const ValueId results[] = {y, c, both, gates};
  for (int i = 0; i < 4; ++i) n.output(i, results[i]);
  // Operands that are variables keep what the results say.
  if (n.is_variable(1)) n.update(1, y);
  if (n.is_variable(4)) n.update(4, c);
  return {};
}

}  // namespace

// States are of 8 bits, cells of 16 with a scale that is a power of two.
namespace {

// A cell of its own, for which LiteRT's kernel reads the scales of the output gate from behind their table.
bool has_twelve_intermediates(NodeContext& n) {
  if (size_of(n.proto().intermediates()) != 12) return false;
  n.unsupported(concat(n.op_name(), " of 12 intermediates"));
  return true;
}

}  // namespace

Status quantized_lstm(NodeContext& n) {
  auto* o = n.options<fbs::LstmOptions>(fbs::BuiltinOptions::LSTM);
  if (!o) return invalid("has no options");
  if (o->kernel_type() == fbs::LstmKernel::BASIC) return basic_lstm(n);
  if (has_twelve_intermediates(n)) return {};
  return IntegerLstm(n, o->cell_clip(), o->proj_clip(), false).run();
}

Status quantized_unidirectional_sequence_lstm(NodeContext& n) {
  auto* o = n.options<fbs::SequenceLstmOptions>(fbs::BuiltinOptions::UnidirectionalSequenceLSTM);
  if (!o) return invalid("has no options");
  if (o->diagonal_recurrent_tensors()) {
    n.unsupported("UNIDIRECTIONAL_SEQUENCE_LSTM with diagonal recurrent weights");
    return {};
  }
  if (has_twelve_intermediates(n)) return {};
  return IntegerLstm(n, o->cell_clip(), o->proj_clip(), o->time_major()).run();
}

}  // namespace mote::tflite
