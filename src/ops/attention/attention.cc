// Scaled dot product attention with grouped heads, masks, windows, soft cap and a cache of keys and values.
#include "ops/attention/attention.h"

#include "base/checked.h"
#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

enum Input : int { kQ, kK, kV, kMask, kPastKey, kPastValue, kValidKeys };
enum Output : int { kY, kPresentKey, kPresentValue, kScores };

constexpr Slot kInputs[] = {
    {"q", "[batch, heads, length, head] or [batch, length, heads * head]"},
    {"k", "as q, with kv_heads and its own length"},
    {"v", "as k, with its own head size"},
    {"attn_mask",
     "boolean (true: attend) or added to the scores; broadcasts to [batch, heads, length, total]; a last axis "
     "shorter than total is filled up with what masks",
     Arity::kOptional},
    {"past_key", "[batch, kv_heads, past, head]: goes before k", Arity::kOptional},
    {"past_value", "[batch, kv_heads, past, v_head]: goes before v", Arity::kOptional},
    {"nonpad_kv_seqlen", "i64 [batch]: how many keys are valid; not with a past", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "shape of q with the head size of v; 0 where a query may attend no key"},
                             {"present_key", "[batch, kv_heads, total, head]", Arity::kOptional},
                             {"present_value", "[batch, kv_heads, total, v_head]", Arity::kOptional},
                             {"qk_matmul_output", "[batch, heads, length, total]", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"is_causal", AttrKind::kInt, "0",
     "1: query i attends keys up to i + offset; offset is past, or valid keys - length, or 0"},
    {"kv_num_heads", AttrKind::kInt, "0", "heads of packed k and v"},
    {"left_window_size", AttrKind::kInt, "-1", "keys before i + offset that a query attends; -1: all"},
    {"q_num_heads", AttrKind::kInt, "0", "heads of packed q"},
    {"qk_matmul_output_mode", AttrKind::kInt, "0",
     "qk_matmul_output is 0: the scores, 1: after the soft cap, 2: with masks added, 3: after softmax"},
    {"right_window_size", AttrKind::kInt, "-1", "keys after i + offset that a query attends; -1: all"},
    {"scale", AttrKind::kFloat, "", "of the scores; default 1 / sqrt(head)"},
    {"softcap", AttrKind::kFloat, "0.0", "scores become softcap * tanh(scores / softcap); 0: as they are"},
    {"softmax_precision", AttrKind::kDType, "", "dtype of the softmax; default that of q"}};

bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

// heads * n == extent: the head size, or the extent itself divided.
Result<Dim> split_heads(const InferContext& ctx, const Dim& extent, std::int64_t heads) {
  if (heads <= 0) return ctx.error("3-D operands need q_num_heads and kv_num_heads");
  if (extent.is_const() && extent.value() % heads != 0) {
    return ctx.error(extent.to_string() + " features are no multiple of " + std::to_string(heads) + " heads");
  }
  return floordiv(extent, Dim(heads));
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, kQ, kFloats));
  MOTE_TRY(check_same_dtype(ctx, kQ, kK));
  MOTE_TRY(check_same_dtype(ctx, kK, kPastKey));
  MOTE_TRY(check_dtype(ctx, kV, kFloats));
  MOTE_TRY(check_same_dtype(ctx, kV, kPastValue));
  MOTE_TRY(check_dtype(ctx, kMask, kBool | kNumbers));
  MOTE_TRY(check_dtype(ctx, kValidKeys, kInts));
  MOTE_TRY(check_rank(ctx, kMask, 1, 4));
  if (ctx.has(kPastKey) != ctx.has(kPastValue)) return ctx.error("past_key and past_value come together");
  if (ctx.has(kPastKey) && ctx.has(kValidKeys)) return ctx.error("nonpad_kv_seqlen does not go with a past");
  DType t = ctx.dtype(kQ), tv = ctx.dtype(kV);
  auto put = [&](int o, DType dtype, std::optional<Shape> shape) {
    if (ctx.wants(o)) ctx.output(o, Type::tensor(dtype, std::move(shape)));
  };
  if (!ctx.has_rank(kQ) || !ctx.has_rank(kK) || !ctx.has_rank(kV)) {
    put(kY, t, std::nullopt);
    put(kPresentKey, t, std::nullopt);
    put(kPresentValue, tv, std::nullopt);
    put(kScores, t, std::nullopt);
    return {};
  }
  MOTE_ASSIGN(AttentionShape s, attention_shape(ctx));
  Dim mask_total = s.total;
  if (ctx.has_rank(kMask)) {
    const Shape& mask = ctx.shape(kMask);
    const Dim full[] = {s.batch, s.q_heads, s.q_length};
    for (std::size_t i = 0; i + 1 < mask.size(); ++i) {
      const Dim& d = mask[mask.size() - 2 - i];
      if (!d.is(1) && !agree(d, full[2 - i])) {
        return ctx.error("attn_mask of shape " + to_string(mask) + " does not fit " + full[2 - i].to_string());
      }
    }
    const Dim& last = mask.back();
    if (last.is_const() && s.total.is_const() && last.value() > s.total.value()) {
      return ctx.error("attn_mask is longer than the " + s.total.to_string() + " keys");
    }
  }
  if (ctx.has_rank(kValidKeys) && (ctx.rank(kValidKeys) != 1 || !agree(ctx.shape(kValidKeys)[0], s.batch))) {
    return ctx.error("nonpad_kv_seqlen needs one value per batch");
  }
  put(kY, t,
      s.packed ? Shape{s.batch, s.q_length, s.q_heads * s.v_head} : Shape{s.batch, s.q_heads, s.q_length, s.v_head});
  put(kPresentKey, t, Shape{s.batch, s.kv_heads, s.total, s.head});
  put(kPresentValue, tv, Shape{s.batch, s.kv_heads, s.total, s.v_head});
  put(kScores, t, Shape{s.batch, s.q_heads, s.q_length, s.total});
  return {};
}

