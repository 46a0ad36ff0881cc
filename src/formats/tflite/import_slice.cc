// Parts of tensors, tensors of parts, and what is added around them.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max(),
                       kFront = std::numeric_limits<std::int64_t>::min();

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
bool has(std::int32_t mask, std::size_t i) { return i < 31 && ((mask >> i) & 1) != 0; }

// STRIDED_SLICE with its masks resolved: what is cut from the axes in turn, and where axes of 1 come and go.
struct Cuts {
  std::vector<ValueId> starts, ends;  // of one element each
  std::vector<ValueId> steps;
  Ints axes;
  Ints dropped;  // axes of the sliced tensor
  Ints added;    // axes of the result
};

// One of two numbers, by the sign of a step.
ValueId by_sign(NodeContext& n, ValueId step, std::int64_t forwards, std::int64_t backwards) {
  if (const auto known = n.ints_of(step)) return n.ints({(*known)[0] > 0 ? forwards : backwards});
  return n.emit("where", {n.emit("less", {step, n.ints({0})}), n.ints({backwards}), n.ints({forwards})});
}

Status resolve(NodeContext& n, const fbs::StridedSliceOptions& o, int rank, Cuts& out) {
  ValueId begin = vector_of(n, n.in(1)), end = vector_of(n, n.in(2)), stride = vector_of(n, n.in(3));
  auto begins = n.ints_of(begin), ends = n.ints_of(end), strides = n.ints_of(stride);
  if (!n.has_rank(stride) || !n.shape(stride)[0].is_const()) {
    n.unsupported("STRIDED_SLICE with a number of strides that a run decides");
    return {};
  }
  const std::size_t count = at(n.shape(stride)[0].value());
  if ((begins && begins->size() != count) || (ends && ends->size() != count)) {
    return invalid("begin, end and strides differ in length");
  }
  std::size_t taken = 0;  // axes that entries other than the ellipsis stand for
  for (std::size_t i = 0; i < count; ++i) taken += !has(o.new_axis_mask(), i) && !has(o.ellipsis_mask(), i);
  if (taken > at(rank)) return invalid(concat("slices ", taken, " axes of a tensor of ", rank));
  std::int64_t axis = 0, result = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (has(o.ellipsis_mask(), i)) {
      std::int64_t skipped = rank - static_cast<std::int64_t>(taken);
      axis += skipped;
      result += skipped;
      continue;
    }
    if (has(o.new_axis_mask(), i)) {
      out.added.push_back(result++);
      continue;
    }
    if (strides && (*strides)[i] == 0) return invalid("has a stride of 0");
    ValueId step = element(n, strides, stride, i);
    ValueId from = element(n, begins, begin, i), to = element(n, ends, end, i);
    out.axes.push_back(axis);
    const Dim& d = n.shape(n.in(0))[at(axis)];
    if (has(o.shrink_axis_mask(), i)) {
      if (has(o.begin_mask(), i)) from = n.ints({0});
      // One element, the last one too.
      to = n.emit("add", {from, n.ints({1})});
      if (auto known = n.ints_of(from); !known || (*known)[0] == -1)
        to = n.emit("where", {n.emit("equal", {to, n.ints({0})}), n.ints({kEnd}), to});
      out.dropped.push_back(axis);
      step = n.ints({1});
    } else {
      if (o.offset()) to = n.emit("add", {from, to});
      if (has(o.begin_mask(), i)) from = by_sign(n, step, 0, kEnd);
      if (has(o.end_mask(), i)) to = by_sign(n, step, kEnd, kFront);
      const auto known = n.ints_of(from), known_step = n.ints_of(step);
      // Backwards from before the first element there is none; `slice` would begin at the first.
      if (known && known_step && (*known_step)[0] < 0 && d.is_const() && (*known)[0] < -d.value())
        from = to = n.ints({0});
      if (!known_step && !(known && (*known)[0] >= 0)) {
        const ValueId before = n.emit("less", {from, n.emit("neg", {extent(n, n.in(0), static_cast<int>(axis))})});
        const ValueId none = n.emit("and", {before, n.emit("less", {step, n.ints({0})})});
        from = n.emit("where", {none, n.ints({0}), from});
        to = n.emit("where", {none, n.ints({0}), to});
      }
      ++result;
    }
    out.steps.push_back(step);
    out.starts.push_back(from);
    out.ends.push_back(to);
    ++axis;
  }
  return {};
}

