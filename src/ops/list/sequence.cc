// Lists of tensors: sequence_*, split_to_sequence, concat_from_sequence.
#include <algorithm>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kList[] = {{"input_sequence", "a list of tensors"}};
constexpr Slot kListOutputs[] = {{"output_sequence", "a list of tensors"}};
constexpr Slot kConstructInputs[] = {{"inputs", "tensors of one dtype", Arity::kVariadic}};
constexpr AttrSpec kEmptyAttrs[] = {{"dtype", AttrKind::kDType, "dtype:f32", "dtype of the elements to come"}};
constexpr Slot kAtInputs[] = {{"input_sequence", "a list of tensors"}, {"position", "integer scalar in [-n, n)"}};
constexpr Slot kAtOutputs[] = {{"tensor", "the element there"}};
constexpr Slot kInsertInputs[] = {{"input_sequence", "a list of tensors"},
                                  {"tensor", "dtype of the list's elements"},
                                  {"position", "integer scalar in [-n, n]; absent: the end", Arity::kOptional}};
constexpr Slot kEraseInputs[] = {{"input_sequence", "a list of tensors"},
                                 {"position", "integer scalar in [-n, n); absent: the last", Arity::kOptional}};
constexpr Slot kLengthOutputs[] = {{"length", "i64 scalar"}};
constexpr Slot kSplitInputs[] = {{"input", "any shape"},
                                 {"split",
                                  "integers: the extents of the parts, or one scalar for all but the last; "
                                  "absent: 1",
                                  Arity::kOptional}};
constexpr AttrSpec kSplitAttrs[] = {
    {"axis", AttrKind::kInt, "0", "the axis to cut, negative from the back"},
    {"keepdims", AttrKind::kInt, "1", "without split: 1 keeps the axis with extent 1, 0 drops it"},
};
constexpr Slot kJoinOutputs[] = {{"concat_result", "one tensor"}};
constexpr AttrSpec kJoinAttrs[] = {
    {"axis", AttrKind::kInt, "", "the axis to join, negative from the back", true},
    {"new_axis", AttrKind::kInt, "0", "1: the elements are stacked along a new axis"},
};

// The type of a list's elements.
Result<Type> element(const InferContext& ctx, int i) {
  const Type& t = ctx.type(i);
  if (t.kind == Type::Kind::kList) return *t.of;
  return ctx.error("input " + std::to_string(i) + " is " + t.to_string() + ", not a list");
}

// The type that holds both tensors.
Result<Type> common(const InferContext& ctx, const Type& a, const Type& b) {
  if (!a.is_tensor() || !b.is_tensor()) return ctx.error("a list holds tensors");
  if (a.dtype != b.dtype && a.dtype != DType::none && b.dtype != DType::none) {
    return ctx.error("elements of dtypes " + std::string(name_of(a.dtype)) + " and " + std::string(name_of(b.dtype)) +
                     " in one list");
  }
  DType dtype = a.dtype != DType::none ? a.dtype : b.dtype;
  return Type::tensor(dtype, a.shape && b.shape && *a.shape == *b.shape ? a.shape : std::nullopt);
}

Status check_position(const InferContext& ctx, int i) {
  MOTE_TRY(check_dtype(ctx, i, kInts));
  if (ctx.has_rank(i) && known_count(ctx.shape(i)) != 1) return ctx.error("position is not one integer");
  return {};
}

Result<std::int64_t> position(const ReferenceContext& ctx, int i, std::int64_t extent, std::int64_t absent) {
  if (!ctx.has(i)) return absent;
  std::int64_t p = load_i64(ctx.in(i), 0), n = static_cast<std::int64_t>(ctx.list(0).size());
  if (p < -n || p >= extent) return out_of_range("position", 0, p, -n, extent - 1);
  return p < 0 ? p + n : p;
}

Status infer_construct(InferContext& ctx) {
  if (ctx.inputs() == 0) return ctx.error("has no inputs");
  Type t = ctx.type(0);
  for (int i = 0; i < ctx.inputs(); ++i) {
    MOTE_ASSIGN(t, common(ctx, t, ctx.type(i)));
  }
  ctx.output(0, Type::list(std::move(t)));
  return {};
}

Status run_construct(ReferenceContext& ctx) {
  std::vector<TensorView> items;
  for (int i = 0; i < ctx.inputs(); ++i) items.push_back(ctx.in(i));
  return ctx.out_list(0, items);
}

Status infer_empty(InferContext& ctx) {
  ctx.output(0, Type::list(Type::tensor(ctx.attr_dtype("dtype"))));
  return {};
}

Status run_empty(ReferenceContext& ctx) { return ctx.out_list(0, {}); }

Status infer_at(InferContext& ctx) {
  MOTE_ASSIGN(Type t, element(ctx, 0));
  MOTE_TRY(check_position(ctx, 1));
  ctx.output(0, std::move(t));
  return {};
}

Status copy_out(ReferenceContext& ctx, const TensorView& x) {
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  copy_elements(ctx, x, 0, y, 0, x.count());
  return {};
}

