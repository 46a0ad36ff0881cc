// non_zero and non_max_suppression on kernels/detect. How large the result is only the data tells, so they run as
// references do: on one thread, finding the result's extents themselves.
#include "kernels/detect/detect.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {

extern const Op op_non_zero, op_non_max_suppression;

namespace cpu {
namespace {

namespace kd = kernels::detect;

constexpr int kBoxes = 0, kScores = 1, kMost = 2, kOverlap = 3, kLeast = 4;

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  Claim c;
  if (n.node.op->name == "non_zero") {
    if (!kd::can_look(n.type(0).dtype)) return std::nullopt;
    c.kernel = "non_zero";
    c.why = "counted, then written";
    return c;
  }
  if (n.node.op->name != "non_max_suppression") return std::nullopt;
  for (int i : {kBoxes, kScores, kOverlap, kLeast}) {
    if (n.has(i) && n.type(i).dtype != DType::f32) return std::nullopt;
  }
  c.kernel = "non_max_suppression";
  c.why = "best first from a heap per class";
  return c;
}

kd::GoOn go_on(ReferenceContext& ctx) {
  return {[](void* arg, std::int64_t work) { return static_cast<ReferenceContext*>(arg)->spend(work); }, &ctx};
}

Status run_non_zero(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  if (!kd::can_look(x.dtype)) return invalid("non_zero got an operand of the wrong kind");
  std::int64_t n = 0;
  for (auto [begin, end] : ctx.pieces(x.count()))
    n += kd::count_non_zero(x.dtype, x.data + bytes_of(x.dtype, begin), end - begin);
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, std::vector<std::int64_t>{x.rank, n}));
  kd::find_non_zero(x.dtype, x.data, x.shape(), n, y.as<std::int64_t>(), go_on(ctx));
  return {};
}

template <class T>
Result<T*> room(ReferenceContext& ctx, std::int64_t count) {
  MOTE_ASSIGN(std::span<std::byte> memory, ctx.scratch(static_cast<std::size_t>(count) * sizeof(T)));
  return reinterpret_cast<T*>(memory.data());
}

Status run_suppression(ReferenceContext& ctx) {
  MOTE_TRY(infer_now(ctx).status());
  for (int i : {kBoxes, kScores, kOverlap, kLeast}) {
    if (ctx.has(i) && ctx.in(i).dtype != DType::f32)
      return invalid("non_max_suppression got an operand of the wrong kind");
  }
  const TensorView &boxes = ctx.in(kBoxes), &scores = ctx.in(kScores);
  std::int64_t batch = boxes.dims[0], classes = scores.dims[1];
  kd::SuppressParams p;
  p.n = boxes.dims[1];
  if (p.n > INT32_MAX) return unsupported("non_max_suppression of more than 2^31 boxes");
  p.most = ctx.has(kMost) ? std::max<std::int64_t>(load_i64(ctx.in(kMost), 0), 0) : 0;
  p.overlap = ctx.has(kOverlap) ? ctx.in(kOverlap).as<float>()[0] : 0;
  p.has_least = ctx.has(kLeast);
  p.least = p.has_least ? ctx.in(kLeast).as<float>()[0] : 0;
  std::int64_t most = std::min(p.n, p.most);
  MOTE_ASSIGN(float* decoded, room<float>(ctx, 5 * p.n));
  MOTE_ASSIGN(float* kept, room<float>(ctx, 5 * most));
  MOTE_ASSIGN(kd::Candidate * candidates, room<kd::Candidate>(ctx, p.n));
  MOTE_ASSIGN(std::int32_t * chosen, room<std::int32_t>(ctx, most));
  std::vector<std::int64_t> found;
  p.decoded = decoded;
  p.go_on = go_on(ctx);
  for (std::int64_t b : ctx.range(batch)) {
    kd::decode_boxes(boxes.as<float>() + b * p.n * 4, p.n, ctx.attr_int("center_point_box") != 0, decoded, p.go_on);
    for (std::int64_t c : ctx.range(classes)) {
      p.scores = scores.as<float>() + (b * classes + c) * p.n;
      std::int64_t count = kd::suppress(p, candidates, kept, chosen);
      for (std::int64_t i = 0; i < count; ++i) found.insert(found.end(), {b, c, chosen[i]});
    }
  }
  const std::int64_t shape[] = {static_cast<std::int64_t>(found.size() / 3), 3};
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, shape));
  for (std::size_t i : ctx.range(found.size())) y.as<std::int64_t>()[i] = found[i];
  return {};
}

const Kernel kKernels[] = {
    {.name = "non_zero", .direct = run_non_zero, .op = &op_non_zero},
    {.name = "non_max_suppression", .direct = run_suppression, .op = &op_non_max_suppression},
};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(detect, claim, kKernels);

}  // namespace cpu
}  // namespace mote