// Pads of an operand [axes, 2] as `pad` takes them: all before, then all after.
ValueId pads_of(NodeContext& n, ValueId v) {
  if (const auto pairs = n.ints_of(v); pairs && pairs->size() % 2 == 0) {
    Ints pads;
    for (std::size_t side : {0, 1}) {
      for (std::size_t i = side; i < pairs->size(); i += 2) pads.push_back((*pairs)[i]);
    }
    return n.ints(std::move(pads));
  }
  return n.emit("reshape", {n.transpose(n.as_i64(v), {1, 0}), n.ints({-1})});
}

Status parts(NodeContext& n, ValueId x, ValueId sizes, std::int64_t axis) {
  std::vector<ValueId> r = n.emit_multi("split", {x, sizes}, n.outputs(), {{"axis", axis}});
  for (int i = 0; i < n.outputs() && !n.failed(); ++i) n.output(i, r[at(i)]);
  return {};
}

std::int64_t axis_operand(NodeContext& n, int i, int rank) {
  Ints axis = n.need_ints(i, "an axis");
  if (n.failed()) return 0;
  if (axis.size() != 1) {
    n.fail(invalid("its axis is not one number"));
    return 0;
  }
  return n.axis(axis[0], rank);
}

}  // namespace

// size elements from begin on; -1: all that follow.
Status import_slice(NodeContext& n) {
  ValueId begin = vector_of(n, n.in(1)), size = vector_of(n, n.in(2));
  int rank = n.need_rank(n.in(0));
  if (n.failed()) return {};
  Ints axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  ValueId end = n.emit("add", {begin, size});
  auto sizes = n.ints_of(size);
  if (!sizes || std::any_of(sizes->begin(), sizes->end(), [](std::int64_t s) { return s < 0; })) {
    end = n.emit("where", {n.emit("less", {size, n.scalar_int(0)}), n.scalar_int(kEnd), end});
  }
  n.output(0, n.emit("slice", {n.in(0), begin, end, n.ints(axes)}));
  return {};
}

Status import_strided_slice(NodeContext& n) {
  auto* o = n.options<fbs::StridedSliceOptions>(fbs::BuiltinOptions::StridedSlice);
  if (!o) return invalid("has no options");
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  Cuts cuts;
  MOTE_TRY(resolve(n, *o, rank, cuts));
  if (n.failed()) return {};
  if (!cuts.axes.empty()) {
    x = n.emit("slice",
               {x, joined(n, cuts.starts), joined(n, cuts.ends), n.ints(cuts.axes), joined_known(n, cuts.steps)});
  } else {
    x = n.emit("identity", {x});
  }
  if (!cuts.dropped.empty()) x = squeezed(n, x, cuts.dropped);
  if (!cuts.added.empty()) x = unsqueezed(n, x, cuts.added);
  n.output(0, x);
  return {};
}

Status import_split(NodeContext& n) {
  ValueId x = n.in(1);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  std::int64_t axis = axis_operand(n, 0, rank);
  if (n.failed()) return {};
  if (n.outputs() == 0) return invalid("has no results");
  const Dim& d = n.shape(x)[at(axis)];
  if (d.is_const() && d.value() % n.outputs() != 0) {
    return invalid(concat("cannot split ", d.value(), " into ", n.outputs(), " equal parts"));
  }
  std::vector<ValueId> r =
      n.emit_multi("split", {x}, n.outputs(), {{"axis", axis}, {"num_outputs", std::int64_t{n.outputs()}}});
  for (int i = 0; i < n.outputs() && !n.failed(); ++i) n.output(i, r[at(i)]);
  return {};
}

// One of the sizes may be -1: what the others leave.
Status import_split_v(NodeContext& n) {
  ValueId x = n.in(0), sizes = vector_of(n, n.in(1));
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  std::int64_t axis = axis_operand(n, 2, rank);
  if (n.failed()) return {};
  auto known = n.ints_of(sizes);
  if (!known || std::any_of(known->begin(), known->end(), [](std::int64_t s) { return s < 0; })) {
    ValueId all = n.emit("reduce_sum", {sizes, n.ints({0})}, {{"keepdims", std::int64_t{1}}});
    // The sum counts the -1.
    ValueId rest = n.emit("sub", {n.emit("sub", {extent(n, x, static_cast<int>(axis)), all}), n.ints({1})});
    sizes = n.emit("where", {n.emit("less", {sizes, n.scalar_int(0)}), rest, sizes});
  }
  return parts(n, x, sizes, axis);
}

Status import_pack(NodeContext& n) {
  auto* o = n.options<fbs::PackOptions>(fbs::BuiltinOptions::Pack);
  int rank = n.need_rank(n.in(0)) + 1;
  std::int64_t axis = n.axis(o ? o->axis() : 0, rank);
  std::vector<ValueId> rows;
  for (ValueId v : n.all_inputs()) rows.push_back(unsqueezed(n, v, {axis}));
  n.output(0, joined(n, std::move(rows), static_cast<int>(axis)));
  return {};
}

