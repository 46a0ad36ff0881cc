// Maxima of the bins of regions of interest, on whole pixels.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "[N, C, H, W]"}, {"rois", "[regions, 5]: image, x1, y1, x2, y2"}};
constexpr Slot kOutputs[] = {{"y", "[regions, C, pooled_shape]; 0 where a bin has no pixel"}};
constexpr AttrSpec kAttrs[] = {{"pooled_shape", AttrKind::kInts, "", "bins down and across", true},
                               {"spatial_scale", AttrKind::kFloat, "1.0", "from the scale of rois to that of x"}};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 4, 4));
  MOTE_TRY(check_rank(ctx, 1, 2, 2));
  std::vector<std::int64_t> pooled = ctx.attr_ints("pooled_shape");
  if (pooled.size() != 2 || pooled[0] <= 0 || pooled[1] <= 0) return ctx.error("pooled_shape needs two extents");
  if (ctx.has_rank(1) && ctx.shape(1)[1].is_const() && !ctx.shape(1)[1].is(5)) return ctx.error("rois needs 5 columns");
  ctx.output(0, ctx.dtype(0),
             {ctx.has_rank(1) ? ctx.shape(1)[0] : ctx.fresh(), ctx.has_rank(0) ? ctx.shape(0)[1] : ctx.fresh(),
              pooled[0], pooled[1]});
  return {};
}

struct Range {
  std::int64_t begin, end;
};

// Pixels of bin i of n over the region [from, to], cut to [0, limit).
Range bin_of(double from, double to, std::int64_t i, std::int64_t n, std::int64_t limit) {
  double size = std::fmax(to - from + 1, 1) / static_cast<double>(n), bound = static_cast<double>(limit);
  auto cut = [&](double v) { return static_cast<std::int64_t>(std::fmin(std::fmax(v, 0), bound)); };
  return {cut(from + std::floor(static_cast<double>(i) * size)),
          cut(from + std::ceil(static_cast<double>(i + 1) * size))};
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &rois = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  double scale = ctx.attr_float("spatial_scale");
  std::int64_t to = 0;
  for (std::int64_t r : ctx.range(y.dims[0])) {
    double image = load_f64(rois, r * 5), corner[4];
    if (!(image >= 0 && image < static_cast<double>(x.dims[0]))) {
      return Status(Code::kOutOfRange, "max_roi_pool: region " + std::to_string(r) + " names no image");
    }
    for (int k = 0; k < 4; ++k) corner[k] = std::round(load_f64(rois, r * 5 + 1 + k) * scale);
    for (std::int64_t c : ctx.range(x.dims[1])) {
      std::int64_t plane = static_cast<std::int64_t>(image) * x.strides[0] + c * x.strides[1];
      for (std::int64_t ph : ctx.range(y.dims[2])) {
        Range rows = bin_of(corner[1], corner[3], ph, y.dims[2], x.dims[2]);
        for (std::int64_t pw : ctx.range(y.dims[3])) {
          Range columns = bin_of(corner[0], corner[2], pw, y.dims[3], x.dims[3]);
          double top = rows.begin < rows.end && columns.begin < columns.end ? -INFINITY : 0;
          for (std::int64_t i : ctx.range_from<std::int64_t>(rows.begin, rows.end)) {
            for (std::int64_t j : ctx.range_from<std::int64_t>(columns.begin, columns.end)) {
              top = std::fmax(top, load_f64(x, plane + i * x.strides[2] + j));
            }
          }
          store_f64(y, to++, top);
        }
      }
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(max_roi_pool) = {.name = "max_roi_pool",
                                .doc = "The maxima of the bins of regions of interest.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attrs = kAttrs,
                                .infer = infer};
MOTE_DEFINE_REFERENCE(max_roi_pool) = run;

}  // namespace mote