// One run's extents.
struct Extents {
  std::int64_t batch, q_heads, kv_heads, q_length, kv_length, past, total, head, v_head;
};

// Element (b, h, l, 0) of an operand in either form.
std::int64_t row_of(bool packed, std::int64_t heads, std::int64_t length, std::int64_t head, std::int64_t b,
                    std::int64_t h, std::int64_t l) {
  return packed ? ((b * length + l) * heads + h) * head : ((b * heads + h) * length + l) * head;
}

// past and new keys (or values) as [batch, kv_heads, total, head] doubles.
Result<std::span<double>> join_past(ReferenceContext& ctx, int now, int past, const Extents& e, std::int64_t head,
                                    bool packed) {
  MOTE_ASSIGN(auto all, wide_scratch(ctx, e.batch * e.kv_heads * e.total * head));
  std::size_t to = 0;
  for (std::int64_t b : ctx.range(e.batch)) {
    for (std::int64_t h : ctx.range(e.kv_heads)) {
      for (std::int64_t l : ctx.range(e.total)) {
        bool old = l < e.past;
        std::int64_t from = old ? row_of(false, e.kv_heads, e.past, head, b, h, l)
                                : row_of(packed, e.kv_heads, e.kv_length, head, b, h, l - e.past);
        for (std::int64_t d : ctx.range(head)) all[to++] = load_f64(ctx.in(old ? past : now), from + d);
      }
    }
  }
  return all;
}

// What is added to the score of key j under query i: -infinity where it may not be attended.
class Bias {
 public:
  Bias(const ReferenceContext& ctx, const Extents& e) : ctx_(ctx), e_(e) {
    causal_ = ctx.attr_int("is_causal") != 0;
    left_ = ctx.attr_int("left_window_size");
    right_ = ctx.attr_int("right_window_size");
    if (!ctx.has(kMask)) return;
    const TensorView& m = ctx.in(kMask);
    Strides s = broadcast_strides(m, 4);
    strides_ = s;
    strides_[3] = 1;
    length_ = m.dims[m.rank - 1];
  }

