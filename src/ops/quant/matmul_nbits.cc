// matmul_nbits: products with weights of few bits, in blocks along the depth.
#include "ops/decompose.h"
#include "ops/epilogue.h"
#include "ops/infer_util.h"
#include "ops/ops.h"

namespace mote {
namespace {

constexpr int kFirstOperand = 5;

constexpr Slot kInputs[] = {
    {"a", "float [..., m, k], or a vector of k"},
    {"w", "integers of 8 bits or fewer, [n, depth], or with k_axis 0 [depth, n]; depth is k or more"},
    {"scales", "dtype of a: [n, depth / block_size] rounded up, or with k_axis 0 transposed"},
    {"zero_points", "shape of scales, dtype of w; absent: 0", Arity::kOptional},
    {"bias", "[n]", Arity::kOptional},
    {"operands", "what the epilogue reads", Arity::kVariadic}};
constexpr Slot kOutputs[] = {{"y", "[..., m, n]"}};
constexpr AttrSpec kAttrs[] = {
    {"block_size", AttrKind::kInt, "", "how many elements along k share a scale", true},
    {"k_axis", AttrKind::kInt, "1", "the axis of w that k runs along"},
    kEpilogueAttr,
};

Status check_shapes(const InferContext& ctx, std::int64_t block, std::size_t k_axis) {
  for (int i : {1, 2, 3}) {
    if (ctx.has(i)) MOTE_TRY(check_rank(ctx, i, 2, 2));
  }
  if (!ctx.has_rank(1) || !ctx.has_rank(2)) return {};
  const Shape &w = ctx.shape(1), &s = ctx.shape(2);
  auto differ = [](const Dim& a, const Dim& b) { return a.is_const() && b.is_const() && !(a == b); };
  const Dim &depth = w[k_axis], &blocks = s[k_axis];
  bool fits = !differ(w[1 - k_axis], s[1 - k_axis]) && !differ(ceildiv(depth, Dim(block)), blocks);
  if (fits && ctx.has(3) && ctx.has_rank(3)) {
    fits = !differ(ctx.shape(3)[0], s[0]) && !differ(ctx.shape(3)[1], s[1]);
  }
  if (!fits) {
    return ctx.error("scales or zero_points do not fit weights of shape " + to_string(w) + " in blocks of " +
                     std::to_string(block));
  }
  if (!ctx.has_rank(0) || !ctx.shape(0).back().is_const() || !depth.is_const()) return {};
  if (ctx.shape(0).back().value() <= depth.value()) return {};
  return ctx.error("rows of " + ctx.shape(0).back().to_string() + " do not fit weights of shape " + to_string(w));
}

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kInts | kSmallInts));
  MOTE_TRY(check_same_dtype(ctx, 0, 2));
  MOTE_TRY(check_same_dtype(ctx, 1, 3));
  MOTE_TRY(check_same_dtype(ctx, 0, 4));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  if (ctx.dtype(1) != DType::none && bits_of(ctx.dtype(1)) > 8) return ctx.error("weights of more than 8 bits");
  std::int64_t block = ctx.attr_int("block_size"), axis = ctx.attr_int("k_axis");
  if (block <= 0 || block > (std::int64_t{1} << 31)) return ctx.error("block_size must be positive");
  if (axis != 0 && axis != 1) return ctx.error("k_axis is 0 or 1");
  MOTE_TRY(check_shapes(ctx, block, static_cast<std::size_t>(axis)));
  std::optional<Shape> shape;
  if (ctx.has_rank(0) && ctx.has_rank(1)) {
    shape = ctx.shape(0);
    shape->back() = ctx.shape(1)[static_cast<std::size_t>(1 - axis)];
    if (ctx.has(4) && ctx.has_rank(4)) {
      MOTE_TRY(check_rank(ctx, 4, 1, 1));
      const Dim& n = ctx.shape(4)[0];
      if (n.is_const() && shape->back().is_const() && !(n == shape->back())) return ctx.error("bias is not [n]");
    }
  }
  Type result = Type::tensor(ctx.dtype(0), std::move(shape));
  MOTE_TRY(infer_epilogue(ctx, result));
  ctx.output(0, std::move(result));
  return {};
}

// The epilogue of a matmul, whose operands come two places earlier.
Result<std::vector<std::string>> moved_epilogue(const Node& node) {
  constexpr int kMatMulOperand = 3;
  MOTE_ASSIGN(std::vector<EpilogueStep> steps, parse_epilogue(attr_strings(*node.op, node.attrs, "epilogue")));
  std::vector<std::string> out;
  for (EpilogueStep& s : steps) {
    for (int* operand : {&s.operand, &s.operand2}) {
      if (*operand >= kFirstOperand) *operand += kMatMulOperand - kFirstOperand;
    }
    out.push_back(to_string(s));
  }
  return out;
}

// matmul(a, dequantize_linear(w)), cut to k.
Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) {
  auto in = [&](std::size_t i) { return i < node.inputs.size() ? node.inputs[i] : kNone; };
  ValueId a = in(0), w = in(1);
  if (!b.has_rank(a) || !b.has_rank(w)) return unsupported("matmul_nbits of unknown rank");
  const Dim k = b.shape(a).back();
  std::int64_t axis = attr_int(*node.op, node.attrs, "k_axis");
  std::vector<ValueId> quantized = {w, in(2)};
  if (in(3) != kNone) quantized.push_back(in(3));
  ValueId wide = b.add("dequantize_linear", quantized,
                       {{"axis", axis}, {"block_size", attr_int(*node.op, node.attrs, "block_size")}});
  if (b.status().ok() && !(b.shape(wide)[static_cast<std::size_t>(axis)] == k)) {
    if (!k.is_const()) return unsupported("matmul_nbits of unknown depth");
    wide = b.add("slice", {wide, b.ints({0}), b.ints({k.value()}), b.ints({axis})});
  }
  std::vector<ValueId> inputs = {a, wide};
  if (in(4) != kNone || node.inputs.size() > kFirstOperand) inputs.push_back(in(4));
  for (std::size_t i = kFirstOperand; i < node.inputs.size(); ++i) inputs.push_back(node.inputs[i]);
  std::vector<Attrs::Item> attrs;
  if (axis == 1) attrs.emplace_back("trans_b", std::int64_t{1});
  MOTE_ASSIGN(std::vector<std::string> steps, moved_epilogue(node));
  if (!steps.empty()) attrs.emplace_back("epilogue", std::move(steps));
  return std::vector{b.add("matmul", inputs, attrs)};
}

}  // namespace

MOTE_DEFINE_OP(matmul_nbits) = {.name = "matmul_nbits",
                                .doc =
                                    "The product with weights of few bits, (w - zero_points) * scales with a scale for "
                                    "every block along k, plus an optional bias and elementwise steps.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attrs = kAttrs,
                                .infer = infer};
MOTE_DEFINE_DECOMPOSITION(matmul_nbits) = decompose;

}  // namespace mote
