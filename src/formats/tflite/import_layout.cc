// Shapes, permutations, repetition, blocks of space moved into other axes and back.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// [height, block, width, block] and the like: an axis of blocks as blocks and places within one.
ValueId quotient(NodeContext& n, ValueId v, int axis, ValueId by) { return n.emit("div", {extent(n, v, axis), by}); }
ValueId quotient(NodeContext& n, ValueId v, int axis, std::int64_t by) { return quotient(n, v, axis, n.ints({by})); }

ValueId times(NodeContext& n, ValueId v, int axis, ValueId by) { return n.emit("mul", {extent(n, v, axis), by}); }
ValueId times(NodeContext& n, ValueId v, int axis, std::int64_t by) { return times(n, v, axis, n.ints({by})); }

// The rank-4 operand, its block size checked.
std::int64_t block_of(NodeContext& n, fbs::BuiltinOptions type) {
  auto* o = n.options<fbs::BlockOptions>(type);
  if (!o || o->block_size() < 1 || o->block_size() > 1 << 15) {
    n.fail(invalid("has no block size above 0"));
    return 0;
  }
  if (n.need_rank(n.in(0)) != 4 && !n.failed()) n.fail(invalid("its operand does not have four axes"));
  return o->block_size();
}

}  // namespace

Status import_squeeze(NodeContext& n) {
  auto* o = n.options<fbs::SqueezeOptions>(fbs::BuiltinOptions::Squeeze);
  Ints axes = ints_of(o ? o->squeeze_dims() : nullptr);
  n.output(0, axes.empty() ? n.emit("squeeze", {n.in(0)}) : squeezed(n, n.in(0), std::move(axes)));
  return {};
}

Status import_expand_dims(NodeContext& n) {
  n.output(0, n.emit("unsqueeze", {n.in(0), vector_of(n, n.in(1))}));
  return {};
}

Status import_shape(NodeContext& n) {
  n.output(0, n.emit("shape", {n.in(0)}));
  return {};
}

Status import_rank(NodeContext& n) {
  int rank = n.need_rank(n.in(0));
  if (!n.failed()) n.output(0, n.scalar_int(rank));
  return {};
}

namespace {

// By a permutation that a run decides: every element's place among those of x is a sum over the axes.
ValueId transposed_by(NodeContext& n, ValueId x, ValueId perm, int rank) {
  const ValueId shape = extents(n, x, 0, rank), axes = n.emit("mod", {perm, n.scalar_int(rank)});
  std::vector<ValueId> steps(at(rank), n.ints({1}));
  for (int i = rank - 1; i-- > 0;) steps[at(i)] = n.emit("mul", {steps[at(i + 1)], extent(n, x, i + 1)});
  const ValueId counts = n.emit("gather", {shape, axes}), strides = n.emit("gather", {joined(n, steps), axes});
  ValueId place = kNone;
  for (int i = 0; i < rank; ++i) {
    Ints others;
    for (int k = 0; k < rank; ++k) {
      if (k != i) others.push_back(k);
    }
    const ValueId along =
        n.emit("mul", {iota(n, sliced(n, counts, {i}, {i + 1}, {0})), sliced(n, strides, {i}, {i + 1}, {0})});
    const ValueId term = unsqueezed(n, along, others);
    place = place == kNone ? term : n.emit("add", {place, term});
  }
  return n.emit("gather", {n.emit("reshape", {x, n.ints({-1})}), place});
}

}  // namespace

Status import_transpose(NodeContext& n) {
  int rank = n.need_rank(n.in(0));
  if (n.failed()) return {};
  if (!n.ints_of(n.in(1))) {
    n.output(0, rank > 1 ? transposed_by(n, n.in(0), vector_of(n, n.in(1)), rank) : n.emit("identity", {n.in(0)}));
    return {};
  }
  Ints perm = n.need_ints(1, "a permutation");
  if (n.failed()) return {};
  for (std::int64_t& p : perm) p = n.axis(p, rank);
  if (n.failed()) return {};
  n.output(0, n.emit("transpose", {n.in(0)}, {{"perm", std::move(perm)}}));
  return {};
}

Status import_tile(NodeContext& n) {
  n.same("tile", {n.in(0), vector_of(n, n.in(1))});
  return {};
}

Status import_broadcast_to(NodeContext& n) {
  n.same("expand", {n.in(0), vector_of(n, n.in(1))});
  return {};
}

Status import_fill(NodeContext& n) {
  n.output(0, filled(n, n.in(1), vector_of(n, n.in(0))));
  return {};
}

