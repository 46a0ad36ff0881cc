// Attention as a recurrence over a matrix per head, with decay and delta rule.
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

enum Input : int { kQuery, kKey, kValue, kPast, kDecay, kBeta };

constexpr Slot kInputs[] = {
    {"query", "[batch, time, q_num_heads * d_k]"},
    {"key", "[batch, time, kv_num_heads * d_k]"},
    {"value", "[batch, time, kv_num_heads * d_v]"},
    {"past_state", "[batch, kv_num_heads, d_k, d_v]; default 0", Arity::kOptional},
    {"decay", "logarithm of the decay: [batch, time, kv_num_heads] or [batch, time, kv_num_heads * d_k]; gated rules",
     Arity::kOptional},
    {"beta", "update rate: [batch, time, kv_num_heads or 1]; delta rules", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"output", "[batch, time, q_num_heads * d_v]"},
                             {"present_state", "the state after the last step", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"chunk_size", AttrKind::kInt, "64", "a hint without effect on the result"},
    {"kv_num_heads", AttrKind::kInt, "", "heads of keys and values", true},
    {"q_num_heads", AttrKind::kInt, "", "heads of queries, a multiple of kv_num_heads", true},
    {"scale", AttrKind::kFloat, "0.0", "of the output; 0: 1 / sqrt(d_k)"},
    {"update_rule", AttrKind::kString, "\"gated_delta\"", "linear, gated, delta or gated_delta"}};

bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

// Whether the rule and the operands given fit each other.
Status check_rule(const InferContext& ctx) {
  std::string rule = ctx.attr_string("update_rule");
  if (rule != "linear" && rule != "gated" && rule != "delta" && rule != "gated_delta") {
    return ctx.error("update_rule: '" + rule + "' is not known");
  }
  if (rule.starts_with("gated") != ctx.has(kDecay)) return ctx.error("decay goes with the gated rules, and only them");
  if (rule.ends_with("delta") != ctx.has(kBeta)) return ctx.error("beta goes with the delta rules, and only them");
  return {};
}

