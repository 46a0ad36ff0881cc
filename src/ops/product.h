// Matrix products as numpy defines them (vectors promoted, batches broadcast), for the inference and the references of
// matmul, gemm, matmul_integer and qlinear_matmul.
#pragma once

#include "ops/infer_util.h"
#include "ops/loops.h"

namespace mote {

// The shape of inputs a times b, the last two axes of either exchanged first where asked (matrices only). Nothing when
// a rank is unknown.
Result<std::optional<Shape>> infer_product(const InferContext& ctx, int a, int b, bool trans_a = false,
                                           bool trans_b = false);

// Where the elements of a product's operands are. Batch axes broadcast; a vector has no m (or no n).
struct Product {
  std::vector<std::int64_t> batch;
  Strides a_batch{}, b_batch{};
  std::int64_t m = 1, n = 1, k = 1;
  std::int64_t a_m = 0, a_k = 1, b_k = 1, b_n = 0;  // strides
};
Product product_of(const TensorView& a, const TensorView& b, bool trans_a = false, bool trans_b = false);

// Calls f(output index, offset in a, offset in b, row m, column n) for every element of the product, in order; its
// terms are a[a0 + i * p.a_k] * b[b0 + i * p.b_k].
template <class F>
void each_dot(ReferenceContext& ctx, const Product& p, F&& f) {
  std::int64_t out = 0;
  walk<2>(ctx, p.batch, {p.a_batch, p.b_batch}, [&](const auto& at) {
    for (std::int64_t m : ctx.range(p.m)) {
      for (std::int64_t n : ctx.range(p.n)) f(out++, at[0] + m * p.a_m, at[1] + n * p.b_n, m, n);
    }
  });
}

}  // namespace mote
