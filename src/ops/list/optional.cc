// Optionals: a tensor or list that may be missing. At run time one holds the tensor, or the list's elements, or
// nothing; an optional of an empty list counts as missing.
#include "ir/text.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kMakeInputs[] = {{"input", "a tensor or list; absent: a missing one", Arity::kOptional}};
constexpr Slot kMakeOutputs[] = {{"output", "the optional"}};
constexpr AttrSpec kMakeAttrs[] = {
    {"type", AttrKind::kString, "\"f32[?]\"", "type of a missing element, such as \"list(i64[?])\""}};
constexpr Slot kHasInputs[] = {{"input", "an optional, tensor or list; absent: a missing one", Arity::kOptional}};
constexpr Slot kHasOutputs[] = {{"output", "boolean scalar"}};
constexpr Slot kGetInputs[] = {{"input", "an optional, tensor or list"}};
constexpr Slot kGetOutputs[] = {{"output", "what the optional holds"}};

Status infer_make(InferContext& ctx) {
  if (ctx.has(0)) {
    ctx.output(0, Type::optional(ctx.type(0)));
    return {};
  }
  Result<Type> type = parse_type(ctx.attr_string("type"));
  if (!type.ok()) return ctx.error("type: " + std::string(type.status().message()));
  ctx.output(0, Type::optional(*std::move(type)));
  return {};
}

Status run_make(ReferenceContext& ctx) {
  if (!ctx.has(0)) return ctx.out_list(0, {});
  return ctx.out_list(0, ctx.is_list(0) ? ctx.list(0) : std::vector<TensorView>{ctx.in(0)});
}

Status infer_has(InferContext& ctx) {
  ctx.output(0, DType::boolean, {});
  if (!ctx.has(0) || ctx.type(0).kind != Type::Kind::kOptional) ctx.output_value(0, {Dim(ctx.has(0) ? 1 : 0)});
  return {};
}

Status run_has(ReferenceContext& ctx) {
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::boolean, {}));
  y.as<bool>()[0] = ctx.has(0) && (!ctx.is_list(0) || !ctx.list(0).empty());
  return {};
}

Status infer_get(InferContext& ctx) {
  const Type& t = ctx.type(0);
  ctx.output(0, t.kind == Type::Kind::kOptional ? *t.of : t);
  return {};
}

Status run_get(ReferenceContext& ctx) {
  if (ctx.gives_list(0)) return ctx.out_list(0, ctx.list(0));
  std::vector<TensorView> items = ctx.is_list(0) ? ctx.list(0) : std::vector<TensorView>{ctx.in(0)};
  if (items.empty()) return Status(Code::kOutOfRange, "optional_get_element: the optional is empty");
  MOTE_ASSIGN(TensorView y, ctx.out(0, items[0].dtype, items[0].shape()));
  copy_elements(ctx, items[0], 0, y, 0, y.count());
  return {};
}

}  // namespace

MOTE_DEFINE_OP(optional) = {.name = "optional",
                            .doc = "An optional that holds the input, or nothing.",
                            .inputs = kMakeInputs,
                            .outputs = kMakeOutputs,
                            .attrs = kMakeAttrs,
                            .infer = infer_make,
                            .list_operands = 1};
MOTE_DEFINE_REFERENCE(optional) = run_make;

MOTE_DEFINE_OP(optional_get_element) = {.name = "optional_get_element",
                                        .doc = "What an optional holds; tensors and lists pass.",
                                        .inputs = kGetInputs,
                                        .outputs = kGetOutputs,
                                        .infer = infer_get,
                                        .flags = kDataDependent,
                                        .list_operands = 1};
MOTE_DEFINE_REFERENCE(optional_get_element) = run_get;

MOTE_DEFINE_OP(optional_has_element) = {.name = "optional_has_element",
                                        .doc = "Whether an optional holds something.",
                                        .inputs = kHasInputs,
                                        .outputs = kHasOutputs,
                                        .infer = infer_has,
                                        .list_operands = 1};
MOTE_DEFINE_REFERENCE(optional_has_element) = run_has;

}  // namespace mote
