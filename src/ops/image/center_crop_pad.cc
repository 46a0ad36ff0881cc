// Cutting or zero-padding axes around their centre.
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input_data", "any tensor"}, {"shape", "i32 or i64: extents to get, one per axis listed"}};
constexpr Slot kOutputs[] = {{"output_data", "dtype of input_data; an odd element is left off, or added, at the end"}};
constexpr AttrSpec kAttrs[] = {{"axes", AttrKind::kInts, "ints:[]", "the axes that shape speaks of; empty: all"}};

Result<std::vector<int>> listed(const InferContext& ctx, int rank) {
  std::vector<std::int64_t> axes = ctx.attr_ints("axes");
  for (int i = 0; !ctx.has_attr("axes") && i < rank; ++i) axes.push_back(i);
  return normal_axes(ctx, axes, rank);
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 1, 1));
  if (!ctx.has_rank(0)) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  MOTE_ASSIGN(std::vector<int> axes, listed(ctx, ctx.rank(0)));
  const KnownValue* wanted = ctx.value(1);
  if (wanted && wanted->size() != axes.size()) return ctx.error("shape needs one value per axis");
  Shape shape = ctx.shape(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim d = wanted ? (*wanted)[i] : ctx.fresh();
    if (d.is_const() && d.value() < 0) return ctx.error("shape: negative");
    shape[static_cast<std::size_t>(axes[i])] = std::move(d);
  }
  ctx.output(0, ctx.dtype(0), std::move(shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  zero(ctx, y);
  std::int64_t to = 0;
  for_each_index(ctx, y.shape(), [&](std::span<const std::int64_t> at) {
    std::int64_t from = 0;
    bool inside = true;
    for (int a = 0; a < x.rank; ++a) {
      std::int64_t spare = x.dims[a] - y.dims[a],
                   i = at[static_cast<std::size_t>(a)] + (spare > 0 ? spare / 2 : -(-spare / 2));
      inside = inside && i >= 0 && i < x.dims[a];
      from += i * x.strides[a];
    }
    if (inside) copy_elements(x, from, y, to, 1);
    ++to;
  });
  return {};
}

}  // namespace

MOTE_DEFINE_OP(center_crop_pad) = {.name = "center_crop_pad",
                                   .doc = "Cuts or zero-pads axes around their centre.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attrs = kAttrs,
                                   .infer = infer,
                                   .shape_operands = 0b10};
MOTE_DEFINE_REFERENCE(center_crop_pad) = run;

}  // namespace mote
