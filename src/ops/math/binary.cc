// The binary family: z[i] = f(x[i], y[i]) after numpy broadcasting.
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "any shape"}, {"y", "broadcasts with x; same dtype"}};
constexpr Slot kPowInputs[] = {{"x", "the base"}, {"y", "the exponent, broadcasts with x; any numeric dtype"}};
constexpr Slot kOutputs[] = {{"z", "the broadcast shape, dtype of x"}};
constexpr Slot kBoolOutputs[] = {{"z", "boolean, the broadcast shape"}};
constexpr AttrSpec kModAttrs[] = {
    {"fmod", AttrKind::kInt, "0", "1: the result has the sign of x (C); 0: the sign of y (Python)"}};
constexpr AttrSpec kShiftAttrs[] = {{"direction", AttrKind::kString, "", "\"LEFT\" or \"RIGHT\"", true}};

Dim truth(bool b) { return Dim(b ? 1 : 0); }

std::optional<Dim> truth(std::optional<bool> b, bool negate = false) {
  if (!b) return std::nullopt;
  return truth(*b != negate);
}

std::optional<Dim> known(BinaryOp op, const Dim& x, const Dim& y) {
  switch (op) {
    case BinaryOp::add:
      return x + y;
    case BinaryOp::sub:
      return x - y;
    case BinaryOp::mul:
      return x * y;
    case BinaryOp::div:
      return truncating_div(x, y);
    case BinaryOp::mod:
      return y.is(0) ? Dim(0) : mod(x, y);
    case BinaryOp::min:
      return min(x, y);
    case BinaryOp::max:
      return max(x, y);
    case BinaryOp::equal:
      return truth(known_equal(x, y));
    case BinaryOp::less:
      return truth(known_less(x, y));
    case BinaryOp::greater:
      return truth(known_less(y, x));
    case BinaryOp::less_equal:
      return truth(known_less(y, x), true);
    case BinaryOp::greater_equal:
      return truth(known_less(x, y), true);
    case BinaryOp::pow:
      if (y.is(1)) return x;
      return y.is(2) ? std::optional(x * x) : std::nullopt;
    default:
      break;
  }
  if (!x.is_const() || !y.is_const()) return std::nullopt;
  if (is_logical(op)) return Dim(eval_binary<std::int64_t>(op, x.value(), y.value()));
  return std::nullopt;
}

template <BinaryOp op, std::uint32_t classes>
Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, classes));
  if (op == BinaryOp::pow) {
    MOTE_TRY(check_dtype(ctx, 1, kNumbers));
  } else {
    MOTE_TRY(check_dtype(ctx, 1, classes));
    MOTE_TRY(check_same_dtype(ctx, 0, 1));
  }
  MOTE_ASSIGN(std::optional<Shape> shape, broadcast_inputs(ctx, 0, 2));
  DType dtype = ctx.dtype(0) != DType::none || op == BinaryOp::pow ? ctx.dtype(0) : ctx.dtype(1);
  output_maybe(ctx, 0, gives_bool(op) ? DType::boolean : dtype, shape);
  bool python_mod = op != BinaryOp::mod || ctx.attr_int("fmod") == 0;
  if (shape && python_mod) known_map(ctx, *shape, [](const Dim& x, const Dim& y) { return known(op, x, y); });
  return {};
}

Status infer_shift(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  std::string direction = ctx.attr_string("direction");
  if (direction != "LEFT" && direction != "RIGHT")
    return ctx.error("direction '" + direction + "' is not LEFT or RIGHT");
  MOTE_ASSIGN(std::optional<Shape> shape, broadcast_inputs(ctx, 0, 2));
  output_maybe(ctx, 0, ctx.dtype(0), shape);
  return {};
}

Status compare_strings(ReferenceContext& ctx, BinaryOp op, const TensorView& z) {
  const TensorView &x = ctx.in(0), &y = ctx.in(1);
  walk<3>(ctx, z.shape(), {dense_strides(z.shape()), broadcast_strides(x, z.rank), broadcast_strides(y, z.rank)},
          [&](const auto& at) {
            z.as<bool>()[at[0]] =
                compare(op, ctx.string(x.as<StringRef>()[at[1]]), ctx.string(y.as<StringRef>()[at[2]]));
          });
  return {};
}

Status apply(ReferenceContext& ctx, BinaryOp op) {
  const TensorView &x = ctx.in(0), &y = ctx.in(1);
  MOTE_ASSIGN(TensorView z, infer_out(ctx));
  if (x.dtype == DType::string) return compare_strings(ctx, op, z);
  std::array<Strides, 3> strides = {dense_strides(z.shape()), broadcast_strides(x, z.rank),
                                    broadcast_strides(y, z.rank)};
  with_element(x.dtype, [&](auto element) {
    using E = decltype(element);
    walk<3>(ctx, z.shape(), strides, [&](const auto& at) {
      auto r = eval_binary(op, E::load(x, at[1]), E::load(y, at[2]));
      if (gives_bool(op)) {
        z.as<bool>()[at[0]] = r != 0;
      } else {
        E::store(z, at[0], r);
      }
    });
  });
  return {};
}

