// detection_post_process: what a single-shot detector's heads say, as boxes: anchors are moved by the encodings, boxes
// that overlap better ones are dropped.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"encodings", "f32 [1, anchors, 4 or more]: y, x, height, width, relative to the anchor"},
                            {"scores", "f32 [1, anchors, classes, or one more: a background in front]"},
                            {"anchors", "f32 [anchors, 4]: y, x, height, width"}};
constexpr Slot kOutputs[] = {
    {"boxes", "f32 [1, n, 4]: top, left, bottom, right, the best first; zeros behind the last"},
    {"classes", "f32 [1, n]"},
    {"confidences", "f32 [1, n]"},
    {"count", "f32 [1]"}};
constexpr AttrSpec kAttrs[] = {
    {"detections_per_class", AttrKind::kInt, "100", "with use_regular_nms: boxes kept of one class"},
    {"h_scale", AttrKind::kFloat, "1.0", "what encoded heights are divided by"},
    {"max_classes_per_detection", AttrKind::kInt, "1", "without use_regular_nms: classes given for one box"},
    {"max_detections", AttrKind::kInt, "", "boxes kept", true},
    {"nms_iou_threshold", AttrKind::kFloat, "0.5", "boxes that overlap a better one by more are dropped"},
    {"nms_score_threshold", AttrKind::kFloat, "0.0", "boxes of smaller scores are dropped"},
    {"num_classes", AttrKind::kInt, "", "classes without the background", true},
    {"use_regular_nms", AttrKind::kInt, "0", "1: every class for itself, 0: by each box's best class"},
    {"w_scale", AttrKind::kFloat, "1.0", "what encoded widths are divided by"},
    {"x_scale", AttrKind::kFloat, "1.0", "what encoded columns are divided by"},
    {"y_scale", AttrKind::kFloat, "1.0", "what encoded rows are divided by"}};

constexpr std::int64_t kMost = 1 << 20;

Status infer(InferContext& ctx) {
  for (int i : {0, 1, 2}) {
    if (ctx.dtype(i) != DType::f32 && ctx.dtype(i) != DType::none)
      return ctx.error("encodings, scores and anchors are f32");
    MOTE_TRY(check_rank(ctx, i, i == 2 ? 2 : 3, i == 2 ? 2 : 3));
  }
  std::int64_t most = ctx.attr_int("max_detections"), classes = ctx.attr_int("max_classes_per_detection");
  if (most < 0 || most > kMost || classes < 1 || classes > kMost || ctx.attr_int("num_classes") < 1) {
    return ctx.error("max_detections, max_classes_per_detection or num_classes is out of range");
  }
  std::int64_t n = most * (ctx.attr_int("use_regular_nms") != 0 ? 1 : classes);
  if (n > kMost) return ctx.error("max_detections: is out of range");
  const Shape shapes[] = {{1, Dim(n), 4}, {1, Dim(n)}, {1, Dim(n)}, {1}};
  for (int i = 0; i < 4 && i < ctx.outputs(); ++i) ctx.output(i, DType::f32, shapes[i]);
  return {};
}

struct Box {
  float top, left, bottom, right;
};

float overlap(const Box& a, const Box& b) {
  float area_a = (a.bottom - a.top) * (a.right - a.left), area_b = (b.bottom - b.top) * (b.right - b.left);
  if (!(area_a > 0) || !(area_b > 0)) return 0;
  float height = std::max(std::min(a.bottom, b.bottom) - std::max(a.top, b.top), 0.0f);
  float width = std::max(std::min(a.right, b.right) - std::max(a.left, b.left), 0.0f);
  return height * width / (area_a + area_b - height * width);
}

class Detections {
 public:
  explicit Detections(ReferenceContext& ctx)
      : ctx_(ctx), classes_(ctx.attr_int("num_classes")), most_(ctx.attr_int("max_detections")) {}

  Status decode() {
    const TensorView &e = ctx_.in(0), &s = ctx_.in(1), &a = ctx_.in(2);
    count_ = a.dims[0];
    columns_ = s.dims[2];
    offset_ = columns_ - classes_;
    if (e.dims[0] != 1 || s.dims[0] != 1 || e.dims[1] != count_ || s.dims[1] != count_ || e.dims[2] < 4 ||
        a.dims[1] != 4 || offset_ < 0 || offset_ > 1) {
      return invalid("encodings, scores and anchors do not belong together");
    }
    auto scale = [&](std::string_view n) { return static_cast<float>(ctx_.attr_float(n)); };
    float ys = scale("y_scale"), xs = scale("x_scale"), hs = scale("h_scale"), ws = scale("w_scale");
    for (std::int64_t i : ctx_.range(count_, 8)) {
      const float *c = e.as<float>() + i * e.dims[2], *at = a.as<float>() + 4 * i;
      float y = c[0] / ys * at[2] + at[0], x = c[1] / xs * at[3] + at[1];
      float h = 0.5f * std::exp(c[2] / hs) * at[2], w = 0.5f * std::exp(c[3] / ws) * at[3];
      boxes_.push_back({y - h, x - w, y + h, x + w});
    }
    boxes_.resize(at(count_));
    return {};
  }

