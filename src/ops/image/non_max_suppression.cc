// Greedy choice of boxes by score, leaving out those that overlap a chosen one.
#include <algorithm>

#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

enum Input : int { kBoxes, kScores, kMost, kOverlap, kLeast };

constexpr Slot kInputs[] = {
    {"boxes", "f32 [batch, boxes, 4]"},
    {"scores", "f32 [batch, classes, boxes]"},
    {"max_output_boxes_per_class", "i64: the most boxes per class and image; default 0", Arity::kOptional},
    {"iou_threshold", "f32: boxes that overlap a chosen one by more are left out; default 0", Arity::kOptional},
    {"score_threshold", "f32: only boxes with a higher score", Arity::kOptional}};
constexpr Slot kOutputs[] = {
    {"selected_indices", "i64 [chosen, 3]: image, class, box; by falling score, equal scores by box, in every class"}};
constexpr AttrSpec kAttrs[] = {{"center_point_box", AttrKind::kInt, "0",
                                "a box is two corners y1, x1, y2, x2 (0), or x, y of its centre, width, height (1)"}};

bool agree(const Dim& a, const Dim& b) { return !a.is_const() || !b.is_const() || a == b; }

Status infer(InferContext& ctx) {
  for (int i : {kBoxes, kScores, kOverlap, kLeast}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_dtype(ctx, kMost, kInts));
  for (int i : {kBoxes, kScores}) MOTE_TRY(check_rank(ctx, i, 3, 3));
  for (int i : {kMost, kOverlap, kLeast}) {
    if (ctx.has_rank(i) && !agree(volume(ctx.shape(i)), 1)) return ctx.error("a limit needs one value");
  }
  if (ctx.has_rank(kBoxes) && !agree(ctx.shape(kBoxes)[2], 4)) return ctx.error("a box needs 4 values");
  if (ctx.has_rank(kBoxes) && ctx.has_rank(kScores) &&
      (!agree(ctx.shape(kBoxes)[0], ctx.shape(kScores)[0]) || !agree(ctx.shape(kBoxes)[1], ctx.shape(kScores)[2]))) {
    return ctx.error("boxes " + to_string(ctx.shape(kBoxes)) + " and scores " + to_string(ctx.shape(kScores)) +
                     " do not fit each other");
  }
  ctx.output(0, DType::i64, {ctx.fresh(), 3});
  return {};
}

struct Box {
  float x0, y0, x1, y1;
  float area() const { return (x1 - x0) * (y1 - y0); }
};

Box box_at(const TensorView& boxes, std::int64_t at, bool centre) {
  float v[4];
  for (int k = 0; k < 4; ++k) v[k] = static_cast<float>(load_f64(boxes, at * 4 + k));
  if (centre) return {v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  return {std::min(v[1], v[3]), std::min(v[0], v[2]), std::max(v[1], v[3]), std::max(v[0], v[2])};
}

bool overlaps(const Box& a, const Box& b, float threshold) {
  float w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (!(w > 0 && h > 0)) return false;
  float common = w * h, all = a.area() + b.area() - common;
  return a.area() > 0 && b.area() > 0 && all > 0 && common / all > threshold;
}

Status run(ReferenceContext& ctx) {
  const TensorView &boxes = ctx.in(kBoxes), &scores = ctx.in(kScores);
  MOTE_TRY(infer_now(ctx).status());
  std::int64_t most = ctx.has(kMost) ? std::max<std::int64_t>(load_i64(ctx.in(kMost), 0), 0) : 0;
  float threshold = ctx.has(kOverlap) ? static_cast<float>(load_f64(ctx.in(kOverlap), 0)) : 0;
  bool centre = ctx.attr_int("center_point_box") != 0;
  std::int64_t count = boxes.dims[1], classes = scores.dims[1];
  std::vector<std::int64_t> chosen, order;
  std::vector<Box> kept;
  for (std::int64_t b : ctx.range(boxes.dims[0])) {
    for (std::int64_t c : ctx.range(classes)) {
      auto score = [&](std::int64_t i) { return load_f64(scores, (b * classes + c) * count + i); };
      order.clear();
      for (std::int64_t i : ctx.range(count)) {
        bool counts = ctx.has(kLeast) ? score(i) > load_f64(ctx.in(kLeast), 0) : !std::isnan(score(i));
        if (counts) order.push_back(i);
      }
      sort_stable(ctx, std::span(order), [&](std::int64_t i, std::int64_t j) { return score(i) > score(j); });
      kept.clear();
      for (std::size_t o : ctx.range(order.size())) {
        if (static_cast<std::int64_t>(kept.size()) >= most) break;
        Box box = box_at(boxes, b * count + order[o], centre);
        bool free = true;
        for (std::size_t k : ctx.range(kept.size(), 8)) {
          free = !overlaps(box, kept[k], threshold);
          if (!free) break;
        }
        if (!free) continue;
        kept.push_back(box);
        chosen.insert(chosen.end(), {b, c, order[o]});
      }
    }
  }
  const std::int64_t shape[] = {static_cast<std::int64_t>(chosen.size() / 3), 3};
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, shape));
  for (std::size_t i : ctx.range(chosen.size())) y.as<std::int64_t>()[i] = chosen[i];
  return {};
}

}  // namespace

MOTE_DEFINE_OP(non_max_suppression) = {
    .name = "non_max_suppression",
    .doc = "Chooses boxes by falling score, leaving out those that overlap a chosen one.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer,
    .flags = kDataDependent};
MOTE_DEFINE_REFERENCE(non_max_suppression) = run;

}  // namespace mote
