// Elements moved or masked in fixed patterns: depth_to_space, space_to_depth, reverse_sequence, trilu.
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/extents.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kBlockInputs[] = {{"input", "[n, c, h, w]"}};
constexpr Slot kDepthOutputs[] = {{"output", "[n, c / (b b), h b, w b]"}};
constexpr Slot kSpaceOutputs[] = {{"output", "[n, c b b, h / b, w / b]"}};
constexpr AttrSpec kBlockAttrs[] = {
    {"blocksize", AttrKind::kInt, "", "b, the side of a block", true},
    {"mode", AttrKind::kString, "\"DCR\"",
     "order within the depth: \"DCR\" (row, column in the block, then channel), \"CRD\" (channel first)"},
};
constexpr Slot kReverseInputs[] = {{"input", "rank at least 2"}, {"sequence_lens", "i64 vector, one length per batch"}};
constexpr Slot kReverseOutputs[] = {{"y", "shape of the input"}};
constexpr AttrSpec kReverseAttrs[] = {{"batch_axis", AttrKind::kInt, "1", "0 or 1"},
                                      {"time_axis", AttrKind::kInt, "0", "1 or 0"}};
constexpr Slot kTriluInputs[] = {{"input", "[..., n, m]"},
                                 {"k", "i64 scalar, the diagonal to stop at; absent: 0", Arity::kOptional}};
constexpr Slot kTriluOutputs[] = {{"output", "shape of the input, zeros outside the triangle"}};
constexpr AttrSpec kTriluAttrs[] = {{"upper", AttrKind::kInt, "1", "1: keep above the diagonal, 0: below"}};

template <bool to_space>
Status infer_block(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_rank(ctx, 0, 4, 4));
  std::int64_t b = ctx.attr_int("blocksize");
  std::string mode = ctx.attr_string("mode");
  if (b < 1 || b > 65536) return ctx.error("blocksize is " + std::to_string(b));
  if (mode != "DCR" && mode != "CRD") return ctx.error("mode '" + mode + "' is not DCR or CRD");
  if (!ctx.has_rank(0)) {
    ctx.output(0, ctx.dtype(0), ctx.fresh_shape(4));
    return {};
  }
  const Shape& s = ctx.shape(0);
  for (std::size_t i = to_space ? 1 : 2; i < (to_space ? 2u : 4u); ++i) {
    std::int64_t by = to_space ? b * b : b;
    if (s[i].is_const() && s[i].value() % by != 0) {
      return ctx.error("axis " + std::to_string(i) + " of " + to_string(s) + " does not divide by " +
                       std::to_string(by));
    }
  }
  if (to_space) {
    ctx.output(0, ctx.dtype(0), {s[0], floordiv(s[1], Dim(b * b)), s[2] * Dim(b), s[3] * Dim(b)});
  } else {
    ctx.output(0, ctx.dtype(0), {s[0], s[1] * Dim(b * b), floordiv(s[2], Dim(b)), floordiv(s[3], Dim(b))});
  }
  return {};
}

// Both ways: (n, c, y, x) of the space tensor is (n, d, y / b, x / b) of the depth tensor.
template <bool to_space>
Status run_block(ReferenceContext& ctx) {
  const TensorView& in = ctx.in(0);
  MOTE_ASSIGN(TensorView out, infer_out(ctx));
  const TensorView &space = to_space ? out : in, &depth = to_space ? in : out;
  std::int64_t b = ctx.attr_int("blocksize"), channels = space.dims[1], i = 0;
  bool channel_first = ctx.attr_string("mode") == "CRD";
  for (std::int64_t n : ctx.range(space.dims[0])) {
    for (std::int64_t c : ctx.range(channels)) {
      for (std::int64_t y : ctx.range(space.dims[2])) {
        for (std::int64_t x : ctx.range(space.dims[3])) {
          std::int64_t in_block = y % b * b + x % b;
          std::int64_t d = channel_first ? c * b * b + in_block : in_block * channels + c;
          std::int64_t j = ((n * depth.dims[1] + d) * depth.dims[2] + y / b) * depth.dims[3] + x / b;
          to_space ? copy_elements(in, j, out, i, 1) : copy_elements(in, i, out, j, 1);
          ++i;
        }
      }
    }
  }
  return {};
}