template <BinaryOp op>
Status run(ReferenceContext& ctx) {
  return apply(ctx, op);
}

Status run_mod(ReferenceContext& ctx) { return apply(ctx, ctx.attr_int("fmod") ? BinaryOp::fmod : BinaryOp::mod); }

Status run_shift(ReferenceContext& ctx) {
  return apply(ctx, ctx.attr_string("direction") == "LEFT" ? BinaryOp::shift_left : BinaryOp::shift_right);
}

// The exponent has a dtype of its own: two integers are exact, anything else goes through double.
Status run_pow(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &y = ctx.in(1);
  if (x.dtype == y.dtype) return apply(ctx, BinaryOp::pow);
  MOTE_ASSIGN(TensorView z, infer_out(ctx));
  bool ints = is_int(x.dtype) && is_int(y.dtype);
  walk<3>(ctx, z.shape(), {dense_strides(z.shape()), broadcast_strides(x, z.rank), broadcast_strides(y, z.rank)},
          [&](const auto& at) {
            if (ints) {
              store_i64(z, at[0], eval_binary(BinaryOp::pow, load_i64(x, at[1]), load_i64(y, at[2])));
            } else {
              store_f64(z, at[0], eval_binary(BinaryOp::pow, load_f64(x, at[1]), load_f64(y, at[2])));
            }
          });
  return {};
}

}  // namespace

#define MOTE_BINARY(name_, opcode, classes, outs, doc_text)           \
  MOTE_DEFINE_OP(name_) = {.name = #name_,                            \
                           .doc = doc_text,                           \
                           .inputs = kInputs,                         \
                           .outputs = outs,                           \
                           .infer = infer<BinaryOp::opcode, classes>, \
                           .flags = kElementwise};                    \
  MOTE_DEFINE_REFERENCE(name_) = run<BinaryOp::opcode>;

MOTE_BINARY(add, add, kNumbers, kOutputs, "x + y; integers wrap.")
MOTE_BINARY(and, logical_and, kBool, kBoolOutputs, "Logical x and y.")
MOTE_BINARY(bitwise_and, bitwise_and, kInts, kOutputs, "Bits set in both.")
MOTE_BINARY(bitwise_or, bitwise_or, kInts, kOutputs, "Bits set in either.")
MOTE_BINARY(bitwise_xor, bitwise_xor, kInts, kOutputs, "Bits set in one of the two.")
MOTE_BINARY(div, div, kNumbers, kOutputs,
            "x / y. Integers truncate towards zero; by zero they give 0, and the least one by -1 wraps.")
MOTE_BINARY(equal, equal, kNumbers | kBool | kString, kBoolOutputs, "x == y.")
MOTE_BINARY(greater, greater, kNumbers, kBoolOutputs, "x > y.")
MOTE_BINARY(greater_or_equal, greater_equal, kNumbers, kBoolOutputs, "x >= y.")
MOTE_BINARY(less, less, kNumbers, kBoolOutputs, "x < y.")
MOTE_BINARY(less_or_equal, less_equal, kNumbers, kBoolOutputs, "x <= y.")
MOTE_BINARY(mul, mul, kNumbers, kOutputs, "x * y; integers wrap.")
MOTE_BINARY(or, logical_or, kBool, kBoolOutputs, "Logical x or y.")
MOTE_BINARY(sub, sub, kNumbers, kOutputs, "x - y; integers wrap.")
MOTE_BINARY(xor, logical_xor, kBool, kBoolOutputs, "Whether exactly one of x and y is true.")
#undef MOTE_BINARY

MOTE_DEFINE_OP(bit_shift) = {.name = "bit_shift",
                             .doc =
                                 "x shifted by y bits. By the width or more, or by a negative amount: 0, but -1 "
                                 "where a negative x is shifted to the right.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attrs = kShiftAttrs,
                             .infer = infer_shift,
                             .flags = kElementwise};
MOTE_DEFINE_REFERENCE(bit_shift) = run_shift;

MOTE_DEFINE_OP(mod) = {.name = "mod",
                       .doc = "The remainder of x / y. Integers by zero give 0.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attrs = kModAttrs,
                       .infer = infer<BinaryOp::mod, kNumbers>,
                       .flags = kElementwise};
MOTE_DEFINE_REFERENCE(mod) = run_mod;

MOTE_DEFINE_OP(pow) = {.name = "pow",
                       .doc = "x to the power y, in the dtype of x; integers wrap.",
                       .inputs = kPowInputs,
                       .outputs = kOutputs,
                       .infer = infer<BinaryOp::pow, kNumbers>,
                       .flags = kElementwise};
MOTE_DEFINE_REFERENCE(pow) = run_pow;

}  // namespace mote
