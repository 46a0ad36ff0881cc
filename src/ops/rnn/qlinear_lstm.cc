// Long short-term memory in integers: weights of 8 bits, states of 8 or 16, gates and cell of 16.
#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "base/fixed_math16.h"
#include "base/fixed_point.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "simd/sampled16.h"

namespace mote {
namespace {

// Inputs, where there is one for each gate from the first on: input, forget, cell, output.
enum Input {
  kX,
  kW,
  kR = 5,
  kPeephole = 9,
  kBias = 12,
  kProjection = 16,
  kProjectionBias = 17,
  kH = 18,
  kC = 19,
  kNorm = 20,
  kInputCount = 24
};

constexpr Slot kInputs[] = {
    {"x", "i8 or i16 [batch, features], or with time as the first or second of three axes"},
    {"w_input", "i8 [cells, features]; without it the input gate is 1 - the forget gate", Arity::kOptional},
    {"w_forget", "as w_input"},
    {"w_cell", "as w_input"},
    {"w_output", "as w_input"},
    {"r_input", "i8 [cells, outputs]; absent where w_input is", Arity::kOptional},
    {"r_forget", "as r_input"},
    {"r_cell", "as r_input"},
    {"r_output", "as r_input"},
    {"p_input",
     "i16 [cells], times the cell before the step; cell k of the batch, from 0 on over all of it (of every sequence "
     "alone where time is the second axis), takes p[k % outputs] where k < batch * outputs, and nothing else",
     Arity::kOptional},
    {"p_forget", "as p_input", Arity::kOptional},
    {"p_output", "i16 [cells], times the cell after the step", Arity::kOptional},
    {"b_input",
     "i32 (i64 with x of i16) [cells], in units of x and w, or of a normalized gate; absent where w_input is",
     Arity::kOptional},
    {"b_forget", "as b_input", Arity::kOptional},
    {"b_cell", "as b_input", Arity::kOptional},
    {"b_output", "as b_input", Arity::kOptional},
    {"projection", "i8 [outputs, cells], of what the output gate leaves of the cell", Arity::kOptional},
    {"projection_bias", "i32 [outputs]", Arity::kOptional},
    {"h", "of the type of x, batch * outputs elements: the state before the first step"},
    {"c", "i16, batch * cells elements: the cell before the first step"},
    {"n_input", "i16 [cells]: gates are normalized and multiplied by this before their bias", Arity::kOptional},
    {"n_forget", "as n_input", Arity::kOptional},
    {"n_cell", "as n_input", Arity::kOptional},
    {"n_output", "as n_input", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "x with outputs in place of features"},
                             {"y_h", "the last h", Arity::kOptional},
                             {"y_c", "the last c", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"cell_bits", AttrKind::kInt, "4", "integer bits of the cell, 0 to 6: its unit is 2^(cell_bits - 15)"},
    {"cell_clip", AttrKind::kInt, "0", "the largest magnitude of c; 0: any"},
    {"h_zero", AttrKind::kInt, "0", "zero point of h and y"},
    {"hidden_scale", AttrKind::kFloat, "1.0", "2^-30 over the unit of what is projected"},
    {"hidden_zero", AttrKind::kInt, "0", "zero point of what is projected, or of y without a projection"},
    {"input_scales", AttrKind::kFloats, "", "by gate: units of x and w over that of the gate", true},
    {"norm_scales", AttrKind::kFloats, "floats:[]", "by gate: the unit of n"},
    {"peephole_scales", AttrKind::kFloats, "floats:[]",
     "of input, forget and output: units of c and p over the gate's"},
    {"projection_clip", AttrKind::kInt, "0", "the largest magnitude of a projected y; 0: any"},
    {"projection_scale", AttrKind::kFloat, "1.0", "units of the projection and of what is projected over that of y"},
    {"recurrent_scales", AttrKind::kFloats, "", "by gate: units of h and r over that of the gate", true},
    {"time_major", AttrKind::kInt, "0", "1: time is the first axis of x, 0: the second"},
    {"x_zero", AttrKind::kInt, "0", "zero point of x"}};

Status infer(InferContext& ctx) {
  const DType state = ctx.dtype(kX) == DType::i16 || ctx.dtype(kH) == DType::i16 ? DType::i16 : DType::i8;
  for (int i = 0; i < kInputCount; ++i) {
    if (!ctx.has(i) || ctx.dtype(i) == DType::none) continue;
    const bool sixteen = (i >= kPeephole && i < kBias) || i == kC || i >= kNorm,
               bias = (i >= kBias && i < kProjection) || i == kProjectionBias;
    const DType wanted = sixteen              ? DType::i16
                         : bias               ? (state == DType::i16 ? DType::i64 : DType::i32)
                         : i == kX || i == kH ? state
                                              : DType::i8;
    if (ctx.dtype(i) != wanted)
      return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " is not " +
                       std::string(name_of(wanted)));
  }
  MOTE_TRY(check_rank(ctx, kX, 2, 3));
  for (int i : {1, 2, 3, 4, 5, 6, 7, 8, 16}) MOTE_TRY(check_rank(ctx, i, 2, 2));
  const bool coupled = !ctx.has(kW), peephole = ctx.has(kPeephole + 1), norm = ctx.has(kNorm + 1);
  if (state == DType::i16 && (coupled || peephole || norm || ctx.has(kProjection)))
    return ctx.error("states of 16 bits go without peepholes, normalization and projection, and with all four gates");
  for (int first : {int{kR}, int{kBias}}) {
    if (ctx.has(first) == coupled) return ctx.error("the input gate has only a part of its weights");
  }
  for (int i = 1; i < 4; ++i) {
    if (!ctx.has(kBias + i)) return ctx.error("a gate has no bias");
    if (ctx.has(kNorm + i) != norm) return ctx.error("only some gates are normalized");
  }
  if (ctx.has(kPeephole) != (peephole && !coupled) || ctx.has(kPeephole + 2) != peephole ||
      ctx.has(kNorm) != (norm && !coupled))
    return ctx.error("only some gates have peepholes, or are normalized");
  if (ctx.attr_floats("input_scales").size() != 4 || ctx.attr_floats("recurrent_scales").size() != 4 ||
      (peephole && ctx.attr_floats("peephole_scales").size() != 3) ||
      (norm && ctx.attr_floats("norm_scales").size() != 4))
    return ctx.error("there is not one scale for each gate");
  if (ctx.attr_int("cell_bits") < 0 || ctx.attr_int("cell_bits") > 6)
    return ctx.error("cell_bits is outside of 0 to 6");
  for (const char* zero : {"x_zero", "h_zero", "hidden_zero"}) {
    if (ctx.attr_int(zero) < -32768 || ctx.attr_int(zero) > 32767)
      return ctx.error(std::string(zero) + " is no zero point of 16 bits");
  }
  Type y = Type::tensor(state);
  if (ctx.has_rank(kX) && ctx.has_rank(kR + 1)) {
    Shape s = ctx.shape(kX);
    s.back() = ctx.shape(kR + 1)[1];
    y = Type::tensor(state, std::move(s));
  }
  ctx.output(0, std::move(y));
  if (ctx.wants(1)) ctx.output(1, ctx.type(kH));
  if (ctx.wants(2)) ctx.output(2, ctx.type(kC));
  return {};
}

// What products are summed in, and how the sums are scaled, by the type of the states.
template <class T>
struct Sums;
template <>
struct Sums<std::int8_t> {
  using Sum = std::int32_t;
  static std::int32_t scaled(std::int64_t sum, FixedScale s) { return scale_fixed(fixed::wrap(sum), s); }
};
template <>
struct Sums<std::int16_t> {
  using Sum = std::int64_t;
  static std::int32_t scaled(std::int64_t sum, FixedScale s) { return scale_fixed_wide(sum, s); }
};

template <class Sum>
struct Gate {
  const std::int8_t *w = nullptr, *r = nullptr;
  const std::int16_t *p = nullptr, *n = nullptr;
  const Sum* b = nullptr;
  std::vector<Sum> input_bias, recurrent_bias;  // zero points times weights, and b where nothing is normalized
  FixedScale input, recurrent, peephole, norm;
  std::int32_t least_variance = 1;
};

std::int32_t saturated(std::int64_t v) { return static_cast<std::int32_t>(std::clamp<std::int64_t>(v, -32768, 32767)); }

// bias[row] - zero * the sum of the weights' row.
template <class Sum>
std::vector<Sum> effective_bias(ReferenceContext& ctx, const std::int8_t* w, std::int64_t rows, std::int64_t columns,
                                std::int64_t zero, const Sum* bias) {
  std::vector<Sum> out(static_cast<std::size_t>(rows));
  for (std::int64_t i : ctx.range(rows)) {
    std::int64_t sum = 0;
    for (std::int64_t j : ctx.range(columns)) sum += w[i * columns + j];
    // Of what a file may hold: wraps.
    const auto b = static_cast<std::uint64_t>(bias ? std::int64_t{bias[i]} : 0);
    out[static_cast<std::size_t>(i)] =
        static_cast<Sum>(b - static_cast<std::uint64_t>(zero) * static_cast<std::uint64_t>(sum));
  }
  return out;
}

template <class T>
typename Sums<T>::Sum dot(ReferenceContext& ctx, const std::int8_t* a, const T* b, std::int64_t n) {
  typename Sums<T>::Sum sum = 0;
  for (auto [begin, end] : ctx.pieces(n)) {
    for (std::int64_t i = begin; i < end; ++i) sum += std::int32_t{a[i]} * b[i];
  }
  return sum;
}

// Made once: as much work as a small layer.
const SampledSigmoid& samples() {
  static const SampledSigmoid made;
  return made;
}

template <class T>
class QlinearLstm {
 public:
  using Sum = typename Sums<T>::Sum;