// The shape that two shapes broadcast to. The shorter one has ones in front.
Status import_broadcast_args(NodeContext& n) {
  ValueId a = vector_of(n, n.in(0)), b = vector_of(n, n.in(1));
  if (n.need_rank(a) != 1 || n.need_rank(b) != 1) return n.failed() ? Status() : invalid("its operands are no vectors");
  const Dim &la = n.shape(a)[0], &lb = n.shape(b)[0];
  if (!la.is_const() || !lb.is_const()) {
    n.unsupported("BROADCAST_ARGS of shapes of unknown rank");
    return {};
  }
  std::int64_t rank = std::max(la.value(), lb.value());
  auto padded = [&](ValueId v, std::int64_t have) {
    return have == rank ? v : joined(n, {n.ints(Ints(at(rank - have), 1)), v});
  };
  a = padded(a, la.value());
  b = padded(b, lb.value());
  n.output(0, n.emit("where", {n.emit("equal", {a, n.scalar_int(1)}), b, a}));
  return {};
}

// [n, h, w, c] with channels (block row, block column, channel).
Status import_space_to_depth(NodeContext& n) {
  std::int64_t b = block_of(n, fbs::BuiltinOptions::SpaceToDepth);
  ValueId x = n.in(0);
  if (n.failed()) return {};
  ValueId batch = extent(n, x, 0), h = quotient(n, x, 1, b), w = quotient(n, x, 2, b), c = extent(n, x, 3),
          block = n.ints({b});
  ValueId y = reshaped(n, x, joined(n, {batch, h, block, w, block, c}));
  y = n.transpose(y, {0, 1, 3, 2, 4, 5});
  n.output(0, reshaped(n, y, joined(n, {batch, h, w, times(n, x, 3, b * b)})));
  return {};
}

Status import_depth_to_space(NodeContext& n) {
  std::int64_t b = block_of(n, fbs::BuiltinOptions::DepthToSpace);
  ValueId x = n.in(0);
  if (n.failed()) return {};
  ValueId batch = extent(n, x, 0), block = n.ints({b}), c = quotient(n, x, 3, b * b);
  ValueId y = reshaped(n, x, joined(n, {batch, extents(n, x, 1, 3), block, block, c}));
  y = n.transpose(y, {0, 1, 3, 2, 4, 5});
  n.output(0, reshaped(n, y, joined(n, {batch, times(n, x, 1, b), times(n, x, 2, b), c})));
  return {};
}

namespace {

// block sizes and [axes, 2] pads or crops of SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, as vectors of one element.
struct Blocks {
  std::vector<ValueId> sizes, before, after;
  ValueId all = kNone;  // sizes
  ValueId product = kNone;
  int rank = 0;
};

Status read(NodeContext& n, Blocks& out) {
  out.all = vector_of(n, n.in(1));
  const ValueId borders = vector_of(n, n.in(2));
  out.rank = n.need_rank(n.in(0));
  if (n.failed()) return {};
  if (!n.has_rank(out.all) || !n.shape(out.all)[0].is_const()) {
    n.unsupported(concat(n.op_name(), " with a number of block sizes that a run decides"));
    return {};
  }
  const auto known = n.ints_of(out.all), known_borders = n.ints_of(borders);
  const std::int64_t count = n.shape(out.all)[0].value();
  if (count < 1 || count >= out.rank ||
      (known_borders && static_cast<std::int64_t>(known_borders->size()) != 2 * count))
    return invalid("needs a block size and two borders for axes 1 and up");
  std::int64_t product = 1;
  for (std::int64_t b : known ? *known : Ints()) {
    if (b < 1 || b > 1 << 15 || product > 1 << 30) return invalid("has a block size that is not above 0, or too large");
    product *= b;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    out.sizes.push_back(element(n, known, out.all, at(i)));
    out.before.push_back(element(n, known_borders, borders, at(2 * i)));
    out.after.push_back(element(n, known_borders, borders, at(2 * i + 1)));
    out.product = i == 0 ? out.sizes[0] : n.emit("mul", {out.product, out.sizes.back()});
  }
  if (known) out.product = n.ints({product});
  return {};
}

// The axes behind those of the blocks.
Ints rest_of(int rank, std::size_t blocks) {
  Ints rest;
  for (int i = 1 + static_cast<int>(blocks); i < rank; ++i) rest.push_back(i);
  return rest;
}

}  // namespace

