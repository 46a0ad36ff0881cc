// qlinear_softmax: softmax of quantized tensors, in integers.
#include <algorithm>
#include <cmath>

#include "base/fixed_math.h"
#include "kernels/qmap/softmax.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/loops.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

using kernels::qmap::Softmax16, kernels::qmap::Softmax8;

constexpr Slot kInputs[] = {{"x", "u8, i8 or i16; the last axis is normalized"}, {"x_scale", "f32, one element"}};
constexpr Slot kOutputs[] = {{"y",
                              "shape of x, the least value for 0: i8 and u8 in units of 1/256, i16 from u8 or i8 of "
                              "1/65536, i16 from i16, whose 0 is 0, of 1/32768"}};
constexpr AttrSpec kAttrs[] = {{"beta", AttrKind::kFloat, "1.0", "what x is multiplied by"},
                               {"output_dtype", AttrKind::kDType, "", "dtype of y; default: that of x"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kInts));
  MOTE_TRY(check_dtype(ctx, 1, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  if (ctx.has_rank(1) && known_count(ctx.shape(1)) != 1) return ctx.error("x_scale has one element");
  const DType x = ctx.dtype(0), y = ctx.has_attr("output_dtype") ? ctx.attr_dtype("output_dtype") : x;
  if (x != DType::none && ((bits_of(x) != 8 && x != DType::i16) || (y != x && y != DType::i16)))
    return ctx.error("x is u8, i8 or i16, y the same or i16");
  ctx.output(0, Type::tensor(y, ctx.type(0).shape));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  const std::int64_t n = x.dims[x.rank - 1];
  const double scale = load_f64(ctx.in(1), 0), beta = static_cast<float>(ctx.attr_float("beta"));
  const bool wide = x.dtype == DType::i16;
  const Softmax16 table16 = wide ? kernels::qmap::softmax_tables_16(scale, beta) : Softmax16();
  const Softmax8 table8 = wide ? Softmax8() : kernels::qmap::softmax_table_8(scale, beta);
  const std::int64_t least = is_signed_int(y.dtype) ? -(std::int64_t{1} << (bits_of(y.dtype) - 1)) : 0;
  for (std::int64_t row = 0; n > 0 && row < x.count() && ctx.spend(1); row += n) {
    std::int64_t top = load_i64(x, row);
    for (std::int64_t i : ctx.range_from<std::int64_t>(1, n)) top = std::max(top, load_i64(x, row + i));
    std::int32_t sum = 0;
    for (std::int64_t i : ctx.range(n)) {
      const std::int64_t below = top - load_i64(x, row + i);
      sum = fixed::wrap_add32(sum, wide ? table16.exp_of(below) : table8.term(below));
    }
    if (ctx.stopped()) break;  // there are no reciprocals of what is no sum
    const Softmax16::Divisor by = wide ? table16.divisor(sum) : Softmax16::Divisor();
    const fixed::Reciprocal r = wide ? fixed::Reciprocal() : fixed::reciprocal(sum, 12);
    for (std::int64_t i : ctx.range(n)) {
      const std::int64_t below = top - load_i64(x, row + i);
      store_i64(y, row + i, wide ? table16.quotient(below, by) : table8.quotient(below, r, bits_of(y.dtype), least));
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(qlinear_softmax) = {.name = "qlinear_softmax",
                                   .doc =
                                       "exp((x - max) * x_scale * beta) over its sum along the last axis, in fixed "
                                       "point: docs/numerics.md.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attrs = kAttrs,
                                   .infer = infer};
MOTE_DEFINE_REFERENCE(qlinear_softmax) = run;

}  // namespace mote
