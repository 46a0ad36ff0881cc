// det: the determinant of square matrices.
#include <cmath>

#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"x", "[..., n, n]"}};
constexpr Slot kOutputs[] = {{"y", "[...]"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_rank(ctx, 0, 2, 1000));
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  const Shape& s = ctx.shape(0);
  const Dim &rows = s[s.size() - 2], &cols = s.back();
  if (rows.is_const() && cols.is_const() && !(rows == cols))
    return ctx.error("a matrix of " + to_string(s) + " is not square");
  ctx.output(0, ctx.dtype(0), Shape(s.begin(), s.end() - 2));
  return {};
}

// Gaussian elimination with partial pivoting, in place.
double determinant(ReferenceContext& ctx, std::span<double> m, std::size_t n) {
  double det = 1;
  for (std::size_t k : ctx.range(n)) {
    std::size_t pivot = k;
    for (std::size_t i : ctx.range_from(k + 1, n)) {
      if (std::fabs(m[i * n + k]) > std::fabs(m[pivot * n + k])) pivot = i;
    }
    double p = m[pivot * n + k];
    if (p == 0) return 0;
    if (pivot != k) {
      for (std::size_t j : ctx.range(n)) std::swap(m[k * n + j], m[pivot * n + j]);
      det = -det;
    }
    det *= p;
    for (std::size_t i : ctx.range_from(k + 1, n)) {
      double f = m[i * n + k] / p;
      for (std::size_t j : ctx.range_from(k, n)) m[i * n + j] -= f * m[k * n + j];
    }
  }
  return det;
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t n = x.dims[x.rank - 1];
  MOTE_ASSIGN(std::span<double> m, wide_scratch(ctx, n * n));
  for (std::int64_t b : ctx.range(y.count())) {
    for (std::int64_t i : ctx.range(n * n)) m[static_cast<std::size_t>(i)] = load_f64(x, b * n * n + i);
    store_f64(y, b, determinant(ctx, m, static_cast<std::size_t>(n)));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(det) = {.name = "det",
                       .doc = "The determinant of each matrix; of an empty one, 1.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .infer = infer};
MOTE_DEFINE_REFERENCE(det) = run;

}  // namespace mote