// Blocks of the padded axes 1, 2, ... go to the batch: [b, h/B, B, w/C, C, c] -> [B, C, b, h/B, w/C, c].
Status import_space_to_batch_nd(NodeContext& n) {
  Blocks k;
  MOTE_TRY(read(n, k));
  if (n.failed()) return {};
  Ints axes;
  for (std::size_t i = 0; i < k.sizes.size(); ++i) axes.push_back(static_cast<std::int64_t>(i) + 1);
  std::vector<ValueId> pads = k.before;
  pads.insert(pads.end(), k.after.begin(), k.after.end());
  Quantization q = n.quantization(0);
  ValueId zero = n.scalar(static_cast<double>(q.per_tensor() ? q.zero_point() : 0), n.dtype(n.in(0)));
  ValueId x = n.emit("pad", {n.in(0), joined_known(n, pads), zero, n.ints(axes)});
  auto m = static_cast<int>(k.sizes.size());
  std::vector<ValueId> split{extent(n, x, 0)}, join{times(n, x, 0, k.product)};
  Ints perm;
  for (int i = 0; i < m; ++i) {
    split.push_back(quotient(n, x, 1 + i, k.sizes[at(i)]));
    join.push_back(split.back());
    split.push_back(k.sizes[at(i)]);
    perm.push_back(2 + 2 * i);
  }
  ValueId behind = k.rank > m + 1 ? extents(n, x, m + 1, k.rank) : kNone;
  split.push_back(behind);
  join.push_back(behind);
  perm.push_back(0);
  for (int i = 0; i < m; ++i) perm.push_back(1 + 2 * i);
  for (std::int64_t i : rest_of(k.rank, k.sizes.size())) perm.push_back(i + m);
  n.output(0, reshaped(n, n.transpose(reshaped(n, x, joined(n, split)), perm), joined(n, join)));
  return {};
}

// The way back: [B, C, b, h, w, c] -> [b, h, B, w, C, c], then the crops.
Status import_batch_to_space_nd(NodeContext& n) {
  Blocks k;
  MOTE_TRY(read(n, k));
  if (n.failed()) return {};
  ValueId x = n.in(0);
  auto m = static_cast<int>(k.sizes.size());
  ValueId batch = quotient(n, x, 0, k.product), behind = extents(n, x, 1, k.rank);
  std::vector<ValueId> join{batch};
  Ints perm{m}, axes;
  std::vector<ValueId> ends;
  for (int i = 0; i < m; ++i) {
    join.push_back(times(n, x, 1 + i, k.sizes[at(i)]));
    perm.push_back(m + 1 + i);
    perm.push_back(i);
    axes.push_back(1 + i);
    ends.push_back(n.emit("sub", {join.back(), k.after[at(i)]}));
  }
  if (k.rank > m + 1) join.push_back(extents(n, x, m + 1, k.rank));
  for (std::int64_t i : rest_of(k.rank, k.sizes.size())) perm.push_back(i + m);
  ValueId y = n.transpose(reshaped(n, x, joined(n, {k.all, batch, behind})), perm);
  y = reshaped(n, y, joined(n, join));
  n.output(0, n.emit("slice", {y, joined_known(n, k.before), joined_known(n, ends), n.ints(axes)}));
  return {};
}

// dilation - 1 elements of the padding value between two along each axis.
Status import_dilate(NodeContext& n) {
  ValueId x = n.in(0), fill = scalar_of(n, n.in(2));
  Ints dilations = n.need_ints(1, "dilations");
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (static_cast<int>(dilations.size()) != rank) return invalid("needs a dilation for every axis");
  for (int i = 0; i < rank; ++i) {
    std::int64_t d = dilations[at(i)];
    if (d < 1 || d > 1 << 30) return invalid("has a dilation that is not above 0, or too large");
    if (d == 1) continue;
    ValueId before = i > 0 ? extents(n, x, 0, i) : kNone, behind = i + 1 < rank ? extents(n, x, i + 1, rank) : kNone;
    ValueId all = times(n, x, i, d);
    Ints pads(2 * at(rank + 1), 0);
    pads[at(rank + 1 + i + 1)] = d - 1;
    ValueId y = n.emit("pad", {unsqueezed(n, x, {i + 1}), n.ints(pads), fill});
    y = reshaped(n, y, joined(n, {before, all, behind}));
    x = sliced(n, y, {0}, {1 - d}, {i});
  }
  n.output(0, x == n.in(0) ? n.emit("identity", {x}) : x);
  return {};
}

// The first elements along seq_dim in reverse, as many as stand for the index along batch_dim.
Status import_reverse_sequence(NodeContext& n) {
  auto* o = n.options<fbs::ReverseSequenceOptions>(fbs::BuiltinOptions::ReverseSequence);
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  std::int64_t seq = n.axis(o ? o->seq_dim() : 0, rank), batch = n.axis(o ? o->batch_dim() : 0, rank);
  if (n.failed()) return {};
  if (seq == batch) return invalid("has the same axis as sequence and batch");
  Ints perm{batch, seq}, back(at(rank));
  for (int i = 0; i < rank; ++i) {
    if (i != seq && i != batch) perm.push_back(i);
  }
  for (std::size_t i = 0; i < perm.size(); ++i) back[at(perm[i])] = static_cast<std::int64_t>(i);
  bool moves = !std::is_sorted(perm.begin(), perm.end());
  ValueId y = n.emit("reverse_sequence", {moves ? n.transpose(x, perm) : x, n.as_i64(n.in(1))},
                     {{"batch_axis", std::int64_t{0}}, {"time_axis", std::int64_t{1}}});
  n.output(0, moves ? n.transpose(y, back) : y);
  return {};
}

}  // namespace mote::tflite