Status infer(InferContext& ctx) {
  for (int i = 0; i < 6; ++i) {
    MOTE_TRY(check_dtype(ctx, i, kFloats));
    MOTE_TRY(check_rank(ctx, i, i == kPast ? 4 : 3, i == kPast ? 4 : 3));
  }
  MOTE_TRY(check_rule(ctx));
  std::int64_t q_heads = ctx.attr_int("q_num_heads"), heads = ctx.attr_int("kv_num_heads");
  if (q_heads <= 0 || heads <= 0 || q_heads % heads != 0) {
    return ctx.error("q_num_heads must be a multiple of kv_num_heads");
  }
  auto shape = [&](int i) { return ctx.has_rank(i) ? ctx.shape(i) : ctx.fresh_shape(3); };
  Shape q = shape(kQuery), k = shape(kKey), v = shape(kValue);
  for (const auto& [s, n] : {std::pair<const Shape&, std::int64_t>(q, q_heads), {k, heads}, {v, heads}}) {
    if (s[2].is_const() && s[2].value() % n != 0) return ctx.error("features are no multiple of the heads");
    if (!agree(s[0], q[0]) || !agree(s[1], q[1])) return ctx.error("query, key and value differ in batch or time");
  }
  Dim d_k = floordiv(q[2], Dim(q_heads)), d_v = floordiv(v[2], Dim(heads));
  if (!agree(floordiv(k[2], Dim(heads)), d_k)) return ctx.error("query and key differ in head size");
  Shape state = {q[0], heads, d_k, d_v};
  for (std::size_t a = 0; ctx.has_rank(kPast) && a < 4; ++a) {
    if (!agree(ctx.shape(kPast)[a], state[a])) return ctx.error("past_state needs shape " + to_string(state));
  }
  for (int i : {kDecay, kBeta}) {
    if (!ctx.has_rank(i)) continue;
    const Shape& s = ctx.shape(i);
    bool last = agree(s[2], heads) || (i == kDecay ? agree(s[2], d_k * heads) : agree(s[2], 1));
    if (!agree(s[0], q[0]) || !agree(s[1], q[1]) || !last) {
      return ctx.error(std::string(kInputs[i].name) + " has shape " + to_string(s));
    }
  }
  ctx.output(0, ctx.dtype(kQuery), {q[0], q[1], d_v * q_heads});
  if (ctx.wants(1)) ctx.output(1, ctx.has(kPast) ? ctx.dtype(kPast) : ctx.dtype(kQuery), std::move(state));
  return {};
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  const TensorView &q = ctx.in(kQuery), &k = ctx.in(kKey), &v = ctx.in(kValue);
  const std::int64_t time = q.dims[1], q_heads = ctx.attr_int("q_num_heads"), heads = ctx.attr_int("kv_num_heads");
  const std::int64_t d_k = q.dims[2] / q_heads, d_v = v.dims[2] / heads, repeat = q_heads / heads;
  const double given = ctx.attr_float("scale"), scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(d_k));
  MOTE_ASSIGN(auto state, wide_scratch(ctx, d_k * d_v));
  std::vector<double> value(static_cast<std::size_t>(d_v));
  auto at = [&](std::int64_t i, std::int64_t j) -> double& { return state[static_cast<std::size_t>(i * d_v + j)]; };
  // One value per head, or one for all, of a [batch, time, ...] operand.
  auto rate = [&](int input, std::int64_t row, std::int64_t h, std::int64_t i) {
    const TensorView& r = ctx.in(input);
    std::int64_t n = r.dims[2];
    return load_f64(r, row * n + (n == heads ? h : n == 1 ? 0 : h * d_k + i));
  };
  for (std::int64_t b : ctx.range(q.dims[0])) {
    for (std::int64_t h : ctx.range(heads)) {
      const std::int64_t base = (b * heads + h) * d_k * d_v;
      for (std::int64_t i : ctx.range(d_k * d_v)) {
        state[static_cast<std::size_t>(i)] = ctx.has(kPast) ? load_f64(ctx.in(kPast), base + i) : 0;
      }
      for (std::int64_t t : ctx.range(time)) {
        const std::int64_t row = b * time + t;
        auto key = [&](std::int64_t i) { return load_f64(k, (row * heads + h) * d_k + i); };
        for (std::int64_t i : ctx.range(ctx.has(kDecay) ? d_k : 0)) {
          double keep = std::exp(rate(kDecay, row, h, i));
          for (std::int64_t j : ctx.range(d_v)) at(i, j) *= keep;
        }
        for (std::int64_t j : ctx.range(d_v)) {
          double now = load_f64(v, (row * heads + h) * d_v + j);
          if (ctx.has(kBeta)) {
            double stored = 0;
            for (std::int64_t i : ctx.range(d_k)) stored += at(i, j) * key(i);
            now = rate(kBeta, row, h, 0) * (now - stored);
          }
          value[static_cast<std::size_t>(j)] = now;
        }
        for (std::int64_t i : ctx.range(d_k)) {
          for (std::int64_t j : ctx.range(d_v)) at(i, j) += key(i) * value[static_cast<std::size_t>(j)];
        }
        for (std::int64_t r : ctx.range_from<std::int64_t>(h * repeat, (h + 1) * repeat)) {
          for (std::int64_t j : ctx.range(d_v)) {
            double sum = 0;
            for (std::int64_t i : ctx.range(d_k)) sum += load_f64(q, (row * q_heads + r) * d_k + i) * at(i, j);
            store_f64(outs[0], (row * q_heads + r) * d_v + j, scale * sum);
          }
        }
      }
      for (std::int64_t i : ctx.range(ctx.wants(1) ? d_k * d_v : 0)) {
        store_f64(outs[1], base + i, state[static_cast<std::size_t>(i)]);
      }
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(linear_attention) = {
    .name = "linear_attention",
    .doc =
        "Attention as a recurrence: each step decays a matrix per head, writes key and value into it and reads it "
        "with the query.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(linear_attention) = run;

}  // namespace mote
