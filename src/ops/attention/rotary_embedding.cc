// Rotary position embedding: pairs of features are turned by an angle that grows with the position.
#include "ops/decompose.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "[batch, heads, length, head] or [batch, length, heads * head]"},
    {"cos_cache", "[positions, turned / 2] with position_ids, else [batch, length, turned / 2]"},
    {"sin_cache", "as cos_cache"},
    {"position_ids", "i64 [batch, length]: rows of the caches", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "shape and dtype of x"}};
constexpr AttrSpec kAttrs[] = {
    {"interleaved", AttrKind::kInt, "0", "1: pairs are neighbours, 0: one from each half"},
    {"num_heads", AttrKind::kInt, "0", "heads of a 3-D x"},
    {"rotary_embedding_dim", AttrKind::kInt, "0", "how many features of each head are turned; 0: all"}};

bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  for (int i : {1, 2}) MOTE_TRY(check_same_dtype(ctx, 0, i));
  MOTE_TRY(check_dtype(ctx, 3, kInts));
  MOTE_TRY(check_rank(ctx, 0, 3, 4));
  ctx.output(0, ctx.type(0));
  if (!ctx.has_rank(0)) return {};
  const Shape& x = ctx.shape(0);
  bool packed = x.size() == 3;
  std::int64_t heads = ctx.attr_int("num_heads");
  if (packed && heads <= 0) return ctx.error("a 3-D x needs num_heads");
  if (packed && x[2].is_const() && x[2].value() % heads != 0)
    return ctx.error("num_heads does not divide the features");
  Dim head = packed ? floordiv(x[2], Dim(heads)) : x[3], length = x[packed ? 1 : 2];
  std::int64_t turned = ctx.attr_int("rotary_embedding_dim");
  if (turned < 0 || (turned > 0 && head.is_const() && turned > head.value())) {
    return ctx.error("rotary_embedding_dim: " + std::to_string(turned) + " of " + head.to_string() + " features");
  }
  Dim half = floordiv(turned > 0 ? Dim(turned) : head, Dim(2));
  for (int i : {1, 2}) {
    if (!ctx.has_rank(i)) continue;
    const Shape& c = ctx.shape(i);
    bool fits = c.size() == (ctx.has(3) ? 2u : 3u) && agree(c.back(), half) &&
                (ctx.has(3) || ((agree(c[0], x[0]) || c[0].is(1)) && agree(c[1], length)));
    if (fits && i == 2 && ctx.has_rank(1)) fits = agree(c[0], ctx.shape(1)[0]);
    if (!fits) return ctx.error("a cache of shape " + to_string(c) + " does not fit x of shape " + to_string(x));
  }
  if (ctx.has_rank(3)) {
    const Shape& p = ctx.shape(3);
    if (p.size() != 2 || !agree(p[0], x[0]) || !agree(p[1], length)) {
      return ctx.error("position_ids of shape " + to_string(p) + " does not fit x of shape " + to_string(x));
    }
  }
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &cosine = ctx.in(1), &sine = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  bool packed = x.rank == 3, interleaved = ctx.attr_int("interleaved") != 0;
  std::int64_t batch = x.dims[0], heads = packed ? ctx.attr_int("num_heads") : x.dims[1];
  std::int64_t length = x.dims[packed ? 1 : 2], head = packed ? x.dims[2] / heads : x.dims[3];
  std::int64_t turned = ctx.attr_int("rotary_embedding_dim") ? ctx.attr_int("rotary_embedding_dim") : head;
  std::int64_t half = turned / 2;
  copy_elements(ctx, x, 0, y, 0, x.count());
  for (std::int64_t b : ctx.range(batch)) {
    for (std::int64_t l : ctx.range(length)) {
      std::int64_t row = (cosine.dims[0] == 1 && !ctx.has(3) ? 0 : b * length) + l;
      if (ctx.has(3)) {
        MOTE_ASSIGN(row,
                    checked_index("position_ids", b * length + l, load_i64(ctx.in(3), b * length + l), cosine.dims[0]));
      }
      for (std::int64_t h : ctx.range(heads)) {
        std::int64_t at = packed ? ((b * length + l) * heads + h) * head : ((b * heads + h) * length + l) * head;
        for (std::int64_t k : ctx.range(half)) {
          std::int64_t i = at + (interleaved ? 2 * k : k), j = interleaved ? i + 1 : i + half;
          double c = load_f64(cosine, row * half + k), s = load_f64(sine, row * half + k);
          double a = load_f64(x, i), d = load_f64(x, j);
          store_f64(y, i, c * a - s * d);
          store_f64(y, j, s * a + c * d);
        }
      }
    }
  }
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("rotary_embedding of a tensor of unknown rank has no decomposition");
  bool packed = b.rank(x) == 3, interleaved = attr_int(*node.op, node.attrs, "interleaved") != 0;
  // [batch, heads, length, head], or [batch, length, heads, head] for a 3-D x.
  ValueId heads = packed ? b.add("reshape", {x, b.ints({0, 0, attr_int(*node.op, node.attrs, "num_heads"), -1})}) : x;
  if (!b.status().ok()) return b.status();
  const Dim& head = b.shape(heads)[3];
  if (!head.is_const()) return unsupported("rotary_embedding over an unknown head size has no decomposition");
  std::int64_t turned = attr_int(*node.op, node.attrs, "rotary_embedding_dim");
  if (turned == 0) turned = head.value();
  auto slice = [&](ValueId v, std::int64_t from, std::int64_t to, std::int64_t step) {
    return b.add("slice", {v, b.ints({from}), b.ints({to}), b.ints({3}), b.ints({step})});
  };
  auto cache = [&](int i) {
    ValueId c = node.inputs[static_cast<std::size_t>(i)];
    bool by_position = node.inputs.size() > 3 && node.inputs[3] != kNone;
    if (by_position) c = b.add("gather", {c, node.inputs[3]}, {{"axis", std::int64_t{0}}});
    return b.add("unsqueeze", {c, b.ints({packed ? 2 : 1})});
  };
  ValueId cosine = cache(1), sine = cache(2);
  ValueId first = interleaved ? slice(heads, 0, turned, 2) : slice(heads, 0, turned / 2, 1);
  ValueId second = interleaved ? slice(heads, 1, turned, 2) : slice(heads, turned / 2, turned, 1);
  ValueId real = b.add("sub", {b.add("mul", {first, cosine}), b.add("mul", {second, sine})});
  ValueId imaginary = b.add("add", {b.add("mul", {first, sine}), b.add("mul", {second, cosine})});
  ValueId y;
  if (interleaved) {
    ValueId pair =
        b.add("concat", {b.add("unsqueeze", {real, b.ints({4})}), b.add("unsqueeze", {imaginary, b.ints({4})})},
              {{"axis", std::int64_t{4}}});
    y = b.add("reshape", {pair, b.ints({0, 0, 0, -1})});
  } else {
    y = b.add("concat", {real, imaginary}, {{"axis", std::int64_t{3}}});
  }
  if (turned < head.value()) {
    y = b.add("concat", {y, slice(heads, turned, head.value(), 1)}, {{"axis", std::int64_t{3}}});
  }
  return std::vector{packed ? b.add("reshape", {y, b.ints({0, 0, -1})}) : y};
}

}  // namespace

MOTE_DEFINE_OP(rotary_embedding) = {.name = "rotary_embedding",
                                    .doc = "Turns pairs of features by angles that grow with the position.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attrs = kAttrs,
                                    .infer = infer};
MOTE_DEFINE_REFERENCE(rotary_embedding) = run;
MOTE_DEFINE_DECOMPOSITION(rotary_embedding) = decompose;

}  // namespace mote
