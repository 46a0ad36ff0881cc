// Greedy choice of boxes by score, where overlap with a chosen box lowers a score before it forbids the box. Bodla et
// al., Soft-NMS, 2017; a candidate whose score fell goes back among the others.
#include <algorithm>
#include <cmath>
#include <queue>

#include "ops/check_one.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

enum Input : int { kBoxes, kScores, kMost, kOverlap, kLeast, kSigma };

constexpr Slot kInputs[] = {
    {"boxes", "f32 [boxes, 4]: two opposite corners y, x, y, x"},
    {"scores", "f32 [boxes]"},
    {"max_output_size", "one integer: the extent of the results"},
    {"iou_threshold", "f32: boxes that overlap a chosen one by as much or more are left out"},
    {"score_threshold", "f32: only boxes with a higher score"},
    {"soft_nms_sigma", "f32: scores fall by exp(-iou^2 / (2 sigma)); absent or 0: they do not", Arity::kOptional}};
constexpr Slot kOutputs[] = {
    {"selected_indices", "i64 [max_output_size], in the order of choice, equal scores by index; 0 behind the last one"},
    {"selected_scores", "f32 [max_output_size], as they were when chosen; 0 behind the last one"},
    {"valid_outputs", "i64 scalar, how many were chosen"}};

Status infer(InferContext& ctx) {
  for (int i : {kBoxes, kScores, kOverlap, kLeast, kSigma}) MOTE_TRY(check_dtype(ctx, i, kFloats));
  MOTE_TRY(check_dtype(ctx, kMost, kInts));
  for (int i : {kMost, kOverlap, kLeast, kSigma}) MOTE_TRY(check_one(ctx, i));
  MOTE_TRY(check_rank(ctx, kBoxes, 2, 2));
  MOTE_TRY(check_rank(ctx, kScores, 1, 1));
  if (ctx.has_rank(kBoxes)) {
    const Shape& boxes = ctx.shape(kBoxes);
    if (boxes[1].is_const() && !boxes[1].is(4)) return ctx.error("a box needs 4 values");
    if (ctx.has_rank(kScores) && boxes[0].is_const() && ctx.shape(kScores)[0].is_const() &&
        !(boxes[0] == ctx.shape(kScores)[0])) {
      return ctx.error("there are " + ctx.shape(kScores)[0].to_string() + " scores for " + boxes[0].to_string() +
                       " boxes");
    }
  }
  const KnownValue* most = ctx.value(kMost);
  Dim extent = most && most->size() == 1 ? (*most)[0] : ctx.fresh();
  if (extent.is_const() && extent.value() < 0) return ctx.error("max_output_size is negative");
  ctx.output(0, DType::i64, {extent});
  ctx.output(1, DType::f32, {extent});
  ctx.output(2, DType::i64, {});
  return {};
}

struct Candidate {
  float score;
  std::int64_t box;
  std::size_t seen;  // how many of the chosen ones it was compared with
  bool operator<(const Candidate& o) const { return score != o.score ? score < o.score : box > o.box; }
};

float overlap(const TensorView& boxes, std::int64_t i, std::int64_t j) {
  auto side = [&](std::int64_t box, int axis, bool high) {
    float a = static_cast<float>(load_f64(boxes, box * 4 + axis)),
          b = static_cast<float>(load_f64(boxes, box * 4 + axis + 2));
    return high ? std::max(a, b) : std::min(a, b);
  };
  auto area = [&](std::int64_t box) {
    return (side(box, 0, true) - side(box, 0, false)) * (side(box, 1, true) - side(box, 1, false));
  };
  float a = area(i), b = area(j);
  if (!(a > 0) || !(b > 0)) return 0;
  float common = 1;
  for (int axis : {0, 1}) {
    float from = std::max(side(i, axis, false), side(j, axis, false)),
          to = std::min(side(i, axis, true), side(j, axis, true));
    common *= std::max(to - from, 0.0f);
  }
  return common / (a + b - common);
}

Status run(ReferenceContext& ctx) {
  const TensorView &boxes = ctx.in(kBoxes), &scores = ctx.in(kScores);
  MOTE_ASSIGN(std::vector<TensorView> out, infer_outs(ctx));
  auto number = [&](int i) { return ctx.has(i) ? static_cast<float>(load_f64(ctx.in(i), 0)) : 0.0f; };
  float threshold = number(kOverlap), least = number(kLeast), sigma = number(kSigma);
  auto most = static_cast<std::size_t>(std::max<std::int64_t>(load_i64(ctx.in(kMost), 0), 0));
  std::priority_queue<Candidate> waiting;
  for (std::int64_t i : ctx.range(boxes.dims[0])) {
    auto score = static_cast<float>(load_f64(scores, i));
    if (score > least) waiting.push({score, i, 0});
  }
  std::vector<Candidate> chosen;
  while (chosen.size() < most && !waiting.empty() && ctx.spend(16)) {
    Candidate c = waiting.top();
    waiting.pop();
    float before = c.score;
    bool free = true;
    for (std::size_t k = chosen.size(); k-- > c.seen && free && c.score > least && ctx.spend(16);) {
      float iou = overlap(boxes, c.box, chosen[k].box);
      free = iou < threshold;
      if (free && sigma > 0) c.score *= std::exp(-0.5f / sigma * iou * iou);
    }
    c.seen = chosen.size();
    if (!free || !(c.score > least)) continue;
    if (c.score == before) {
      chosen.push_back(c);
    } else {
      waiting.push(c);
    }
  }
  for (const TensorView& v : out) {
    if (v.data) zero(ctx, v);
  }
  for (std::size_t i : ctx.range(chosen.size())) {
    if (out[0].data) store_i64(out[0], static_cast<std::int64_t>(i), chosen[i].box);
    if (out[1].data) store_f64(out[1], static_cast<std::int64_t>(i), static_cast<double>(chosen[i].score));
  }
  if (out[2].data) store_i64(out[2], 0, static_cast<std::int64_t>(chosen.size()));
  return {};
}

}  // namespace

MOTE_DEFINE_OP(soft_non_max_suppression) = {
    .name = "soft_non_max_suppression",
    .doc = "Chooses boxes by falling score; overlap with a chosen box lowers the scores of others, or leaves them out.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .infer = infer,
    .shape_operands = 0b100};
MOTE_DEFINE_REFERENCE(soft_non_max_suppression) = run;

}  // namespace mote