  double at(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t j) const {
    // A number that is none of keys stays one to compute with.
    std::int64_t valid = e_.total;
    if (ctx_.has(kValidKeys))
      valid = std::clamp<std::int64_t>(load_i64(ctx_.in(kValidKeys), b), -kMaxElements, kMaxElements);
    std::int64_t offset = ctx_.has(kValidKeys) ? valid - e_.q_length : e_.past, distance = j - i - offset;
    bool allowed = j < valid && (!causal_ || distance <= 0) && (left_ < 0 || -distance <= left_) &&
                   (right_ < 0 || distance <= right_);
    if (!allowed) return -INFINITY;
    if (!ctx_.has(kMask)) return 0;
    if (j >= length_) return -INFINITY;
    const TensorView& m = ctx_.in(kMask);
    double v = load_f64(m, b * strides_[0] + h * strides_[1] + i * strides_[2] + j * strides_[3]);
    return m.dtype == DType::boolean ? (v != 0 ? 0 : -INFINITY) : v;
  }

 private:
  const ReferenceContext& ctx_;
  const Extents& e_;
  bool causal_ = false;
  std::int64_t left_ = -1, right_ = -1, length_ = 0;
  Strides strides_{};
};

// In place: scores plus bias to probabilities, all 0 where no key may be attended.
void softmax_row(ReferenceContext& ctx, std::span<double> scores, std::span<const double> bias) {
  double top = -INFINITY, open = -INFINITY, sum = 0;
  for (std::size_t j : ctx.range(scores.size())) {
    scores[j] = bias[j] == -INFINITY ? -INFINITY : scores[j] + bias[j];
    top = std::fmax(top, scores[j]);
    open = std::fmax(open, bias[j]);
  }
  for (std::size_t j : ctx.range(scores.size())) {
    scores[j] = open == -INFINITY || top == -INFINITY ? 0 : std::exp(scores[j] - top);
    sum += scores[j];
  }
  for (std::size_t j : ctx.range(scores.size())) scores[j] = sum == 0 ? 0 : scores[j] / sum;
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  outs.resize(4);
  const TensorView &q = ctx.in(kQ), &k = ctx.in(kK), &v = ctx.in(kV);
  bool packed = q.rank == 3;
  Extents e{};
  e.batch = q.dims[0];
  e.q_heads = packed ? ctx.attr_int("q_num_heads") : q.dims[1];
  e.kv_heads = packed ? ctx.attr_int("kv_num_heads") : k.dims[1];
  e.q_length = q.dims[packed ? 1 : 2];
  e.kv_length = k.dims[packed ? 1 : 2];
  e.head = packed ? q.dims[2] / e.q_heads : q.dims[3];
  e.v_head = packed ? v.dims[2] / e.kv_heads : v.dims[3];
  e.past = ctx.has(kPastKey) ? ctx.in(kPastKey).dims[2] : 0;
  e.total = e.past + e.kv_length;
  MOTE_ASSIGN(auto keys, join_past(ctx, kK, kPastKey, e, e.head, packed));
  MOTE_ASSIGN(auto values, join_past(ctx, kV, kPastValue, e, e.v_head, packed));
  if (outs[kPresentKey].data) narrow(ctx, keys, outs[kPresentKey]);
  if (outs[kPresentValue].data) narrow(ctx, values, outs[kPresentValue]);
  double scale = ctx.has_attr("scale") ? ctx.attr_float("scale") : 1 / std::sqrt(static_cast<double>(e.head));
  double cap = ctx.attr_float("softcap");
  std::int64_t mode = ctx.attr_int("qk_matmul_output_mode");
  const Bias bias(ctx, e);
  std::vector<double> scores(static_cast<std::size_t>(e.total)), added(scores.size());
  std::int64_t row = 0;
  auto expose = [&](bool now) {
    if (!now || !outs[kScores].data) return;
    for (std::int64_t j : ctx.range(e.total)) {
      store_f64(outs[kScores], row * e.total + j, scores[static_cast<std::size_t>(j)]);
    }
  };
  for (std::int64_t b : ctx.range(e.batch)) {
    for (std::int64_t h : ctx.range(e.q_heads)) {
      std::int64_t group = b * e.kv_heads + h / (e.q_heads / e.kv_heads);
      for (std::int64_t i : ctx.range(e.q_length)) {
        std::int64_t from = row_of(packed, e.q_heads, e.q_length, e.head, b, h, i);
        for (std::int64_t j : ctx.range(e.total)) {
          double sum = 0;
          for (std::int64_t d : ctx.range(e.head)) {
            sum += load_f64(q, from + d) * keys[static_cast<std::size_t>((group * e.total + j) * e.head + d)];
          }
          scores[static_cast<std::size_t>(j)] = sum * scale;
          added[static_cast<std::size_t>(j)] = bias.at(b, h, i, j);
        }
        expose(mode == 0);
        for (std::size_t j : ctx.range(cap > 0 ? scores.size() : 0)) scores[j] = cap * std::tanh(scores[j] / cap);
        expose(mode == 1);
        if (mode == 2) {
          std::vector<double> plain = scores;
          for (std::size_t j : ctx.range(scores.size())) scores[j] += added[j];
          expose(true);
          scores = std::move(plain);
        }
        softmax_row(ctx, scores, added);
        expose(mode == 3);
        std::int64_t to = row_of(packed, e.q_heads, e.q_length, e.v_head, b, h, i);
        for (std::int64_t d : ctx.range(e.v_head)) {
          double sum = 0;
          for (std::int64_t j : ctx.range(e.total)) {
            double p = scores[static_cast<std::size_t>(j)];
            if (p != 0) sum += p * values[static_cast<std::size_t>((group * e.total + j) * e.v_head + d)];
          }
          if (outs[kY].data) store_f64(outs[kY], to + d, sum);
        }
        ++row;
      }
    }
  }
  return {};
}

}  // namespace