template <bool to_space>
Result<std::vector<ValueId>> decompose_block(Builder& b, const Node& node) {
  ValueId x = node.inputs[0];
  if (!b.has_rank(x)) return unsupported("unknown rank");
  std::int64_t s = attr_int(*node.op, node.attrs, "blocksize");
  bool crd = attr_string(*node.op, node.attrs, "mode") == "CRD";
  using Ints = std::vector<std::int64_t>;
  std::vector<Extent> split, join;
  Ints perm;
  if (to_space) {
    Extent c = Extent::of(1, 1, s * s);
    split = crd ? std::vector<Extent>{Extent::of(0), c, {s}, {s}, Extent::of(2), Extent::of(3)}
                : std::vector<Extent>{Extent::of(0), {s}, {s}, c, Extent::of(2), Extent::of(3)};
    perm = crd ? Ints{0, 1, 4, 2, 5, 3} : Ints{0, 3, 4, 1, 5, 2};
    join = {Extent::of(0), c, Extent::of(2, s), Extent::of(3, s)};
  } else {
    Extent h = Extent::of(2, 1, s), w = Extent::of(3, 1, s);
    split = {Extent::of(0), Extent::of(1), h, {s}, w, {s}};
    perm = crd ? Ints{0, 1, 3, 5, 2, 4} : Ints{0, 3, 5, 1, 2, 4};
    join = {Extent::of(0), Extent::of(1, s * s), h, w};
  }
  ValueId y = b.add("reshape", {x, extents_of(b, x, split)}, {{"allowzero", std::int64_t{1}}});
  y = b.add("transpose", {y}, {{"perm", perm}});
  return std::vector{b.add("reshape", {y, extents_of(b, x, join)}, {{"allowzero", std::int64_t{1}}})};
}

Status infer_reverse(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 2, 1000));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  std::int64_t batch = ctx.attr_int("batch_axis"), time = ctx.attr_int("time_axis");
  if (batch < 0 || time < 0 || batch + time != 1) return ctx.error("batch_axis and time_axis are not 0 and 1");
  if (ctx.has_rank(0) && ctx.has_rank(1)) {
    const Dim &n = ctx.shape(0)[static_cast<std::size_t>(batch)], &m = ctx.shape(1)[0];
    if (n.is_const() && m.is_const() && !(n == m)) return ctx.error("sequence_lens has another length than the batch");
  }
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_reverse(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &lens = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t batch = ctx.attr_int("batch_axis"), time = ctx.attr_int("time_axis");
  std::int64_t inner = count_of(x.shape().subspan(2));
  for (std::int64_t n : ctx.range(x.dims[batch])) {
    std::int64_t len = load_i64(lens, n);
    if (len < 0 || len > x.dims[time]) return out_of_range("sequence_lens", n, len, 0, x.dims[time]);
    for (std::int64_t t : ctx.range(x.dims[time])) {
      std::int64_t from = t < len ? len - 1 - t : t;
      copy_elements(ctx, x, n * x.strides[batch] + from * x.strides[time], y,
                    n * x.strides[batch] + t * x.strides[time], inner);
    }
  }
  return {};
}

Status infer_trilu(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 2, 1000));
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_trilu(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  bool upper = ctx.attr_int("upper") != 0;
  if (ctx.has(1) && ctx.in(1).count() != 1) return invalid("trilu: k is not one element");
  std::int64_t k = ctx.has(1) ? load_i64(ctx.in(1), 0) : 0;
  std::int64_t rows = x.dims[x.rank - 2], cols = x.dims[x.rank - 1];
  zero(ctx, y);
  for (std::int64_t i : ctx.range(x.count())) {
    std::int64_t row = i / cols % rows, col = i % cols;
    // Saturated, so that any k is fine.
    std::int64_t diagonal = k > cols ? row + cols : k < -rows ? row - rows - 1 : row + k;
    if (upper ? col >= diagonal : col <= diagonal) copy_elements(x, i, y, i, 1);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(depth_to_space) = {.name = "depth_to_space",
                                  .doc = "Channels rearranged into blocks of space.",
                                  .inputs = kBlockInputs,
                                  .outputs = kDepthOutputs,
                                  .attrs = kBlockAttrs,
                                  .infer = infer_block<true>};
MOTE_DEFINE_REFERENCE(depth_to_space) = run_block<true>;
MOTE_DEFINE_DECOMPOSITION(depth_to_space) = decompose_block<true>;

MOTE_DEFINE_OP(reverse_sequence) = {.name = "reverse_sequence",
                                    .doc =
                                        "Each batch's first elements along the time axis, as many as its "
                                        "length says, in reverse order; the others as they are.",
                                    .inputs = kReverseInputs,
                                    .outputs = kReverseOutputs,
                                    .attrs = kReverseAttrs,
                                    .infer = infer_reverse};
MOTE_DEFINE_REFERENCE(reverse_sequence) = run_reverse;

MOTE_DEFINE_OP(space_to_depth) = {.name = "space_to_depth",
                                  .doc = "Blocks of space rearranged into channels.",
                                  .inputs = kBlockInputs,
                                  .outputs = kSpaceOutputs,
                                  .attrs = kBlockAttrs,
                                  .infer = infer_block<false>};
MOTE_DEFINE_REFERENCE(space_to_depth) = run_block<false>;
MOTE_DEFINE_DECOMPOSITION(space_to_depth) = decompose_block<false>;

MOTE_DEFINE_OP(trilu) = {.name = "trilu",
                         .doc = "The upper or lower triangle of each matrix, zeros elsewhere.",
                         .inputs = kTriluInputs,
                         .outputs = kTriluOutputs,
                         .attrs = kTriluAttrs,
                         .infer = infer_trilu};
MOTE_DEFINE_REFERENCE(trilu) = run_trilu;

}  // namespace mote