  float score(std::int64_t box, std::int64_t c) const { return ctx_.in(1).as<float>()[box * columns_ + offset_ + c]; }

  // The boxes that stay, by decreasing score; of equal ones the first first.
  std::vector<std::int64_t> suppress(const std::vector<float>& scores, std::int64_t most) {
    std::vector<std::int64_t> order, kept;
    float least = static_cast<float>(ctx_.attr_float("nms_score_threshold")),
          most_shared = static_cast<float>(ctx_.attr_float("nms_iou_threshold"));
    for (std::int64_t i : ctx_.range(count_)) {
      if (scores[at(i)] >= least) order.push_back(i);
    }
    sort_stable(ctx_, std::span(order), [&](auto a, auto b) { return scores[at(a)] > scores[at(b)]; });
    for (std::size_t o : ctx_.range(order.size())) {
      const Box& box = boxes_[at(order[o])];
      if (static_cast<std::int64_t>(kept.size()) >= most) break;
      bool covered = false;
      for (std::size_t k : ctx_.range(kept.size(), 8)) {
        covered = overlap(boxes_[at(kept[k])], box) > most_shared;
        if (covered) break;
      }
      if (!covered) kept.push_back(order[o]);
    }
    return kept;
  }

  // Calls give(box, class) for each result in order.
  template <class Give>
  void by_best_class(const Give& give) {
    std::int64_t each = std::min(ctx_.attr_int("max_classes_per_detection"), classes_);
    std::vector<float> best;
    for (std::int64_t i : ctx_.range(count_)) {
      float top = score(i, 0);
      for (std::int64_t c : ctx_.range_from(std::int64_t{1}, classes_)) top = std::max(top, score(i, c));
      best.push_back(top);
    }
    best.resize(at(count_));
    for (std::int64_t i : suppress(best, most_)) {
      std::vector<std::int64_t> order(at(classes_));
      std::iota(order.begin(), order.end(), 0);
      sort_stable(ctx_, std::span(order), [&](auto a, auto b) { return score(i, a) > score(i, b); });
      for (std::int64_t k : ctx_.range(each)) give(i, order[at(k)]);
    }
  }

  template <class Give>
  void class_by_class(const Give& give) {
    struct Found {
      std::int64_t box, c;
      float score;
    };
    std::vector<Found> found;
    for (std::int64_t c : ctx_.range(classes_)) {
      std::vector<float> scores(at(count_));
      for (std::int64_t i : ctx_.range(count_)) scores[at(i)] = score(i, c);
      for (std::int64_t i : suppress(scores, ctx_.attr_int("detections_per_class")))
        found.push_back({i, c, scores[at(i)]});
      sort_stable(ctx_, std::span(found), [](const Found& a, const Found& b) { return a.score > b.score; });
      if (static_cast<std::int64_t>(found.size()) > most_) found.resize(at(most_));
    }
    for (const Found& f : found) give(f.box, f.c);
  }

  const Box& box(std::int64_t i) const { return boxes_[at(i)]; }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  ReferenceContext& ctx_;
  std::int64_t classes_, most_, count_ = 0, columns_ = 0, offset_ = 0;
  std::vector<Box> boxes_;
};

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  for (const TensorView& v : outs) {
    if (v.data) zero(ctx, v);
  }
  Detections d(ctx);
  MOTE_TRY(d.decode());
  std::int64_t n = 0;
  auto give = [&](std::int64_t i, std::int64_t c) {
    auto put = [&](std::size_t o, std::int64_t k, float v) {
      if (o < outs.size() && outs[o].data && k < outs[o].count()) outs[o].as<float>()[k] = v;
    };
    const Box& b = d.box(i);
    const float sides[] = {b.top, b.left, b.bottom, b.right};
    for (std::int64_t s = 0; s < 4; ++s) put(0, 4 * n + s, sides[s]);
    put(1, n, static_cast<float>(c));
    put(2, n, d.score(i, c));
    ++n;
  };
  bool regular = ctx.attr_int("use_regular_nms") != 0;
  if (regular) d.class_by_class(give);
  if (!regular) d.by_best_class(give);
  std::int64_t boxes = regular ? n
                               : n / std::max<std::int64_t>(1, std::min(ctx.attr_int("max_classes_per_detection"),
                                                                        ctx.attr_int("num_classes")));
  if (outs.size() > 3 && outs[3].data) outs[3].as<float>()[0] = static_cast<float>(boxes);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(detection_post_process) = {.name = "detection_post_process",
                                          .doc = "Boxes, classes and scores from the heads of a single-shot detector.",
                                          .inputs = kInputs,
                                          .outputs = kOutputs,
                                          .attrs = kAttrs,
                                          .infer = infer};
MOTE_DEFINE_REFERENCE(detection_post_process) = run;

}  // namespace mote