Result<AttentionShape> attention_shape(InferContext& ctx) {
  const Shape &q = ctx.shape(kQ), &k = ctx.shape(kK), &v = ctx.shape(kV);
  if (q.size() != k.size() || q.size() != v.size() || (q.size() != 3 && q.size() != 4)) {
    return ctx.error("q, k and v must all be 3-D or all be 4-D");
  }
  AttentionShape s;
  s.packed = q.size() == 3;
  s.batch = q[0];
  Dim k_head, v_heads;
  if (s.packed) {
    std::int64_t q_heads = ctx.attr_int("q_num_heads"), kv_heads = ctx.attr_int("kv_num_heads");
    s.q_heads = q_heads;
    s.kv_heads = v_heads = kv_heads;
    s.q_length = q[1];
    s.kv_length = k[1];
    MOTE_ASSIGN(s.head, split_heads(ctx, q[2], q_heads));
    MOTE_ASSIGN(k_head, split_heads(ctx, k[2], kv_heads));
    MOTE_ASSIGN(s.v_head, split_heads(ctx, v[2], kv_heads));
  } else {
    s.q_heads = q[1];
    s.kv_heads = k[1];
    v_heads = v[1];
    s.q_length = q[2];
    s.kv_length = k[2];
    s.head = q[3];
    k_head = k[3];
    s.v_head = v[3];
  }
  const Dim& v_length = v[s.packed ? 1 : 2];
  if (!agree(k[0], s.batch) || !agree(v[0], s.batch) || !agree(k_head, s.head) || !agree(v_heads, s.kv_heads) ||
      !agree(v_length, s.kv_length)) {
    return ctx.error("q " + to_string(q) + ", k " + to_string(k) + " and v " + to_string(v) + " do not fit each other");
  }
  if (s.q_heads.is_const() && s.kv_heads.is_const() &&
      (s.kv_heads.value() <= 0 || s.q_heads.value() % s.kv_heads.value() != 0)) {
    return ctx.error(s.q_heads.to_string() + " heads of q are no multiple of " + s.kv_heads.to_string() + " of k");
  }
  for (int i : {kPastKey, kPastValue}) {
    if (!ctx.has_rank(i)) continue;
    const Shape& p = ctx.shape(i);
    bool fits = p.size() == 4 && agree(p[0], s.batch) && agree(p[1], s.kv_heads) &&
                agree(p[3], i == kPastKey ? s.head : s.v_head) &&
                (i == kPastKey || !ctx.has_rank(kPastKey) || agree(p[2], ctx.shape(kPastKey)[2]));
    if (!fits) return ctx.error("the past of shape " + to_string(p) + " does not fit k and v");
    if (i == kPastKey) s.past = p[2];
  }
  s.total = ctx.has(kPastKey) && !ctx.has_rank(kPastKey) ? ctx.fresh() : s.past + s.kv_length;
  return s;
}

MOTE_DEFINE_OP(attention) = {
    .name = "attention",
    .doc = "Scaled dot product attention: softmax(q . k^T * scale + masks) . v, with grouped heads and a cache.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(attention) = run;

}  // namespace mote
