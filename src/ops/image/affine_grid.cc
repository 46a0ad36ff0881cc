// The coordinates at which grid_sample reads an image that an affine map has moved.
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"theta", "[N, 2, 3], or [N, 3, 4] for volumes"},
                            {"size", "i64: N, C and the spatial extents of the image to make"}};
constexpr Slot kOutputs[] = {{"grid", "[N, spatial extents, 2 or 3]: x, y (and z) in [-1, 1]"}};
constexpr AttrSpec kAttrs[] = {
    {"align_corners", AttrKind::kInt, "0", "-1 and 1 are the centres (1) or the outer edges (0) of the corner pixels"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 3, 3));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  Dim n = ctx.has_rank(0) ? ctx.shape(0)[0] : ctx.fresh();
  std::optional<std::int64_t> space;
  if (ctx.has_rank(0) && ctx.shape(0)[1].is_const()) space = ctx.shape(0)[1].value();
  const KnownValue* size = ctx.value(1);
  if (size) space = static_cast<std::int64_t>(size->size()) - 2;
  if (!space) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  if (*space != 2 && *space != 3) return ctx.error("size needs 4 or 5 values");
  if (ctx.has_rank(0)) {
    const Shape& t = ctx.shape(0);
    bool fits = (!t[1].is_const() || t[1].is(*space)) && (!t[2].is_const() || t[2].is(*space + 1));
    if (!fits) return ctx.error("theta of shape " + to_string(t) + " does not fit size");
  }
  Shape shape = {n};
  for (std::int64_t i = 0; i < *space; ++i) {
    Dim d = size ? (*size)[static_cast<std::size_t>(i + 2)] : ctx.fresh();
    if (d.is_const() && d.value() < 0) return ctx.error("size: negative");
    shape.push_back(std::move(d));
  }
  shape.emplace_back(*space);
  ctx.output(0, ctx.dtype(0), std::move(shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& theta = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  bool corners = ctx.attr_int("align_corners") != 0;
  std::int64_t space = y.dims[y.rank - 1], row = 0;
  std::vector<std::int64_t> box(y.dims, y.dims + y.rank - 1);
  const auto position = [&](std::span<const std::int64_t> at) {
    double base[4] = {0, 0, 0, 1};  // x, y, (z,) 1
    for (std::int64_t a = 0; a < space; ++a) {
      double n = static_cast<double>(y.dims[a + 1]), i = static_cast<double>(at[static_cast<std::size_t>(a) + 1]);
      base[space - 1 - a] = corners ? (n > 1 ? 2 * i / (n - 1) - 1 : 0) : (2 * i + 1) / n - 1;
    }
    base[space] = 1;
    for (std::int64_t r = 0; r < space; ++r) {
      double sum = 0;
      for (std::int64_t c = 0; c <= space; ++c) sum += load_f64(theta, (at[0] * space + r) * (space + 1) + c) * base[c];
      store_f64(y, row * space + r, sum);
    }
    ++row;
  };
  for_each_index(ctx, box, position, space * (space + 1));
  return {};
}

}  // namespace

MOTE_DEFINE_OP(affine_grid) = {.name = "affine_grid",
                               .doc = "Sampling coordinates for an affine map of an image or a volume.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attrs = kAttrs,
                               .infer = infer,
                               .shape_operands = 0b10};
MOTE_DEFINE_REFERENCE(affine_grid) = run;

}  // namespace mote