Status import_unpack(NodeContext& n) {
  auto* o = n.options<fbs::UnpackOptions>(fbs::BuiltinOptions::Unpack);
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  std::int64_t axis = n.axis(o ? o->axis() : 0, rank);
  if (n.failed() || n.outputs() == 0) return {};
  std::vector<ValueId> r =
      n.emit_multi("split", {x}, n.outputs(), {{"axis", axis}, {"num_outputs", std::int64_t{n.outputs()}}});
  for (int i = 0; i < n.outputs() && !n.failed(); ++i) n.output(i, squeezed(n, r[at(i)], {axis}));
  return {};
}

// Zeros around a tensor: the stored number that stands for zero.
Status import_pad(NodeContext& n) {
  Quantization q = n.quantization(0);
  ValueId zero = n.scalar(static_cast<double>(q.per_tensor() ? q.zero_point() : 0), n.dtype(n.in(0)));
  n.output(0, n.emit("pad", {n.in(0), pads_of(n, n.in(1)), zero}));
  return {};
}

Status import_pad_v2(NodeContext& n) {
  n.output(0, n.emit("pad", {n.in(0), pads_of(n, n.in(1)), scalar_of(n, n.in(2))}));
  return {};
}

// REFLECT leaves out the border. SYMMETRIC repeats it: along each axis, elements are picked by their mirrored
// positions.
Status import_mirror_pad(NodeContext& n) {
  auto* o = n.options<fbs::MirrorPadOptions>(fbs::BuiltinOptions::MirrorPad);
  ValueId x = n.in(0);
  if (!o || o->mode() == fbs::MirrorMode::REFLECT) {
    n.output(0, n.emit("pad", {x, pads_of(n, n.in(1))}, {{"mode", std::string("reflect")}}));
    return {};
  }
  int rank = n.need_rank(x);
  ValueId pads = n.as_i64(n.in(1));
  for (int i = 0; i < rank && !n.failed(); ++i) {
    ValueId pair = n.emit("reshape", {sliced(n, pads, {i}, {i + 1}, {0}), n.ints({2})});
    if (auto known = n.ints_of(pair); known && (*known)[0] == 0 && (*known)[1] == 0) continue;
    ValueId before = sliced(n, pair, {0}, {1}, {0}), after = sliced(n, pair, {1}, {2}, {0}),
            count = extent(n, n.in(0), i);
    ValueId twice = n.emit("add", {count, count});
    ValueId end = n.emit("add", {count, after});
    ValueId place = n.emit("range", {scalar_of(n, n.emit("neg", {before})), scalar_of(n, end), n.scalar_int(1)});
    place = n.emit("mod", {place, twice});
    ValueId mirrored = n.emit("sub", {n.emit("sub", {twice, n.ints({1})}), place});
    place = n.emit("where", {n.emit("less", {place, count}), place, mirrored});
    x = n.emit("gather", {x, place}, {{"axis", std::int64_t{i}}});
  }
  n.output(0, x == n.in(0) ? n.emit("identity", {x}) : x);
  return {};
}

Status import_reverse_v2(NodeContext& n) {
  int rank = n.need_rank(n.in(0));
  if (n.failed()) return {};
  if (!n.ints_of(n.in(1)) && rank > 0) {
    // Every axis is sliced, by 1 or -1.
    Ints all;
    for (int i = 0; i < rank; ++i) all.push_back(i);
    const ValueId given = n.emit("mod", {vector_of(n, n.in(1)), n.scalar_int(rank)});
    const ValueId same = n.emit("equal", {unsqueezed(n, n.ints(all), {1}), unsqueezed(n, given, {0})});
    const ValueId count = n.emit("reduce_sum", {n.as_i64(same), n.ints({1})}, {{"keepdims", std::int64_t{0}}});
    const ValueId turned = n.emit("greater", {count, n.scalar_int(0)});
    auto either = [&](std::int64_t a, std::int64_t b) {
      return n.emit("where", {turned, n.ints(Ints(at(rank), a)), n.ints(Ints(at(rank), b))});
    };
    n.output(0, n.emit("slice", {n.in(0), either(kEnd, 0), either(kFront, kEnd), n.ints(all), either(-1, 1)}));
    return {};
  }
  Ints axes = n.need_ints(1, "axes");
  for (std::int64_t& a : axes) a = n.axis(a, rank);
  std::size_t count = axes.size();
  n.output(0, sliced(n, n.in(0), Ints(count, kEnd), Ints(count, kFront), axes, Ints(count, -1)));
  return {};
}

}  // namespace mote::tflite
