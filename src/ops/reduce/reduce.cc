// The reductions: one value from all elements along some axes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/checked.h"
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/reduce/reduced.h"

namespace mote {
namespace {

enum class Kind { kL1, kL2, kLogSum, kLogSumExp, kMax, kMean, kMin, kProd, kSum, kSumSquare };

constexpr Slot kInputs[] = {
    {"data", "any shape"},
    {"axes", "integers, the axes to reduce; absent or empty: all, or none with noop_with_empty_axes",
     Arity::kOptional}};
constexpr Slot kOutputs[] = {{"reduced", "dtype of data"}};
constexpr AttrSpec kAttrs[] = {
    {"keepdims", AttrKind::kInt, "1", "1: reduced axes stay, with extent 1; 0: they go"},
    {"noop_with_empty_axes", AttrKind::kInt, "0", "1: without axes nothing is reduced"},
};

constexpr std::uint32_t classes_of(Kind k) {
  if (k == Kind::kLogSum || k == Kind::kLogSumExp) return kFloats;
  return k == Kind::kMax || k == Kind::kMin ? kNumbers | kBool : kNumbers;
}

std::optional<Dim> known(Kind kind, const KnownValue& v) {
  if (v.empty() && kind != Kind::kSum && kind != Kind::kProd) return std::nullopt;
  Dim r = v.empty() ? Dim(kind == Kind::kProd ? 1 : 0) : v[0];
  for (std::size_t i = 1; i < v.size(); ++i) {
    switch (kind) {
      case Kind::kSum:
        r = r + v[i];
        break;
      case Kind::kProd:
        r = r * v[i];
        break;
      case Kind::kMax:
        r = max(r, v[i]);
        break;
      case Kind::kMin:
        r = min(r, v[i]);
        break;
      default:
        return std::nullopt;
    }
  }
  return kind == Kind::kSum || kind == Kind::kProd || kind == Kind::kMax || kind == Kind::kMin ? std::optional(r)
                                                                                               : std::nullopt;
}

Status infer_kind(InferContext& ctx, Kind kind) {
  MOTE_TRY(check_dtype(ctx, 0, classes_of(kind)));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_ASSIGN(std::optional<std::vector<int>> axes, reduced::infer(ctx, ctx.dtype(0)));
  if (const KnownValue* v = ctx.value(0); v && axes && ctx.rank(0) <= 1) {
    if (axes->empty() && kind != Kind::kSumSquare) {
      pass_known(ctx);
    } else if (std::optional<Dim> r = known(kind, *v); r && !axes->empty()) {
      output_known(ctx, 0, ctx.dtype(0), {*r});
    }
  }
  return {};
}

// Extents and strides of some axes of a dense tensor.
struct Space {
  std::vector<std::int64_t> extents;
  Strides strides{};
  void add(std::int64_t extent, std::int64_t stride) {
    strides[extents.size()] = stride;
    extents.push_back(extent);
  }
};

template <class V, class Each>
V reduce(Kind kind, std::int64_t count, const Each& each) {
  constexpr bool floats = std::is_floating_point_v<V>;
  if (kind == Kind::kMax || kind == Kind::kMin) {
    using Limits = std::numeric_limits<V>;
    V r = kind == Kind::kMax ? (floats ? -Limits::infinity() : Limits::lowest())
                             : (floats ? Limits::infinity() : Limits::max());
    each([&](V x) {
      if (kind == Kind::kMax ? x > r : x < r) r = x;
      if (x != x) r = x;
    });
    return r;
  }
  if (kind == Kind::kLogSumExp) {
    double top = -INFINITY, sum = 0;
    each([&](V v) {
      const auto x = static_cast<double>(v);
      top = std::isnan(x) ? x : std::fmax(top, x);
    });
    if (std::isinf(top)) return static_cast<V>(top);
    each([&](V x) { sum += std::exp(static_cast<double>(x) - top); });
    return static_cast<V>(top + std::log(sum));
  }
  if constexpr (floats) {
    double r = kind == Kind::kProd ? 1 : 0;
    each([&](V x) {
      if (kind == Kind::kProd) {
        r *= x;
      } else if (kind == Kind::kL2 || kind == Kind::kSumSquare) {
        r += x * x;
      } else {
        r += kind == Kind::kL1 ? std::fabs(x) : x;
      }
    });
    return kind == Kind::kMean     ? r / static_cast<double>(count)
           : kind == Kind::kL2     ? std::sqrt(r)
           : kind == Kind::kLogSum ? std::log(r)
                                   : r;
  } else {
    std::int64_t r = kind == Kind::kProd ? 1 : 0;
    each([&](V v) {
      auto x = static_cast<std::int64_t>(v);
      if (kind == Kind::kProd) {
        r = wrap_mul(r, x);
      } else if (kind == Kind::kL2 || kind == Kind::kSumSquare) {
        r = wrap_add(r, wrap_mul(x, x));
      } else {
        r = wrap_add(r, kind == Kind::kL1 && x < 0 ? wrap_sub(std::int64_t{0}, x) : x);
      }
    });
    if (kind == Kind::kMean) r = count > 0 ? r / count : 0;
    if (kind == Kind::kL2) r = clamp_to_int(std::sqrt(static_cast<double>(r)), 0, 0x1p62);
    return static_cast<V>(r);
  }
}

Status run_kind(ReferenceContext& ctx, Kind kind) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const std::vector<int> axes = reduced::axes_now(ctx);
  Space kept, along;
  for (int i = 0; i < x.rank; ++i) (reduced::contains(axes, i) ? along : kept).add(x.dims[i], x.strides[i]);
  std::int64_t at = 0, count = count_of(along.extents);
  const bool limits = (kind == Kind::kMax || kind == Kind::kMin) && is_int(x.dtype) && bits_of(x.dtype) >= 8;
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    using V = typename E::Value;
    walk<1>(ctx, kept.extents, {kept.strides}, [&](const auto& base) {
      // The least and the greatest value of a dtype.
      if (count == 0 && limits) return store_f64(y, at++, kind == Kind::kMax ? -INFINITY : INFINITY);
      E::store(y, at++, reduce<V>(kind, count, [&](auto use) {
                 walk<1>(ctx, along.extents, {along.strides}, [&](const auto& k) { use(E::load(x, base[0] + k[0])); });
               }));
    });
  });
  return {};
}

