// What puts elements to places that indices name: scatters, segments, sparse tensors, updates.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

ValueId scattered(NodeContext& n, ValueId into, ValueId indices, ValueId updates, std::string_view reduction) {
  return n.emit("scatter_nd", {into, indices, updates}, {{"reduction", std::string(reduction)}});
}

// What a segment without elements holds.
ValueId nothing(NodeContext& n, std::string_view reduction, DType t) {
  if (reduction == "mul") return n.scalar(1, t);
  if (reduction == "add") return n.scalar(0, t);
  bool least = reduction == "max";
  if (t == DType::f32) {
    return n.scalar(
        static_cast<double>(least ? std::numeric_limits<float>::lowest() : std::numeric_limits<float>::max()), t);
  }
  if (t == DType::i32)
    return n.scalar(least ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max(), t);
  n.unsupported(concat(n.op_name(), " of ", name_of(t)));
  return kNone;
}

// Rows of x combined by their ids, of which there are `count`; negative ids are left out.
Status unsorted_segments(NodeContext& n, std::string_view reduction) {
  ValueId x = n.in(0), ids = n.as_i64(n.in(1)), count = vector_of(n, n.in(2));
  int rank = n.need_rank(x), id_rank = n.need_rank(ids);
  if (n.failed()) return {};
  if (id_rank > rank) return invalid("has more axes of ids than of data");
  ValueId inner = rank > id_rank ? extents(n, x, id_rank, rank) : kNone;
  if (id_rank != 1) {
    x = reshaped(n, x, joined(n, {n.ints({-1}), inner}));
    ids = n.emit("reshape", {ids, n.ints({-1})});
  }
  // One segment more takes what has no id.
  ids = n.emit("where", {n.emit("less", {ids, n.scalar_int(0)}), count, ids});
  ValueId one_more = n.emit("add", {count, n.ints({1})});
  ValueId into = filled(n, nothing(n, reduction, n.dtype(x)), joined(n, {one_more, inner}));
  ValueId y = scattered(n, into, unsqueezed(n, ids, {-1}), x, reduction);
  n.output(0, sliced(n, y, {0}, {-1}, {0}));
  return {};
}

}  // namespace

// Zeros, to which the updates are added; booleans are joined by or.
Status import_scatter_nd(NodeContext& n) {
  ValueId indices = n.as_i64(n.in(0)), updates = n.in(1), shape = vector_of(n, n.in(2));
  bool logical = n.dtype(updates) == DType::boolean;
  if (logical) updates = n.cast(updates, DType::u8);
  ValueId into = filled(n, n.scalar(0, n.dtype(updates)), shape);
  ValueId y = scattered(n, into, indices, updates, logical ? "max" : "add");
  n.output(0, logical ? n.cast(y, DType::boolean) : y);
  return {};
}

// Indices are rows of coordinates; a vector of them, or one number, means a tensor of one axis.
Status import_sparse_to_dense(NodeContext& n) {
  ValueId indices = n.as_i64(n.in(0)), shape = vector_of(n, n.in(1)), values = n.in(2);
  int rank = n.need_rank(indices), value_rank = n.need_rank(values);
  if (n.failed()) return {};
  if (rank > 2 || value_rank > 1) return invalid("has indices or values of too many axes");
  if (rank < 2) indices = n.emit("reshape", {indices, n.ints({-1, 1})});
  if (value_rank == 0) values = n.emit("expand", {values, extent(n, indices, 0)});
  n.output(0, scattered(n, filled(n, n.in(3), shape), indices, values, "none"));
  return {};
}

// ids ascend, from 0 and without gaps; there are as many segments as the last one says.
Status import_segment_sum(NodeContext& n) {
  ValueId x = n.in(0), ids = n.as_i64(n.in(1));
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (rank == 0) return invalid("its operand has no axis");
  ValueId count = n.emit("add", {sliced(n, ids, {-1}, {std::numeric_limits<std::int64_t>::max()}, {0}), n.ints({1})});
  ValueId shape = joined(n, {count, rank > 1 ? extents(n, x, 1, rank) : kNone});
  n.output(0, scattered(n, filled(n, n.scalar(0, n.dtype(x)), shape), unsqueezed(n, ids, {-1}), x, "add"));
  return {};
}

Status import_unsorted_segment_sum(NodeContext& n) { return unsorted_segments(n, "add"); }
Status import_unsorted_segment_prod(NodeContext& n) { return unsorted_segments(n, "mul"); }
Status import_unsorted_segment_max(NodeContext& n) { return unsorted_segments(n, "max"); }
Status import_unsorted_segment_min(NodeContext& n) { return unsorted_segments(n, "min"); }

// The update lies at `start`, moved so that it lies within. Axes behind the last one that it does not cover are left to
// whole slices.
Status import_dynamic_update_slice(NodeContext& n) {
  ValueId x = n.in(0), update = n.in(1), start = vector_of(n, n.in(2));
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (n.need_rank(update) != rank || rank == 0) return invalid("its update does not have as many axes as its operand");
  int named = rank;
  for (; named > 1; --named) {
    const Dim &a = n.shape(x)[static_cast<std::size_t>(named) - 1],
              &b = n.shape(update)[static_cast<std::size_t>(named) - 1];
    if (!a.is_const() || !b.is_const() || a.value() != b.value()) break;
  }
  ValueId room = n.emit("sub", {extents(n, x, 0, rank), extents(n, update, 0, rank)});
  start = n.emit("max", {n.emit("min", {start, room}), n.scalar_int(0)});
  std::vector<ValueId> coordinates;
  ValueId grid = extents(n, update, 0, named);
  for (int i = 0; i < named && !n.failed(); ++i) {
    Ints later;
    for (int k = 1; k < named - i; ++k) later.push_back(k);
    ValueId along = n.emit("add", {iota(n, extent(n, update, i)), sliced(n, start, {i}, {i + 1}, {0})});
    if (!later.empty()) along = unsqueezed(n, along, std::move(later));
    coordinates.push_back(unsqueezed(n, n.emit("expand", {along, grid}), {-1}));
  }
  n.output(0, scattered(n, x, joined(n, std::move(coordinates), -1), update, "none"));
  return {};
}

}  // namespace mote::tflite
