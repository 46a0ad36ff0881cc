// Recurrent layers in integers. Their states are variables.
#include "base/text.h"
#include "formats/tflite/quantized.h"

namespace mote::tflite {

// As import_svdf, with x, weights_feature and y of 8 bits, weights_time and the state of 16: products with the features
// in units of the state, then the sums over time and rank in units of y.
Status quantized_svdf(NodeContext& n) {
  auto* o = n.options<fbs::SvdfOptions>(fbs::BuiltinOptions::SVDF);
  if (!o || o->rank() <= 0) return invalid("has no options, or no rank");
  const Scaled x = scaled_input(n, 0), feature = scaled_input(n, 1), time = scaled_input(n, 2),
               state = scaled_input(n, 4), y = scaled_output(n);
  if (n.failed()) return {};
  if (!n.has_rank(time.value) || n.rank(time.value) != 2 || !constant_extents(n.shape(time.value)) ||
      state.value == kNone)
    return invalid("its weights are no matrices, or it has no state");
  const std::int64_t filters = n.shape(time.value)[0].value(), memory = n.shape(time.value)[1].value(),
                     rank = o->rank();
  if (filters % rank != 0) return invalid(concat("has ", filters, " filters, no multiple of its rank ", rank));
  const ValueId one = n.scalar(1, DType::f32);
  ValueId newest =
      n.emit("qlinear_matmul",
             {x.value, n.scalar(static_cast<double>(x.scale * feature.scale / state.scale), DType::f32), zero_of(n, x),
              n.transpose(feature.value, {1, 0}), one, n.scalar(0, feature.dtype), one, n.scalar(0, state.dtype)},
             {{"rounding", std::string("fixed")}});
  newest = n.emit("unsqueeze", {newest, n.ints({2})});
  ValueId past = n.emit("reshape", {state.value, n.ints({-1, filters, memory})});
  past = n.emit("slice", {past, n.ints({1}), n.ints({memory}), n.ints({2})});
  const ValueId next = n.emit("concat", {past, newest}, {{"axis", std::int64_t{2}}});
  ValueId sums = n.emit("mul", {n.cast(next, DType::i32), n.cast(time.value, DType::i32)});
  sums = n.emit("reduce_sum", {sums, n.ints({2})}, {{"keepdims", std::int64_t{0}}});
  if (rank > 1) {
    sums = n.emit("reduce_sum", {n.emit("reshape", {sums, n.ints({-1, filters / rank, rank})}), n.ints({2})},
                  {{"keepdims", std::int64_t{0}}});
  }
  n.output(0, n.emit("requantize_linear",
                     {sums, n.scalar(static_cast<double>(state.scale * time.scale / y.scale), DType::f64),
                      zero_of(n, y), kNone, n.in(3)},
                     {{"rounding", std::string("fixed")}}));
  n.update(4, n.emit("reshape", {next, n.ints({-1, filters * memory})}));
  return {};
}

}  // namespace mote::tflite