ValueId reduce_with(Builder& b, const Node& node, std::string_view op, ValueId x, bool keep) {
  std::vector<ValueId> inputs = {x};
  if (node.inputs.size() > 1) inputs.push_back(node.inputs[1]);
  return b.add(op, inputs,
               {{"keepdims", std::int64_t{keep}},
                {"noop_with_empty_axes", attr_int(*node.op, node.attrs, "noop_with_empty_axes")}});
}

Result<std::vector<ValueId>> decompose_kind(Builder& b, const Node& node, Kind kind) {
  ValueId x = node.inputs[0];
  bool keep = attr_int(*node.op, node.attrs, "keepdims") != 0;
  if (!is_float(b.dtype(x)) && kind == Kind::kL2) return unsupported("reduce_l2 of integers has no decomposition");
  switch (kind) {
    case Kind::kL1:
      return std::vector{reduce_with(b, node, "reduce_sum", b.add("abs", {x}), keep)};
    case Kind::kL2:
      return std::vector{b.add("sqrt", {reduce_with(b, node, "reduce_sum", b.add("mul", {x, x}), keep)})};
    case Kind::kLogSum:
      return std::vector{b.add("log", {reduce_with(b, node, "reduce_sum", x, keep)})};
    case Kind::kSumSquare:
      return std::vector{reduce_with(b, node, "reduce_sum", b.add("mul", {x, x}), keep)};
    default:
      break;
  }
  // log(sum(exp(x))) = top + log(sum(exp(x - top))), with 0 for an infinite top.
  auto finite = [&](ValueId top) { return b.add("where", {b.add("is_inf", {top}), b.scalar(0, b.dtype(x)), top}); };
  ValueId top = finite(reduce_with(b, node, "reduce_max", x, true));
  ValueId sum = reduce_with(b, node, "reduce_sum", b.add("exp", {b.add("sub", {x, top})}), keep);
  if (!keep) top = finite(reduce_with(b, node, "reduce_max", x, false));
  return std::vector{b.add("add", {top, b.add("log", {sum})})};
}

}  // namespace

#define MOTE_REDUCE(name_, kind, doc_text)                                    \
  MOTE_DEFINE_OP(reduce_##name_) = {                                          \
      .name = "reduce_" #name_,                                               \
      .doc = doc_text,                                                        \
      .inputs = kInputs,                                                      \
      .outputs = kOutputs,                                                    \
      .attrs = kAttrs,                                                        \
      .infer = [](InferContext& ctx) { return infer_kind(ctx, Kind::kind); }, \
      .shape_operands = 1u << 1,                                              \
  };                                                                          \
  MOTE_DEFINE_REFERENCE(reduce_##name_) = [](ReferenceContext& ctx) { return run_kind(ctx, Kind::kind); };
#define MOTE_REDUCE_COMPOSED(name_, kind, doc_text)                              \
  MOTE_REDUCE(name_, kind, doc_text)                                             \
  MOTE_DEFINE_DECOMPOSITION(reduce_##name_) = [](Builder& b, const Node& node) { \
    return decompose_kind(b, node, Kind::kind);                                  \
  };

MOTE_REDUCE_COMPOSED(l1, kL1, "The sum of the absolute values; of nothing: 0.")
MOTE_REDUCE_COMPOSED(l2, kL2, "The square root of the sum of the squares; of nothing: 0.")
MOTE_REDUCE_COMPOSED(log_sum, kLogSum, "The logarithm of the sum; of nothing: minus infinity.")
MOTE_REDUCE_COMPOSED(log_sum_exp, kLogSumExp, "log(sum(exp(x))), safe for large x; of nothing: minus infinity.")
MOTE_REDUCE(max, kMax, "The largest element, NaN if there is one; of nothing: the least value of the dtype.")
MOTE_REDUCE(mean, kMean, "The mean; integers truncate; of nothing: NaN, or 0 for integers.")
MOTE_REDUCE(min, kMin, "The smallest element, NaN if there is one; of nothing: the largest value of the dtype.")
MOTE_REDUCE(prod, kProd, "The product; of nothing: 1.")
MOTE_REDUCE(sum, kSum, "The sum; of nothing: 0.")
MOTE_REDUCE_COMPOSED(sum_square, kSumSquare, "The sum of the squares; of nothing: 0.")
#undef MOTE_REDUCE_COMPOSED
#undef MOTE_REDUCE

}  // namespace mote
