// Pooling of regions of interest, at interpolated positions.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr double kMaxSamples = 4096;  // per axis of a bin

constexpr Slot kInputs[] = {{"x", "[N, C, H, W]"},
                            {"rois", "[regions, 4]: x1, y1, x2, y2 in the scale of the input image"},
                            {"batch_indices", "i64 [regions]: the image of each"}};
constexpr Slot kOutputs[] = {{"y", "[regions, C, output_height, output_width]"}};
constexpr AttrSpec kAttrs[] = {
    {"coordinate_transformation_mode", AttrKind::kString, "\"half_pixel\"",
     "half_pixel shifts the regions by half a pixel, output_half_pixel does not"},
    {"mode", AttrKind::kString, "\"avg\"", "avg, or max of the weighted neighbours of all samples"},
    {"output_height", AttrKind::kInt, "1", "bins down"},
    {"output_width", AttrKind::kInt, "1", "bins across"},
    {"sampling_ratio", AttrKind::kInt, "0", "samples per bin and axis; 0: as many as pixels"},
    {"spatial_scale", AttrKind::kFloat, "1.0", "from the scale of rois to that of x"}};

Status infer(InferContext& ctx) {
  for (int i : {0, 1}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_dtype(ctx, 2, kInts));
  MOTE_TRY(check_rank(ctx, 0, 4, 4));
  MOTE_TRY(check_rank(ctx, 1, 2, 2));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  std::string mode = ctx.attr_string("mode"), shift = ctx.attr_string("coordinate_transformation_mode");
  if (mode != "avg" && mode != "max") return ctx.error("mode: '" + mode + "' is not avg or max");
  if (shift != "half_pixel" && shift != "output_half_pixel") {
    return ctx.error("coordinate_transformation_mode: '" + shift + "' is not known");
  }
  std::int64_t h = ctx.attr_int("output_height"), w = ctx.attr_int("output_width");
  if (h <= 0 || w <= 0) return ctx.error("the output is empty");
  if (ctx.has_rank(1) && ctx.shape(1)[1].is_const() && !ctx.shape(1)[1].is(4)) return ctx.error("rois needs 4 columns");
  Dim regions = ctx.has_rank(1) ? ctx.shape(1)[0] : ctx.has_rank(2) ? ctx.shape(2)[0] : ctx.fresh();
  if (ctx.has_rank(2) && ctx.shape(2)[0].is_const() && regions.is_const() && !(ctx.shape(2)[0] == regions)) {
    return ctx.error("rois and batch_indices differ in length");
  }
  ctx.output(0, ctx.dtype(0), {regions, ctx.has_rank(0) ? ctx.shape(0)[1] : ctx.fresh(), h, w});
  return {};
}

// The four neighbours of a position and their weights; all weights are 0 outside the image.
struct Sample {
  std::int64_t at[4] = {};
  double weight[4] = {};
};

Sample sample_at(double y, double x, std::int64_t height, std::int64_t width) {
  Sample s;
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return s;
  auto split = [](double v, std::int64_t n, std::int64_t& low, std::int64_t& high) {
    v = std::fmax(v, 0);
    low = std::min(static_cast<std::int64_t>(v), n - 1);
    high = std::min(low + 1, n - 1);
    return low == n - 1 ? 0 : v - static_cast<double>(low);
  };
  std::int64_t y0, y1, x0, x1;
  double fy = split(y, height, y0, y1), fx = split(x, width, x0, x1);
  s = {{y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1},
       {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx}};
  return s;
}

Status run(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &rois = ctx.in(1), &indices = ctx.in(2);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  MOTE_ASSIGN(auto xs, widen(ctx, x));
  bool half = ctx.attr_string("coordinate_transformation_mode") == "half_pixel",
       mean = ctx.attr_string("mode") == "avg";
  double scale = ctx.attr_float("spatial_scale"), offset = half ? 0.5 : 0;
  std::int64_t ratio = ctx.attr_int("sampling_ratio"), height = x.dims[2], width = x.dims[3];
  if (xs.empty()) return y.count() == 0 ? Status() : invalid("roi_align: the image is empty");
  std::vector<Sample> samples;
  for (std::int64_t r : ctx.range(y.dims[0])) {
    std::int64_t image = load_i64(indices, r);
    if (image < 0 || image >= x.dims[0]) return out_of_range("batch_indices", r, image, 0, x.dims[0] - 1);
    double corner[4];
    for (int k = 0; k < 4; ++k) corner[k] = load_f64(rois, r * 4 + k) * scale - offset;
    double w = corner[2] - corner[0], h = corner[3] - corner[1];
    if (!half) {
      w = std::fmax(w, 1);
      h = std::fmax(h, 1);
    }
    double bin_h = h / static_cast<double>(y.dims[2]), bin_w = w / static_cast<double>(y.dims[3]);
    double down = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_h);
    double across = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_w);
    if (!(down <= kMaxSamples && across <= kMaxSamples)) {
      return Status(Code::kOutOfRange, "roi_align: region " + std::to_string(r) + " is too large to sample");
    }
    for (std::int64_t ph : ctx.range(y.dims[2])) {
      for (std::int64_t pw : ctx.range(y.dims[3])) {
        samples.clear();
        for (double iy = 0; iy < down; ++iy) {
          for (double ix = 0; ix < across && ctx.spend(8); ++ix) {
            samples.push_back(sample_at(corner[1] + (static_cast<double>(ph) + (iy + 0.5) / down) * bin_h,
                                        corner[0] + (static_cast<double>(pw) + (ix + 0.5) / across) * bin_w, height,
                                        width));
          }
        }
        for (std::int64_t c : ctx.range(x.dims[1])) {
          const double* plane = xs.data() + (image * x.dims[1] + c) * height * width;
          double sum = 0, top = -INFINITY;
          for (std::size_t i : ctx.range(samples.size(), 4)) {
            const Sample& s = samples[i];
            for (int k = 0; k < 4; ++k) {
              double v = s.weight[k] * plane[s.at[k]];
              sum += v;
              top = std::fmax(top, v);
            }
          }
          double n = static_cast<double>(std::max<std::size_t>(samples.size(), 1));
          store_f64(y, ((r * x.dims[1] + c) * y.dims[2] + ph) * y.dims[3] + pw,
                    mean              ? sum / n
                    : samples.empty() ? 0
                                      : top);
        }
      }
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(roi_align) = {.name = "roi_align",
                             .doc = "Pools regions of interest of an image into bins, sampling between pixels.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attrs = kAttrs,
                             .infer = infer};
MOTE_DEFINE_REFERENCE(roi_align) = run;

}  // namespace mote
