// matmul and gemm: products of matrices of one float or integer dtype.
#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/epilogue.h"
#include "ops/ops.h"
#include "ops/product.h"
#include "ops/run_util.h"
#include "ops/scalar.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"a", "[..., m, k], or a vector of k"},
                            {"b", "[..., k, n], or a vector of k; batches broadcast"},
                            {"bias", "added to the product; broadcasts to its shape", Arity::kOptional},
                            {"operands", "what the epilogue reads", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y", "[..., m, n]"}};
constexpr AttrSpec kAttrs[] = {
    {"trans_a", AttrKind::kInt, "0", "1: a is [..., k, m]"},
    {"trans_b", AttrKind::kInt, "0", "1: b is [..., n, k]"},
    kEpilogueAttr,
};
constexpr Slot kGemmInputs[] = {{"a", "[m, k], or [k, m] with transA"},
                                {"b", "[k, n], or [n, k] with transB"},
                                {"c", "broadcasts to [m, n]", Arity::kOptional}};
constexpr AttrSpec kGemmAttrs[] = {
    {"alpha", AttrKind::kFloat, "1.0", "factor of a b"},
    {"beta", AttrKind::kFloat, "1.0", "factor of c"},
    {"transA", AttrKind::kInt, "0", "1: a is transposed"},
    {"transB", AttrKind::kInt, "0", "1: b is transposed"},
};

// Bias (or c): the product's dtype, and a shape that broadcasts to the product's.
Status check_bias(const InferContext& ctx, int i, const std::optional<Shape>& product) {
  MOTE_TRY(check_same_dtype(ctx, 0, i));
  if (!product || !ctx.has_rank(i)) return {};
  Result<Shape> both = broadcast(*product, ctx.shape(i));
  bool fits = both.ok() && both->size() == product->size();
  for (std::size_t k = 0; fits && k < product->size(); ++k) {
    fits = !(*product)[k].is_const() || (*both)[k] == (*product)[k];
  }
  if (fits) return {};
  return ctx.error("input " + std::to_string(i) + " of shape " + to_string(ctx.shape(i)) +
                   " does not broadcast to the product's shape " + to_string(*product));
}

Status infer_matmul(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  MOTE_ASSIGN(std::optional<Shape> shape,
              infer_product(ctx, 0, 1, ctx.attr_int("trans_a") != 0, ctx.attr_int("trans_b") != 0));
  if (ctx.has(2)) MOTE_TRY(check_bias(ctx, 2, shape));
  Type result = Type::tensor(ctx.dtype(0) != DType::none ? ctx.dtype(0) : ctx.dtype(1), std::move(shape));
  MOTE_TRY(infer_epilogue(ctx, result));
  ctx.output(0, std::move(result));
  return {};
}

Status run_matmul(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Product p = product_of(a, b, ctx.attr_int("trans_a") != 0, ctx.attr_int("trans_b") != 0);
  zero(ctx, y);
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    if (ctx.has(2)) {
      walk<2>(ctx, y.shape(), {dense_strides(y.shape()), broadcast_strides(ctx.in(2), y.rank)},
              [&](const auto& at) { E::store(y, at[0], E::load(ctx.in(2), at[1])); });
    }
    each_dot(ctx, p, [&](std::int64_t out, std::int64_t a0, std::int64_t b0, std::int64_t, std::int64_t) {
      typename E::Value sum = E::load(y, out);
      for (std::int64_t i : ctx.range(p.k)) {
        auto x = E::load(a, a0 + i * p.a_k), z = E::load(b, b0 + i * p.b_k);
        sum = eval_binary(BinaryOp::add, sum, eval_binary(BinaryOp::mul, x, z));
      }
      E::store(y, out, sum);
    });
  });
  return run_epilogue(ctx, y);
}

Status infer_gemm(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_same_dtype(ctx, 0, 1));
  MOTE_TRY(check_rank(ctx, 0, 2, 2));
  MOTE_TRY(check_rank(ctx, 1, 2, 2));
  MOTE_ASSIGN(std::optional<Shape> shape,
              infer_product(ctx, 0, 1, ctx.attr_int("transA") != 0, ctx.attr_int("transB") != 0));
  MOTE_TRY(check_bias(ctx, 2, shape));
  ctx.output(0, ctx.dtype(0), shape ? *std::move(shape) : ctx.fresh_shape(2));
  return {};
}