  explicit QlinearLstm(ReferenceContext& ctx) : ctx_(ctx) {
    const TensorView &x = ctx.in(kX), &r = ctx.in(kR + 1);
    features_ = x.dims[x.rank - 1];
    cells_ = r.dims[0];
    outputs_ = r.dims[1];
    const bool sequence = x.rank == 3, time_major = ctx.attr_int("time_major") != 0;
    batch_ = x.dims[sequence && time_major ? 1 : 0];
    steps_ = sequence ? x.dims[time_major ? 0 : 1] : 1;
    along_ = time_major || !sequence ? batch_ : 1;
    across_ = time_major || !sequence ? 1 : steps_;
    bits_ = static_cast<int>(ctx.attr_int("cell_bits"));
  }

  Status check() const {
    auto sized = [&](int i, std::int64_t n) { return !ctx_.has(i) || ctx_.in(i).count() == n; };
    for (int g = 0; g < 4; ++g) {
      if (!sized(kW + g, cells_ * features_) || !sized(kR + g, cells_ * outputs_) || !sized(kBias + g, cells_) ||
          !sized(kNorm + g, cells_) || (g < 3 && !sized(kPeephole + g, cells_)))
        return invalid("the weights of the gates do not fit each other");
    }
    if (!sized(kProjection, outputs_ * cells_) || !sized(kProjectionBias, outputs_))
      return invalid("the projection does not fit the gates");
    if (!ctx_.has(kProjection) && outputs_ != cells_) return invalid("without a projection every cell is an output");
    if (ctx_.has(kPeephole + 1) && outputs_ > cells_) return invalid("has peepholes, and more outputs than cells");
    if (!sized(kH, batch_ * outputs_) || !sized(kC, batch_ * cells_)) return invalid("the states do not fit x");
    return {};
  }

