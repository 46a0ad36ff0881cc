// Putting pooled maxima back where they came from.
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/nn/window.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {
    {"x", "batch, channels, and one or more spatial axes"},
    {"indices", "i64, shape of x: elements of the unpooled image in row-major order"},
    {"output_shape", "i64: all extents of the output, where they are larger", Arity::kOptional}};
constexpr Slot kOutputs[] = {{"y", "x at indices, 0 elsewhere"}};
constexpr AttrSpec kAttrs[] = {kKernelShapeAttr, kPadsAttr, kStridesAttr};

// The extents that the pool's attributes give back.
Result<Shape> unpooled(const Op& op, const Attrs& attrs, const Shape& x) {
  std::vector<std::int64_t> kernel = attr_ints(op, attrs, "kernel_shape");
  if (kernel.size() + 2 != x.size()) return invalid("kernel_shape needs one value per spatial axis");
  Shape y = x;
  std::size_t n = kernel.size();
  std::vector<std::int64_t> strides = attr_ints(op, attrs, "strides"), pads = attr_ints(op, attrs, "pads");
  if (strides.empty()) strides.assign(n, 1);
  if (pads.empty()) pads.assign(2 * n, 0);
  if (strides.size() != n || pads.size() != 2 * n) return invalid("strides and pads do not fit kernel_shape");
  for (std::size_t i = 0; i < n; ++i) {
    y[i + 2] = (x[i + 2] - 1) * strides[i] + kernel[i] - pads[i] - pads[n + i];
    if (y[i + 2].is_const() && y[i + 2].value() < 0) return invalid("pads take more than the whole output");
  }
  return y;
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  for (int i : {1, 2}) MOTE_TRY(check_dtype(ctx, i, kInts));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  auto natural = unpooled(ctx.op(), ctx.attrs(), ctx.shape(0));
  if (!natural.ok()) return ctx.error(std::string(natural.status().message()));
  if (ctx.has_rank(1)) {
    Dim a = volume(ctx.shape(0)), b = volume(ctx.shape(1));
    if (a.is_const() && b.is_const() && !(a == b)) return ctx.error("x and indices differ in shape");
  }
  Shape y = *std::move(natural);
  if (ctx.has(2)) {
    const KnownValue* stated = ctx.value(2);
    if (stated && stated->size() != y.size()) return ctx.error("output_shape needs one value per axis");
    for (std::size_t i = 0; i < y.size(); ++i) {
      Dim d = stated ? (*stated)[i] : ctx.fresh();
      if (d.is_const() && y[i].is_const() && d.value() < y[i].value()) {
        return ctx.error("output_shape: " + d.to_string() + " is smaller than the unpooled " + y[i].to_string());
      }
      y[i] = std::move(d);
    }
  }
  ctx.output(0, ctx.dtype(0), std::move(y));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(Shape natural, unpooled(ctx.op(), ctx.attrs(), Shape(x.shape().begin(), x.shape().end())));
  std::vector<std::int64_t> extents = *constant_extents(natural);
  Strides inner = dense_strides(extents);
  zero(ctx, y);
  std::int64_t count = count_of(extents);
  for (std::int64_t i : ctx.range(x.count())) {
    MOTE_ASSIGN(std::int64_t at, checked_index("indices", i, load_i64(indices, i), count));
    std::int64_t to = 0;
    for (std::size_t a = 0; a < extents.size(); ++a) to += at / inner[a] % extents[a] * y.strides[a];
    copy_elements(x, i, y, to, 1);
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(max_unpool) = {.name = "max_unpool",
                              .doc = "Puts the maxima of max_pool back where they came from.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attrs = kAttrs,
                              .infer = infer,
                              .shape_operands = 0b100};
MOTE_DEFINE_REFERENCE(max_unpool) = run;

}  // namespace mote