Status run_gemm(ReferenceContext& ctx) {
  const TensorView &a = ctx.in(0), &b = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  Product p = product_of(a, b, ctx.attr_int("transA") != 0, ctx.attr_int("transB") != 0);
  double alpha = ctx.attr_float("alpha"), beta = ctx.attr_float("beta");
  Strides c = ctx.has(2) ? broadcast_strides(ctx.in(2), 2) : Strides{};
  with_element(y.dtype, [&](auto element) {
    using E = decltype(element);
    using V = typename E::Value;
    bool exact = alpha == 1 && beta == 1;  // integers stay integers
    each_dot(ctx, p, [&](std::int64_t out, std::int64_t a0, std::int64_t b0, std::int64_t m, std::int64_t n) {
      V sum = 0;
      for (std::int64_t i : ctx.range(p.k)) {
        auto x = E::load(a, a0 + i * p.a_k), z = E::load(b, b0 + i * p.b_k);
        sum = eval_binary(BinaryOp::add, sum, eval_binary(BinaryOp::mul, x, z));
      }
      V add = ctx.has(2) ? E::load(ctx.in(2), m * c[0] + n * c[1]) : V(0);
      if (exact) return E::store(y, out, eval_binary(BinaryOp::add, sum, add));
      if (is_int(y.dtype) && bits_of(y.dtype) >= 8) {  // wrapped
        E::store(y, out, sum);
        sum = E::load(y, out);
      }
      store_f64(y, out, alpha * static_cast<double>(sum) + beta * static_cast<double>(add));
    });
  });
  return {};
}

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  auto flag = [&](std::string_view name) { return attr_int(*node.op, node.attrs, name); };
  double alpha = attr_float(*node.op, node.attrs, "alpha"), beta = attr_float(*node.op, node.attrs, "beta");
  DType dtype = b.dtype(node.inputs[0]);
  bool has_c = node.inputs.size() > 2 && node.inputs[2] != kNone && beta != 0;
  if (!is_float(dtype) && (alpha != 1 || beta != 1)) return unsupported("gemm of integers with factors");
  std::vector<Attrs::Item> attrs = {{"trans_a", flag("transA")}, {"trans_b", flag("transB")}};
  std::vector<ValueId> inputs = {node.inputs[0], node.inputs[1]};
  if (has_c && alpha == 1 && beta == 1) inputs.push_back(node.inputs[2]);
  ValueId y = b.add("matmul", inputs, attrs);
  if (alpha != 1) y = b.add("mul", {y, b.scalar(alpha, dtype)});
  if (has_c && (alpha != 1 || beta != 1)) {
    ValueId c = beta == 1 ? node.inputs[2] : b.add("mul", {node.inputs[2], b.scalar(beta, dtype)});
    y = b.add("add", {y, c});
  }
  return std::vector{y};
}

// A transposed left operand: a view, which is copied where rows have to be contiguous.
Result<std::vector<ValueId>> decompose_transposed(Builder& b, const Node& node) {
  if (attr_int(*node.op, node.attrs, "trans_a") == 0 || b.rank(node.inputs[0]) < 2)
    return unsupported("matmul is a primitive");
  std::vector<std::int64_t> perm;
  for (int i = 0; i < b.rank(node.inputs[0]); ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = b.add("transpose", {inputs[0]}, {{"perm", std::move(perm)}});
  Attrs attrs = node.attrs;
  attrs.set("trans_a", std::int64_t{0});
  return b.add_multi("matmul", std::move(inputs), 1, attrs.items());
}

}  // namespace

MOTE_DEFINE_OP(gemm) = {.name = "gemm",
                        .doc = "alpha a b + beta c for matrices.",
                        .inputs = kGemmInputs,
                        .outputs = kOutputs,
                        .attrs = kGemmAttrs,
                        .infer = infer_gemm};
MOTE_DEFINE_REFERENCE(gemm) = run_gemm;
MOTE_DEFINE_DECOMPOSITION(gemm) = decompose;

MOTE_DEFINE_OP(matmul) = {.name = "matmul",
                          .doc =
                              "The product of two matrices, or of two stacks of them, plus an optional bias "
                              "and elementwise steps.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer_matmul};
MOTE_DEFINE_REFERENCE(matmul) = run_matmul;
MOTE_DEFINE_DECOMPOSITION(matmul) = decompose_transposed;

}  // namespace mote
