// What takes indices or makes them.
#include <algorithm>
#include <limits>

#include "base/text.h"
#include "formats/tflite/compose.h"

namespace mote::tflite {
namespace {

// A tensor with axis `from` moved before axis `to` <= from, or back.
ValueId moved(NodeContext& n, ValueId v, int rank, int from, int to, bool back = false) {
  Ints perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i);
  if (back) {
    std::rotate(perm.begin() + to, perm.begin() + to + 1, perm.begin() + from + 1);
  } else {
    std::rotate(perm.begin() + to, perm.begin() + from, perm.begin() + from + 1);
  }
  return n.transpose(v, std::move(perm));
}

}  // namespace

// With batch axes the axis comes right behind them, and what it leaves goes back before the indices' own axes.
Status import_gather(NodeContext& n) {
  auto* o = n.options<fbs::GatherOptions>(fbs::BuiltinOptions::Gather);
  ValueId x = n.in(0), indices = n.in(1);
  int rank = n.need_rank(x), index_rank = n.need_rank(indices);
  if (n.failed()) return {};
  std::int64_t axis = n.axis(o ? o->axis() : 0, rank);
  std::int64_t batch = o ? o->batch_dims() : 0;
  if (batch < 0) batch += index_rank;
  if (batch < 0 || batch > index_rank || batch > axis) return invalid("has batch_dims beyond its axis or its indices");
  if (batch == 0) {
    n.same("gather", {x, indices}, {{"axis", axis}});
    return {};
  }
  x = moved(n, x, rank, static_cast<int>(axis), static_cast<int>(batch));
  ValueId y = n.emit("gather_nd", {x, unsqueezed(n, n.as_i64(indices), {-1})}, {{"batch_dims", batch}});
  // [batch, indices, before, after] -> [batch, before, indices, after]
  auto own = index_rank - static_cast<int>(batch), before = static_cast<int>(axis - batch);
  Ints perm;
  for (int i = 0; i < rank - 1 + own; ++i) perm.push_back(i);
  auto first = perm.begin() + static_cast<std::ptrdiff_t>(batch);
  std::rotate(first, first + own, first + own + before);
  n.output(0, own > 0 && before > 0 ? n.transpose(y, std::move(perm)) : y);
  return {};
}

Status import_gather_nd(NodeContext& n) {
  n.same("gather_nd", {n.in(0), n.as_i64(n.in(1))}, {{"batch_dims", std::int64_t{0}}});
  return {};
}

// Indices outside [0, depth) mark nothing, negative ones included.
Status import_one_hot(NodeContext& n) {
  auto* o = n.options<fbs::AxisOptions>(fbs::BuiltinOptions::OneHot);
  int rank = n.need_rank(n.in(0)) + 1;
  if (n.failed()) return {};
  std::int64_t axis = n.axis(o ? o->axis() : -1, rank);
  Ints later;
  for (std::int64_t i = axis + 1; i < rank; ++i) later.push_back(i - axis);
  ValueId places = iota(n, vector_of(n, n.in(1)));
  if (!later.empty()) places = unsqueezed(n, places, std::move(later));
  ValueId hot = n.emit("equal", {unsqueezed(n, n.as_i64(n.in(0)), {axis}), places});
  n.output(0, n.emit("where", {hot, scalar_of(n, n.in(2)), scalar_of(n, n.in(3))}));
  return {};
}

// The positions of what is not zero, one row each.
Status import_where(NodeContext& n) {
  n.output(0, n.transpose(n.emit("non_zero", {n.in(0)}), {1, 0}));
  return {};
}

Status import_range(NodeContext& n) {
  n.same("range", {scalar_of(n, n.in(0)), scalar_of(n, n.in(1)), scalar_of(n, n.in(2))});
  return {};
}

// Distinct elements in the order of their first occurrence, and for each element which of them it is.
Status import_unique(NodeContext& n) {
  std::vector<ValueId> r = n.emit_multi("unique", {n.in(0)}, 3, {{"sorted", std::int64_t{0}}});
  if (n.failed()) return {};
  n.output(0, r[0]);
  n.output(1, r[2]);
  return {};
}

namespace {

// [rows, columns], true where both indices are equal.
ValueId diagonal(NodeContext& n, ValueId rows, ValueId columns) {
  return n.emit("equal", {unsqueezed(n, iota(n, rows), {1}), iota(n, columns)});
}

}  // namespace

Status import_matrix_diag(NodeContext& n) {
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (rank == 0) return invalid("its operand has no axis");
  ValueId count = extent(n, x, rank - 1);
  n.output(0, n.emit("where", {diagonal(n, count, count), unsqueezed(n, x, {rank - 1}), n.scalar(0, n.dtype(x))}));
  return {};
}

// The diagonal has as many elements as the shorter side; along that side it is broadcast.
Status import_matrix_set_diag(NodeContext& n) {
  ValueId x = n.in(0), d = n.in(1);
  int rank = n.need_rank(x);
  if (n.failed()) return {};
  if (rank < 2 || n.need_rank(d) != rank - 1)
    return invalid("its diagonal does not have one axis less than its matrices");
  const Dim &rows = n.shape(x)[static_cast<std::size_t>(rank) - 2],
            &columns = n.shape(x)[static_cast<std::size_t>(rank) - 1];
  if (!rows.is_const() || !columns.is_const()) {
    n.unsupported("MATRIX_SET_DIAG of matrices whose sides a run decides");
    return {};
  }
  bool wide = columns.value() <= rows.value();
  ValueId mask = diagonal(n, n.ints({rows.value()}), n.ints({columns.value()}));
  n.output(0, n.emit("where", {mask, unsqueezed(n, d, {wide ? rank - 2 : rank - 1}), x}));
  return {};
}