  // y is what every step gives; h and c begin as what they were and end as what they are. After check().
  void run(T* y, T* h, std::int16_t* c) {
    for (int g = 0; g < 4; ++g) gates_[static_cast<std::size_t>(g)] = gate(g);
    hidden_.resize(static_cast<std::size_t>(cells_));
    for (std::vector<std::int32_t>& v : values_) v.resize(hidden_.size());
    if (ctx_.has(kProjection)) {
      projection_bias_ = effective_bias(ctx_, data<std::int8_t>(kProjection), outputs_, cells_,
                                        -ctx_.attr_int("hidden_zero"), data<Sum>(kProjectionBias));
    }
    const auto* x = data<T>(kX);
    for (std::int64_t t : ctx_.range(steps_)) {
      for (std::int64_t b : ctx_.range(batch_)) {
        const std::int64_t row = t * along_ + b * across_;
        step(x + row * features_, h + b * outputs_, c + b * cells_, along_ == 1 ? 0 : b);
        std::copy_n(h + b * outputs_, outputs_, y + row * outputs_);
      }
    }
  }

 private:
  enum { kInput, kForget, kCell, kOutput };

  static constexpr bool kWide = std::is_same_v<T, std::int16_t>;

  template <class E>
  const E* data(int i) const {
    return ctx_.has(i) ? ctx_.in(i).as<const E>() : nullptr;
  }
  FixedScale factor(std::string_view attr, int i) const {
    const std::vector<double> v = ctx_.attr_floats(attr);
    return static_cast<std::size_t>(i) < v.size() ? fixed_scale(v[static_cast<std::size_t>(i)]) : FixedScale();
  }

