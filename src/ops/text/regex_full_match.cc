// regex_full_match: which strings match a pattern as a whole.
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/text/regex.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "strings"}};
constexpr Slot kOutputs[] = {{"y", "boolean, shape of x"}};
constexpr AttrSpec kAttrs[] = {{"pattern", AttrKind::kString, "\"\"", "in RE2's syntax"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kString));
  Result<Regex> regex = Regex::compile(ctx.attr_string("pattern"));
  if (!regex.ok()) return ctx.error(std::string(regex.status().message()));
  ctx.output(0, Type::tensor(DType::boolean, ctx.type(0).shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(Regex regex, Regex::compile(ctx.attr_string("pattern")));
  MOTE_ASSIGN(TensorView y, ctx.out(0, DType::boolean, x.shape()));
  for (std::int64_t i : ctx.range(x.count())) {
    y.as<bool>()[i] =
        regex.full_match(ctx.string(x.as<StringRef>()[i]), [&](std::int64_t work) { return ctx.spend(work); });
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(regex_full_match) = {.name = "regex_full_match",
                                    .doc = "Whether each string matches a regular expression as a whole.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attrs = kAttrs,
                                    .infer = infer};
MOTE_DEFINE_REFERENCE(regex_full_match) = run;

}  // namespace mote