// The embeddings whose indices agree but for the last number, weighted and added; then divided by the sum of the
// weights or by the root of the sum of their squares.
Status import_embedding_lookup_sparse(NodeContext& n) {
  auto* o = n.options<fbs::EmbeddingLookupSparseOptions>(fbs::BuiltinOptions::EmbeddingLookupSparse);
  fbs::Combiner combiner = o ? o->combiner() : fbs::Combiner::SUM;
  ValueId ids = n.in(0), indices = n.as_i64(n.in(1)), weights = n.in(3), table = n.in(4);
  Ints shape = n.need_ints(2, "a shape");
  int rank = n.need_rank(table);
  if (n.failed()) return {};
  if (shape.empty() || rank < 1) return invalid("its shape or its table has no axis");
  auto prefix = static_cast<std::int64_t>(shape.size()) - 1;
  Ints trailing;
  for (int i = 1; i < rank; ++i) trailing.push_back(i);
  auto weighted = [&](ValueId w) { return trailing.empty() ? w : unsqueezed(n, w, trailing); };
  ValueId rows = n.emit("gather", {table, ids}, {{"axis", std::int64_t{0}}});
  rows = n.emit("mul", {rows, weighted(weights)});
  ValueId to = sliced(n, indices, {0}, {prefix}, {1});
  ValueId outer = n.ints(Ints(shape.begin(), shape.end() - 1)), zero = n.scalar(0, DType::f32);
  ValueId full = rank > 1 ? joined(n, {outer, extents(n, table, 1, rank)}) : outer;
  auto summed = [&](ValueId extents_, ValueId v) {
    return n.emit("scatter_nd", {filled(n, zero, extents_), to, v}, {{"reduction", std::string("add")}});
  };
  ValueId sum = summed(full, rows);
  if (combiner == fbs::Combiner::SUM) {
    n.output(0, sum);
    return {};
  }
  ValueId by = summed(outer, combiner == fbs::Combiner::MEAN ? weights : n.emit("mul", {weights, weights}));
  if (combiner == fbs::Combiner::SQRTN) by = n.emit("sqrt", {by});
  by = n.emit("where", {n.emit("equal", {by, zero}), n.scalar(1, DType::f32), by});
  Ints behind;
  for (int i = 1; i < rank; ++i) behind.push_back(prefix + i - 1);
  n.output(0, n.emit("div", {sum, behind.empty() ? by : unsqueezed(n, by, std::move(behind))}));
  return {};
}

// With five operands scores stay as they are (V4); with a sixth they fall (V5), and are a result too.
Status import_non_max_suppression(NodeContext& n) {
  std::vector<ValueId> inputs = n.all_inputs();
  if (inputs.size() < 5) return invalid("needs five or six operands");
  std::vector<ValueId> r = n.emit_multi("soft_non_max_suppression", std::move(inputs), 3);
  if (n.failed()) return {};
  n.output(0, r[0]);
  if (n.outputs() == 3) n.output(1, r[1]);
  n.output(n.outputs() - 1, r[2]);
  return {};
}

// Operands: seeds, items, weights (absent: ones).
Status import_lsh_projection(NodeContext& n) {
  auto* o = n.options<fbs::LshProjectionOptions>(fbs::BuiltinOptions::LSHProjection);
  const fbs::LshProjection type = o ? o->type() : fbs::LshProjection::UNKNOWN;
  if (type != fbs::LshProjection::SPARSE && type != fbs::LshProjection::DENSE) return invalid("has no type");
  if (n.dtype(n.in(1)) == DType::string) {
    n.unsupported("LSH_PROJECTION of strings");
    return {};
  }
  n.same("lsh_projection", {n.in(0), n.in(1), n.in(2)}, {{"sparse", std::int64_t{type == fbs::LshProjection::SPARSE}}});
  return {};
}

// values[i] where keys[i] is the one looked for, else zeros (or empty strings), and whether there is one.
Status import_hashtable_lookup(NodeContext& n) {
  ValueId lookup = n.in(0), keys = n.in(1), table = n.in(2);
  int rank = n.need_rank(table);
  if (n.failed()) return {};
  ValueId same = n.emit("equal", {unsqueezed(n, lookup, {1}), keys});
  ValueId hits = n.emit("reduce_max", {n.cast(same, DType::u8), n.ints({1})}, {{"keepdims", std::int64_t{0}}});
  ValueId at = n.emit("arg_max", {n.cast(same, DType::u8)}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}});
  ValueId found = n.emit("gather", {table, at}, {{"axis", std::int64_t{0}}});
  if (n.dtype(table) == DType::string) {
    // An empty string in the place behind the last value.
    ValueId nothing = n.emit("pad", {table, n.ints({0, 1})});
    ValueId last = extent(n, keys, 0);
    n.output(0, n.emit("gather", {nothing, n.emit("where", {n.cast(hits, DType::boolean), at, last})},
                       {{"axis", std::int64_t{0}}}));
  } else {
    ValueId hit = n.cast(hits, DType::boolean);
    Ints axes;
    for (int i = 1; i < rank; ++i) axes.push_back(i);
    if (!axes.empty()) hit = unsqueezed(n, hit, std::move(axes));
    n.output(0, n.emit("where", {hit, found, n.scalar(0, n.dtype(table))}));
  }
  if (n.outputs() > 1) n.output(1, hits);
  return {};
}

}  // namespace mote::tflite