Status run_at(ReferenceContext& ctx) {
  std::vector<TensorView> items = ctx.list(0);
  MOTE_ASSIGN(std::int64_t at, position(ctx, 1, static_cast<std::int64_t>(items.size()), 0));
  return copy_out(ctx, items[static_cast<std::size_t>(at)]);
}

Status infer_insert(InferContext& ctx) {
  MOTE_ASSIGN(Type t, element(ctx, 0));
  MOTE_TRY(check_position(ctx, 2));
  MOTE_ASSIGN(t, common(ctx, t, ctx.type(1)));
  ctx.output(0, Type::list(std::move(t)));
  return {};
}

Status run_insert(ReferenceContext& ctx) {
  std::vector<TensorView> items = ctx.list(0);
  std::int64_t n = static_cast<std::int64_t>(items.size());
  MOTE_ASSIGN(std::int64_t at, position(ctx, 2, n + 1, n));
  items.insert(items.begin() + at, ctx.in(1));
  return ctx.out_list(0, items);
}

Status infer_erase(InferContext& ctx) {
  MOTE_TRY(element(ctx, 0).status());
  MOTE_TRY(check_position(ctx, 1));
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_erase(ReferenceContext& ctx) {
  std::vector<TensorView> items = ctx.list(0);
  std::int64_t n = static_cast<std::int64_t>(items.size());
  if (n == 0) return Status(Code::kOutOfRange, "sequence_erase: the list is empty");
  MOTE_ASSIGN(std::int64_t at, position(ctx, 1, n, n - 1));
  items.erase(items.begin() + at);
  return ctx.out_list(0, items);
}

Status infer_length(InferContext& ctx) {
  MOTE_TRY(element(ctx, 0).status());
  ctx.output(0, DType::i64, {});
  return {};
}

Status run_length(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::i64, {}));
  y.as<std::int64_t>()[0] = static_cast<std::int64_t>(ctx.list(0).size());
  return {};
}

Status infer_split(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 1, 0, 1));
  std::optional<Shape> shape;
  if (ctx.has_rank(0)) {
    MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), ctx.rank(0)));
    shape = ctx.shape(0);
    if (ctx.has(1)) {
      shape = std::nullopt;
    } else if (ctx.attr_int("keepdims") != 0) {
      (*shape)[static_cast<std::size_t>(axis)] = Dim(1);
    } else {
      shape->erase(shape->begin() + axis);
    }
  }
  ctx.output(0, Type::list(Type::tensor(ctx.dtype(0), std::move(shape))));
  return {};
}

Status run_split(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  int axis = normal_axis(ctx.attr_int("axis"), x.rank);
  AxisView a = around(x.shape(), axis);
  bool drop = !ctx.has(1) && ctx.attr_int("keepdims") == 0;
  std::vector<std::int64_t> sizes;
  if (ctx.has(1) && ctx.in(1).rank == 1) sizes = read_ints(ctx.in(1));
  if (!ctx.has(1) || ctx.in(1).rank == 0) {
    std::int64_t chunk = ctx.has(1) ? load_i64(ctx.in(1), 0) : 1;
    if (chunk < 1) return out_of_range("split", 0, chunk, 1, a.n);
    for (std::int64_t at = 0; at < a.n && ctx.spend(1); at += chunk) {
      sizes.push_back(std::min(chunk, a.n - at));
      if (chunk > a.n - at) break;
    }
  }
  std::vector<TensorView> items;
  std::int64_t begin = 0;
  for (std::size_t i : ctx.range(sizes.size())) {
    std::int64_t n = sizes[i];
    if (n < 0 || n > a.n - begin) return out_of_range("split", static_cast<std::int64_t>(i), n, 0, a.n - begin);
    std::vector<std::int64_t> shape(x.shape().begin(), x.shape().end());
    shape[static_cast<std::size_t>(axis)] = n;
    if (drop) shape.erase(shape.begin() + axis);
    std::size_t bytes = static_cast<std::size_t>(bytes_of(x.dtype, a.outer * n * a.inner));
    MOTE_ASSIGN(std::span<std::byte> memory, ctx.scratch(bytes));
    TensorView part = TensorView::of(memory.data(), x.dtype, shape);
    for (std::int64_t o : ctx.range(a.outer)) {
      copy_elements(ctx, x, (o * a.n + begin) * a.inner, part, o * n * a.inner, n * a.inner);
    }
    items.push_back(part);
    begin += n;
  }
  if (begin != a.n) return invalid("split_to_sequence: split does not add up to the extent " + std::to_string(a.n));
  return ctx.out_list(0, items);
}

Status infer_join(InferContext& ctx) {
  MOTE_ASSIGN(Type t, element(ctx, 0));
  std::optional<Shape> shape;
  if (t.has_rank()) {
    bool stack = ctx.attr_int("new_axis") != 0;
    MOTE_ASSIGN(int axis, ctx.axis(ctx.attr_int("axis"), t.rank() + (stack ? 1 : 0)));
    shape = *t.shape;
    if (stack) shape->insert(shape->begin() + axis, Dim());
    (*shape)[static_cast<std::size_t>(axis)] = ctx.fresh();
  }
  output_maybe(ctx, 0, t.dtype, std::move(shape));
  return {};
}

