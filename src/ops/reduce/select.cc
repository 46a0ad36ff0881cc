// arg_max, arg_min and top_k: where the extreme elements along an axis are. NaN is above every number; of equal
// elements the one with the lower index comes first.
#include <algorithm>
#include <cmath>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kArgInputs[] = {{"data", "any shape"}};
constexpr Slot kArgOutputs[] = {{"reduced", "i64, positions along the axis"}};
constexpr AttrSpec kArgAttrs[] = {
    {"axis", AttrKind::kInt, "0", "the axis to search, negative from the back"},
    {"keepdims", AttrKind::kInt, "1", "1: the axis stays, with extent 1; 0: it goes"},
    {"select_last_index", AttrKind::kInt, "0", "1: the last of equal elements, not the first"},
};
constexpr Slot kTopInputs[] = {{"x", "any shape"}, {"k", "one integer, how many; at most the axis's extent"}};
constexpr Slot kTopOutputs[] = {{"values", "the elements, in order"},
                                {"indices", "i64, their positions along the axis"}};
constexpr AttrSpec kTopAttrs[] = {
    {"axis", AttrKind::kInt, "-1", "the axis to search, negative from the back"},
    {"largest", AttrKind::kInt, "1", "1: the largest elements, 0: the smallest"},
    {"sorted", AttrKind::kInt, "1", "0 allows any order; they are sorted all the same"},
};

template <class V>
bool below(V x, V y) {
  if constexpr (std::is_floating_point_v<V>) {
    if (std::isnan(x)) return false;
    if (std::isnan(y)) return true;
  }
  return x < y;
}

Status infer_arg(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  bool keep = ctx.attr_int("keepdims") != 0;
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, DType::i64, std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  Shape out = ctx.shape(0);
  if (out[static_cast<std::size_t>(axis)].is(0)) return ctx.error("axis " + std::to_string(axis) + " has no elements");
  if (keep) {
    out[static_cast<std::size_t>(axis)] = Dim(1);
  } else {
    out.erase(out.begin() + axis);
  }
  ctx.output(0, DType::i64, std::move(out));
  return {};
}

Status run_arg(ReferenceContext& ctx, bool largest) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  AxisView a = around(x.shape(), normal_axis(ctx.attr_int("axis"), x.rank));
  bool last = ctx.attr_int("select_last_index") != 0;
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t o : ctx.range(a.outer)) {
      for (std::int64_t i : ctx.range(a.inner)) {
        auto at = [&](std::int64_t k) { return E::load(x, (o * a.n + k) * a.inner + i); };
        std::int64_t best = 0;
        for (std::int64_t k : ctx.range_from<std::int64_t>(1, a.n)) {
          bool worse = largest ? below(at(k), at(best)) : below(at(best), at(k));
          bool better = largest ? below(at(best), at(k)) : below(at(k), at(best));
          if (better || (last && !worse)) best = k;
        }
        y.as<std::int64_t>()[o * a.inner + i] = best;
      }
    }
  });
  return {};
}

Status run_arg_max(ReferenceContext& ctx) { return run_arg(ctx, true); }
Status run_arg_min(ReferenceContext& ctx) { return run_arg(ctx, false); }

Status infer_top(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  if (ctx.has_rank(1) && known_count(ctx.shape(1)) != 1) return ctx.error("k is not one element");
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    output_maybe(ctx, 1, DType::i64, std::nullopt);
    return {};
  }
  MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
  Shape out = ctx.shape(0);
  Dim& d = out[static_cast<std::size_t>(axis)];
  const KnownValue* k = ctx.value(1);
  if (k && (*k)[0].is_const() && ((*k)[0].value() < 0 || (d.is_const() && (*k)[0].value() > d.value()))) {
    return ctx.error("k is " + (*k)[0].to_string() + " for an axis of extent " + d.to_string());
  }
  d = k ? (*k)[0] : ctx.fresh();
  ctx.output(0, ctx.dtype(0), out);
  ctx.output(1, DType::i64, std::move(out));
  return {};
}

Status run_top(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  int axis = normal_axis(ctx.attr_int("axis"), x.rank);
  AxisView a = around(x.shape(), axis);
  std::int64_t k = load_i64(ctx.in(1), 0);
  bool largest = ctx.attr_int("largest") != 0;
  MOTE_ASSIGN(std::span<std::byte> memory, ctx.scratch(static_cast<std::size_t>(a.n) * sizeof(std::int64_t)));
  std::span<std::int64_t> order(reinterpret_cast<std::int64_t*>(memory.data()), static_cast<std::size_t>(a.n));
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    for (std::int64_t o : ctx.range(a.outer)) {
      for (std::int64_t i : ctx.range(a.inner)) {
        auto at = [&](std::int64_t j) { return E::load(x, (o * a.n + j) * a.inner + i); };
        for (std::int64_t j : ctx.range(a.n)) order[static_cast<std::size_t>(j)] = j;
        sort_first(ctx, order, static_cast<std::size_t>(k), [&](std::int64_t p, std::int64_t q) {
          auto u = at(p), v = at(q);
          if (largest ? below(v, u) : below(u, v)) return true;
          if (largest ? below(u, v) : below(v, u)) return false;
          return p < q;
        });
        for (std::int64_t j : ctx.range(k)) {
          std::int64_t to = (o * k + j) * a.inner + i, from = order[static_cast<std::size_t>(j)];
          if (ctx.wants(0)) copy_elements(x, (o * a.n + from) * a.inner + i, outs[0], to, 1);
          if (ctx.wants(1)) outs[1].as<std::int64_t>()[to] = from;
        }
      }
    }
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(arg_max) = {.name = "arg_max",
                           .doc = "The position of the largest element along an axis.",
                           .inputs = kArgInputs,
                           .outputs = kArgOutputs,
                           .attrs = kArgAttrs,
                           .infer = infer_arg};
MOTE_DEFINE_REFERENCE(arg_max) = run_arg_max;

MOTE_DEFINE_OP(arg_min) = {.name = "arg_min",
                           .doc = "The position of the smallest element along an axis.",
                           .inputs = kArgInputs,
                           .outputs = kArgOutputs,
                           .attrs = kArgAttrs,
                           .infer = infer_arg};
MOTE_DEFINE_REFERENCE(arg_min) = run_arg_min;

MOTE_DEFINE_OP(top_k) = {.name = "top_k",
                         .doc = "The k largest (or smallest) elements along an axis and their positions.",
                         .inputs = kTopInputs,
                         .outputs = kTopOutputs,
                         .attrs = kTopAttrs,
                         .infer = infer_top,
                         .shape_operands = 1u << 1};
MOTE_DEFINE_REFERENCE(top_k) = run_top;

}  // namespace mote