  // A sum of products on `bias`, scaled. Wraps.
  static std::int32_t scaled_sum(Sum bias, Sum products, FixedScale s) {
    const std::uint64_t sum = static_cast<std::uint64_t>(bias) + static_cast<std::uint64_t>(products);
    return Sums<T>::scaled(static_cast<std::int64_t>(sum), s);
  }
  // Of what a gate sums; of the cell.
  static std::int32_t sigmoid(std::int32_t v) { return kWide ? samples().sigmoid(3 * v) : fixed16::sigmoid(v); }
  static std::int32_t tanh(std::int32_t v) { return kWide ? samples().tanh(3 * v) : fixed16::tanh(v, 3); }
  std::int32_t cell_tanh(std::int32_t c) const {
    if (!kWide) return fixed16::tanh(c, bits_);
    return samples().tanh(bits_ >= 3 ? 3 * c * (1 << (bits_ - 3)) : (3 * c + (1 << (2 - bits_))) >> (3 - bits_));
  }
  // A product of Q0 by a number over 2^n.
  static std::int32_t over(std::int32_t product, int n) {
    if (kWide) return saturated(scale_fixed(product, {1 << 30, 1 - n}));
    return fixed16::wrap(fixed::divide_by_pot(product, n));
  }

  Gate<Sum> gate(int g) const {
    Gate<Sum> out;
    out.w = data<std::int8_t>(kW + g);
    if (!out.w) return out;
    out.r = data<std::int8_t>(kR + g);
    out.n = data<std::int16_t>(kNorm + g);
    out.b = data<Sum>(kBias + g);
    const int peephole = g == kOutput ? 2 : g;
    if (g != kCell) out.p = data<std::int16_t>(kPeephole + peephole);
    out.input_bias = effective_bias(ctx_, out.w, cells_, features_, ctx_.attr_int("x_zero"), out.n ? nullptr : out.b);
    out.recurrent_bias =
        effective_bias(ctx_, out.r, cells_, outputs_, ctx_.attr_int("h_zero"), static_cast<const Sum*>(nullptr));
    out.input = factor("input_scales", g);
    out.recurrent = factor("recurrent_scales", g);
    out.peephole = factor("peephole_scales", peephole);
    if (out.n) {
      out.norm = factor("norm_scales", g);
      const float guard = 10000 * static_cast<float>(ctx_.attr_floats("norm_scales")[static_cast<std::size_t>(g)]);
      out.least_variance = guard >= 1 ? static_cast<std::int32_t>(std::min(guard, 0x1p30f)) : 1;
    }
    return out;
  }

  // The sum that the gate's function is applied to.
  void sum(const Gate<Sum>& g, const T* x, const T* h, const std::int16_t* c, std::int64_t b,
           std::vector<std::int32_t>& out) {
    for (std::int64_t i : ctx_.range(cells_)) {
      const auto at = static_cast<std::size_t>(i);
      std::int32_t v = saturated(scaled_sum(g.input_bias[at], dot(ctx_, g.w + i * features_, x, features_), g.input));
      const std::int32_t past =
          scaled_sum(g.recurrent_bias[at], dot(ctx_, g.r + i * outputs_, h, outputs_), g.recurrent);
      v = saturated(std::int64_t{v} + (kWide ? saturated(past) : past));
      const std::int64_t k = b * cells_ + i;
      if (g.p && k < (along_ == 1 ? 1 : batch_) * outputs_)
        v = saturated(std::int64_t{v} + scale_fixed(std::int32_t{g.p[k % outputs_]} * c[i], g.peephole));
      out[at] = v;
    }
    if (g.n) normalize(g, out);
  }

  // (v - mean) / deviation * n + b, with 10 more bits in between.
  void normalize(const Gate<Sum>& g, std::vector<std::int32_t>& v) const {
    if (v.empty()) return;
    std::int64_t sum = 0, squares = 0;
    for (std::size_t i : ctx_.range(v.size())) {
      sum += v[i];
      squares += std::int64_t{v[i]} * v[i];
    }
    const auto mean = static_cast<std::int32_t>(sum * 1024 / cells_);
    const std::int64_t variance = squares * ((1 << 20) / cells_) - std::int64_t{mean} * mean;
    std::int32_t whole = fixed::wrap(variance / (1 << 20));
    if (whole < 1) whole = g.least_variance;
    const FixedScale inverse = fixed::inverse_root(whole);
    for (std::size_t i : ctx_.range(v.size())) {
      const std::int32_t scaled = scale_fixed(1024 * v[i] - mean, inverse);
      const std::int64_t product = fixed::wrap(std::int64_t{fixed::wrap(std::int64_t{scaled} * g.n[i])} + g.b[i]);
      const auto rounded = static_cast<std::int32_t>((product > 0 ? product + 512 : product - 512) / 1024);
      v[i] = saturated(scale_fixed(rounded, {g.norm.multiplier, std::min(g.norm.shift + 12, 31)}));
    }
  }