Status run_join(ReferenceContext& ctx) {
  std::vector<TensorView> items = ctx.list(0);
  if (items.empty()) return Status(Code::kOutOfRange, "concat_from_sequence: the list is empty");
  bool stack = ctx.attr_int("new_axis") != 0;
  std::vector<std::int64_t> shape(items[0].shape().begin(), items[0].shape().end());
  int rank = items[0].rank + (stack ? 1 : 0);
  std::int64_t given = ctx.attr_int("axis");
  if (given < -rank || given >= rank || rank > kMaxRank) return out_of_range("axis", 0, given, -rank, rank - 1);
  int axis = normal_axis(given, rank);
  std::size_t along = static_cast<std::size_t>(axis);
  if (stack) shape.insert(shape.begin() + axis, 0);
  shape[along] = 0;
  for (const TensorView& x : items) {
    if (!ctx.spend(8)) break;
    std::vector<std::int64_t> other(x.shape().begin(), x.shape().end());
    if (stack) other.insert(other.begin() + axis, 1);
    bool fits = x.dtype == items[0].dtype && other.size() == shape.size();
    for (std::size_t k = 0; fits && k < shape.size(); ++k) fits = k == along || other[k] == shape[k];
    if (!fits) return invalid("concat_from_sequence: elements of different shapes");
    shape[along] += other[along];
  }
  MOTE_ASSIGN(TensorView y, ctx.out(0, items[0].dtype, shape));
  AxisView a = around(shape, axis);
  std::int64_t at = 0;
  for (const TensorView& x : items) {
    if (!ctx.spend(1)) break;
    std::int64_t n = a.outer > 0 ? x.count() / a.outer : 0;
    for (std::int64_t o : ctx.range(a.outer)) copy_elements(ctx, x, o * n, y, o * a.n * a.inner + at, n);
    at += n;
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(concat_from_sequence) = {.name = "concat_from_sequence",
                                        .doc =
                                            "A list's elements joined along an axis, or stacked along a new "
                                            "one.",
                                        .inputs = kList,
                                        .outputs = kJoinOutputs,
                                        .attrs = kJoinAttrs,
                                        .infer = infer_join,
                                        .flags = kDataDependent,
                                        .list_operands = 1};
MOTE_DEFINE_REFERENCE(concat_from_sequence) = run_join;

MOTE_DEFINE_OP(sequence_at) = {.name = "sequence_at",
                               .doc = "One element of a list.",
                               .inputs = kAtInputs,
                               .outputs = kAtOutputs,
                               .infer = infer_at,
                               .flags = kDataDependent,
                               .list_operands = 1};
MOTE_DEFINE_REFERENCE(sequence_at) = run_at;

MOTE_DEFINE_OP(sequence_construct) = {.name = "sequence_construct",
                                      .doc = "The list of the inputs.",
                                      .inputs = kConstructInputs,
                                      .outputs = kListOutputs,
                                      .infer = infer_construct};
MOTE_DEFINE_REFERENCE(sequence_construct) = run_construct;

MOTE_DEFINE_OP(sequence_empty) = {.name = "sequence_empty",
                                  .doc = "A list of no elements.",
                                  .outputs = kListOutputs,
                                  .attrs = kEmptyAttrs,
                                  .infer = infer_empty};
MOTE_DEFINE_REFERENCE(sequence_empty) = run_empty;

MOTE_DEFINE_OP(sequence_erase) = {.name = "sequence_erase",
                                  .doc = "A list without one of its elements.",
                                  .inputs = kEraseInputs,
                                  .outputs = kListOutputs,
                                  .infer = infer_erase,
                                  .list_operands = 1};
MOTE_DEFINE_REFERENCE(sequence_erase) = run_erase;

MOTE_DEFINE_OP(sequence_insert) = {.name = "sequence_insert",
                                   .doc = "A list with one more element, in front of the one at position.",
                                   .inputs = kInsertInputs,
                                   .outputs = kListOutputs,
                                   .infer = infer_insert,
                                   .list_operands = 1};
MOTE_DEFINE_REFERENCE(sequence_insert) = run_insert;

MOTE_DEFINE_OP(sequence_length) = {.name = "sequence_length",
                                   .doc = "The number of elements of a list.",
                                   .inputs = kList,
                                   .outputs = kLengthOutputs,
                                   .infer = infer_length,
                                   .list_operands = 1};
MOTE_DEFINE_REFERENCE(sequence_length) = run_length;

MOTE_DEFINE_OP(split_to_sequence) = {.name = "split_to_sequence",
                                     .doc = "The list of the parts of a tensor along an axis.",
                                     .inputs = kSplitInputs,
                                     .outputs = kListOutputs,
                                     .attrs = kSplitAttrs,
                                     .infer = infer_split};
MOTE_DEFINE_REFERENCE(split_to_sequence) = run_split;

}  // namespace mote
