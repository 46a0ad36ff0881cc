// Random numbers. With a seed they are those of LiteRT's kernels; how many were drawn is a state.
#include <cstdint>
#include <limits>

#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

constexpr std::string_view kDrawn = "drawn";

struct Seeds {
  std::int64_t first = 0, second = 0;
  bool any() const { return first != 0 || second != 0; }
};

Seeds seeds_of(const fbs::Operator& op) {
  const fbs::RandomOptions* o = op.builtin_options_as_Random();
  return o ? Seeds{o->seed(), o->seed2()} : Seeds();
}

std::vector<ValueId> draw(NodeContext& n, ValueId like, const Seeds& seeds, std::string distribution) {
  return n.emit_multi("philox_random_like", {like, n.hidden_state(kDrawn)}, 2,
                      {{"distribution", std::move(distribution)}, {"seed", seeds.first}, {"seed2", seeds.second}});
}

Status random(NodeContext& n, std::string_view any, std::string distribution) {
  const Seeds seeds = seeds_of(n.proto());
  const ValueId like = filled(n, n.scalar(0, DType::f32), vector_of(n, n.in(0)));
  if (!seeds.any()) {
    n.output(0, n.emit(any, {like}));
    return {};
  }
  const std::vector<ValueId> made = draw(n, like, seeds, std::move(distribution));
  n.output(0, made[0]);
  n.update_hidden(kDrawn, made[1]);
  return {};
}

}  // namespace

std::vector<std::pair<std::string_view, Type>> random_states(const fbs::Operator& op) {
  if (!seeds_of(op).any()) return {};
  return {{kDrawn, Type::tensor(DType::i64, Shape())}};
}

Status import_random_uniform(NodeContext& n) { return random(n, "random_uniform_like", "uniform"); }
Status import_random_standard_normal(NodeContext& n) { return random(n, "random_normal_like", "normal"); }

// Where the running sum of the weights first exceeds a uniform part of their whole. Every run skips so many blocks that
// none is drawn twice.
Status import_multinomial(NodeContext& n) {
  const fbs::Tensor* result = n.output_tensor(0);
  const DType dtype = result ? dtype_of(result->type()) : DType::none;
  const Seeds seeds = seeds_of(n.proto());
  const ValueId logits = n.in(0), samples = vector_of(n, n.in(1));
  if (n.need_rank(logits) != 2 || n.dtype(logits) != DType::f32)
    return n.failed() ? Status() : invalid("its weights are no matrix of f32");
  if (!seeds.any()) {
    const Ints count = n.need_ints(1, "a number of samples");
    if (n.failed()) return {};
    if (count.size() != 1) return invalid("its number of samples is not one number");
    n.output(0, n.emit("multinomial", {logits}, {{"dtype", dtype}, {"sample_size", count[0]}}));
    return {};
  }
  const ValueId like = filled(n, n.scalar(0, DType::f64), joined(n, {extent(n, logits, 0), samples}));
  const std::vector<ValueId> drawn = draw(n, like, seeds, "uniform");
  const ValueId most = n.scalar(static_cast<double>(std::numeric_limits<float>::max()), DType::f32);
  const ValueId finite = n.emit("less_or_equal", {n.emit("abs", {logits}), most});
  const ValueId least = n.emit("neg", {most});
  const ValueId top = n.emit("reduce_max", {n.emit("where", {finite, logits, least}), n.ints({1})});
  const ValueId weight = n.emit("exp", {n.emit("sub", {n.cast(logits, DType::f64), n.cast(top, DType::f64)})});
  const ValueId counted = n.emit("where", {finite, weight, n.scalar(0, DType::f64)});
  const ValueId sums = n.emit("cumsum", {counted, n.scalar_int(1)});
  const ValueId target = n.emit("mul", {drawn[0], sliced(n, sums, {-1}, {INT64_MAX}, {1})});
  const ValueId below = n.emit("less_or_equal", {unsqueezed(n, sums, {1}), unsqueezed(n, target, {2})});
  n.output(0, n.cast(n.emit("reduce_sum", {n.cast(below, DType::i32), n.ints({2})}, {{"keepdims", std::int64_t{0}}}),
                     dtype));
  const ValueId fours = n.emit("div", {n.emit("add", {samples, n.ints({3})}), n.ints({4})});
  const ValueId skipped = n.emit("mul", {n.emit("mul", {extent(n, logits, 0), fours}), n.ints({4 * 2 * 256})});
  n.update_hidden(kDrawn, n.emit("add", {n.hidden_state(kDrawn), scalar_of(n, skipped)}));
  return {};
}

}  // namespace mote::tflite
