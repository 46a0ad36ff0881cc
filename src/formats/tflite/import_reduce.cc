// Reductions, positions of extremes, running sums, windows.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

// Axes may repeat; none means that nothing is reduced.
ValueId axes_of(NodeContext& n, ValueId x) {
  auto known = n.ints_of(n.in(1));
  if (!known || !n.has_rank(x)) return vector_of(n, n.in(1));
  for (std::int64_t& a : *known) a = n.axis(a, n.rank(x));
  std::sort(known->begin(), known->end());
  known->erase(std::unique(known->begin(), known->end()), known->end());
  return n.ints(*known);
}

ValueId reduced(NodeContext& n, std::string_view op, ValueId x) {
  auto* o = n.options<fbs::ReducerOptions>(fbs::BuiltinOptions::Reducer);
  return n.emit(op, {x, axes_of(n, x)},
                {{"keepdims", std::int64_t{o && o->keep_dims()}}, {"noop_with_empty_axes", std::int64_t{1}}});
}

Status reduce(NodeContext& n, std::string_view op) {
  n.output(0, reduced(n, op, n.in(0)));
  return {};
}

Status arg(NodeContext& n, std::string_view op) {
  ValueId x = n.in(0);
  Ints axis = n.need_ints(1, "an axis");
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (axis.size() != 1) return invalid("its axis is not one number");
  if (n.dtype(x) == DType::boolean) x = n.cast(x, DType::u8);
  n.output(0, n.emit(op, {x}, {{"axis", n.axis(axis[0], rank)}, {"keepdims", std::int64_t{0}}}));
  return {};
}

// Which op joins two windows' elements; booleans are added and multiplied as any and all.
std::string_view window_op(fbs::ReduceFunction f) {
  constexpr std::array<std::string_view, 7> kOps = {"", "add", "mul", "min", "max", "and", "or"};
  auto i = static_cast<std::size_t>(f);
  return i < kOps.size() ? kOps[i] : std::string_view();
}

}  // namespace

Status import_sum(NodeContext& n) { return reduce(n, "reduce_sum"); }
Status import_mean(NodeContext& n) { return reduce(n, "reduce_mean"); }
Status import_reduce_prod(NodeContext& n) { return reduce(n, "reduce_prod"); }
Status import_reduce_max(NodeContext& n) { return reduce(n, "reduce_max"); }
Status import_reduce_min(NodeContext& n) { return reduce(n, "reduce_min"); }
Status import_arg_max(NodeContext& n) { return arg(n, "arg_max"); }
Status import_arg_min(NodeContext& n) { return arg(n, "arg_min"); }

Status import_topk(NodeContext& n) {
  std::vector<ValueId> r =
      n.emit_multi("top_k", {n.in(0), vector_of(n, n.in(1))}, 2,
                   {{"axis", std::int64_t{-1}}, {"largest", std::int64_t{1}}, {"sorted", std::int64_t{1}}});
  if (n.failed()) return {};
  n.output(0, r[0]);
  n.output(1, r[1]);
  return {};
}

Status import_cumsum(NodeContext& n) {
  auto* o = n.options<fbs::CumsumOptions>(fbs::BuiltinOptions::Cumsum);
  n.same("cumsum", {n.in(0), n.in(1)},
         {{"exclusive", std::int64_t{o && o->exclusive()}}, {"reverse", std::int64_t{o && o->reverse()}}});
  return {};
}

// How many of the ascending boundaries are not above x.
Status import_bucketize(NodeContext& n) {
  auto* o = n.options<fbs::BucketizeOptions>(fbs::BuiltinOptions::Bucketize);
  std::vector<float> bounds;
  for (std::size_t i = 0; o && i < size_of(o->boundaries()); ++i) {
    bounds.push_back(o->boundaries()->Get(static_cast<flatbuffers::uoffset_t>(i)));
  }
  ValueId x = n.cast(n.in(0), DType::f32);
  if (bounds.empty()) {
    int rank = n.need_rank(x);
    if (!n.failed()) n.output(0, filled(n, n.scalar_int(0), extents(n, x, 0, rank)));
    return {};
  }
  ValueId above = n.emit("greater_or_equal", {unsqueezed(n, x, {-1}), n.floats(bounds)});
  above = n.emit("cast", {above}, {{"to", DType::i64}});
  n.output(0, n.emit("reduce_sum", {above, n.ints({-1})}, {{"keepdims", std::int64_t{0}}}));
  return {};
}

// One slice per position in the window, joined one after the other as a loop over the window would.
Status import_reduce_window(NodeContext& n) {
  auto* o = n.proto().builtin_options_2_as_ReduceWindow();
  std::string_view op = o ? window_op(o->reduce_function()) : std::string_view();
  if (op.empty()) return invalid("has no function that is known");
  ValueId x = n.in(0), y = n.in(1);
  int rank = n.need_rank(x);
  Ints window = n.need_ints(2, "a window"), strides = n.need_ints(3, "strides"),
       dilations = n.need_ints(4, "dilations");
  if (n.failed()) return {};
  auto count = static_cast<std::size_t>(rank);
  if (window.size() != count || strides.size() != count || dilations.size() != count) {
    return invalid("window, strides and dilations need a number for every axis");
  }
  constexpr std::int64_t kMost = 4096;
  std::int64_t positions = 1;
  Ints axes, lengths;
  for (std::size_t i = 0; i < count; ++i) {
    const Dim& d = n.shape(x)[i];
    if (window[i] < 1 || window[i] > kMost || strides[i] < 1 || dilations[i] < 1)
      return invalid("an empty window or stride");
    positions *= window[i];
    if (positions > kMost || !d.is_const()) {
      n.unsupported("REDUCE_WINDOW with more than 4,096 positions or over extents that a run decides");
      return {};
    }
    if (dilations[i] > d.value() || strides[i] > std::max<std::int64_t>(d.value(), 1)) {
      dilations[i] = std::min(dilations[i], d.value() + 1);
      strides[i] = std::min(strides[i], d.value() + 1);
    }
    axes.push_back(static_cast<std::int64_t>(i));
    lengths.push_back(std::max<std::int64_t>(d.value() - (window[i] - 1) * dilations[i], 0));
  }
  for (std::int64_t p = 0; p < positions && !n.failed(); ++p) {
    Ints starts(count), ends(count);
    for (std::size_t i = count, rest = static_cast<std::size_t>(p); i-- > 0;
         rest /= static_cast<std::size_t>(window[i])) {
      starts[i] = static_cast<std::int64_t>(rest % static_cast<std::size_t>(window[i])) * dilations[i];
      ends[i] = starts[i] + lengths[i];
    }
    y = n.emit(op, {y, sliced(n, x, std::move(starts), std::move(ends), axes, strides)});
  }
  n.output(0, y);
  return {};
}

}  // namespace mote::tflite