  // `b`: the place in the batch, as peepholes count it.
  void step(const T* x, T* h, std::int16_t* c, std::int64_t b) {
    auto& [input, forget, fresh, output] = values_;
    sum(gates_[kForget], x, h, c, b, forget);
    sum(gates_[kCell], x, h, c, b, fresh);
    if (gates_[kInput].w) sum(gates_[kInput], x, h, c, b, input);
    const auto clip = static_cast<std::int32_t>(ctx_.attr_int("cell_clip"));
    for (std::size_t i : ctx_.range(forget.size())) {
      const std::int32_t f = sigmoid(forget[i]), in = gates_[kInput].w ? sigmoid(input[i]) : 32767 - f;
      std::int32_t cell = saturated(std::int64_t{over(f * c[i], 15)} + over(in * tanh(fresh[i]), 15 + bits_));
      if (clip > 0) cell = std::clamp(cell, -clip, clip);
      c[i] = static_cast<std::int16_t>(cell);
    }
    sum(gates_[kOutput], x, h, c, b, output);
    const FixedScale scale = fixed_scale(ctx_.attr_float("hidden_scale"));
    // What is projected is kept with its zero point negated.
    const std::int64_t zero = ctx_.attr_int("hidden_zero") * (ctx_.has(kProjection) ? -1 : 1);
    for (std::size_t i : ctx_.range(hidden_.size())) {
      const std::int64_t v = scale_fixed(sigmoid(output[i]) * cell_tanh(c[i]), scale) + zero;
      hidden_[i] =
          static_cast<T>(std::clamp<std::int64_t>(v, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    }
    if (!ctx_.has(kProjection)) {
      std::copy(hidden_.begin(), hidden_.end(), h);
      return;
    }
    project(h);
  }

  void project(T* h) const {
    const auto* w = data<std::int8_t>(kProjection);
    const FixedScale scale = fixed_scale(ctx_.attr_float("projection_scale"));
    const std::int64_t zero = ctx_.attr_int("h_zero"), clip = ctx_.attr_int("projection_clip");
    for (std::int64_t i : ctx_.range(outputs_)) {
      const std::int32_t v = scaled_sum(projection_bias_[static_cast<std::size_t>(i)],
                                        dot(ctx_, w + i * cells_, hidden_.data(), cells_), scale);
      std::int64_t out = std::clamp<std::int64_t>(v + zero, -128, 127);
      if (clip > 0) out = std::clamp(out, -clip, clip);
      h[i] = static_cast<T>(out);
    }
  }

  ReferenceContext& ctx_;
  std::int64_t features_, cells_, outputs_, batch_, steps_, along_, across_;
  int bits_;
  std::array<Gate<Sum>, 4> gates_;
  std::vector<Sum> projection_bias_;
  std::array<std::vector<std::int32_t>, 4> values_;
  std::vector<T> hidden_;
};

template <class T>
Status run_lstm(ReferenceContext& ctx, const std::vector<TensorView>& outs) {
  QlinearLstm<T> lstm(ctx);
  MOTE_TRY(lstm.check());
  const TensorView &h = ctx.in(kH), &c = ctx.in(kC);
  std::vector<T> last_h(h.as<const T>(), h.as<const T>() + h.count());
  std::vector<std::int16_t> last_c(c.as<const std::int16_t>(), c.as<const std::int16_t>() + c.count());
  lstm.run(outs[0].as<T>(), last_h.data(), last_c.data());
  if (ctx.wants(1)) std::copy(last_h.begin(), last_h.end(), outs[1].as<T>());
  if (ctx.wants(2)) std::copy(last_c.begin(), last_c.end(), outs[2].as<std::int16_t>());
  return {};
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  return ctx.in(kX).dtype == DType::i16 ? run_lstm<std::int16_t>(ctx, outs) : run_lstm<std::int8_t>(ctx, outs);
}

}  // namespace

MOTE_DEFINE_OP(qlinear_lstm) = {
    .name = "qlinear_lstm",
    .doc =
        "A long short-term memory layer in integers, as TensorFlow Lite's kernels of 8-bit "
        "weights and 16-bit cells compute it: every product is scaled in fixed point and "
        "added with saturation, gates are in units of 2^-12 (normalized ones in their own) "
        "and sigmoid and tanh are those of base/fixed_math16.h. States of 16 bits go by the "
        "kernels of TensorFlow Lite Micro: sums of 64 bits, sigmoid and tanh interpolated "
        "as in simd/sampled16.h.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(qlinear_lstm) = run;

}  // namespace mote
