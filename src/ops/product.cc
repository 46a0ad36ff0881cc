#include "ops/product.h"

#include <algorithm>

namespace mote {

Result<std::optional<Shape>> infer_product(const InferContext& ctx, int a, int b, bool trans_a, bool trans_b) {
  MOTE_TRY(check_rank(ctx, a, 1, 1000));
  MOTE_TRY(check_rank(ctx, b, 1, 1000));
  if (!ctx.has_rank(a) || !ctx.has_rank(b)) return std::optional<Shape>();
  Shape x = ctx.shape(a), y = ctx.shape(b);
  bool row = x.size() == 1, column = y.size() == 1;
  if (row) x.insert(x.begin(), Dim(1));
  if (column) y.push_back(Dim(1));
  if (trans_a && !row) std::swap(x[x.size() - 1], x[x.size() - 2]);
  if (trans_b && !column) std::swap(y[y.size() - 1], y[y.size() - 2]);
  const Dim &k = x.back(), &l = y[y.size() - 2];
  if (k.is_const() && l.is_const() && !(k == l)) {
    return ctx.error("matrices of shapes " + to_string(ctx.shape(a)) + " and " + to_string(ctx.shape(b)) +
                     " do not multiply: " + k.to_string() + " is not " + l.to_string());
  }
  Result<Shape> out = broadcast(Shape(x.begin(), x.end() - 2), Shape(y.begin(), y.end() - 2));
  if (!out.ok()) return ctx.error("batches: " + std::string(out.status().message()));
  if (!row) out->push_back(x[x.size() - 2]);
  if (!column) out->push_back(y.back());
  return std::optional<Shape>(*std::move(out));
}

Product product_of(const TensorView& a, const TensorView& b, bool trans_a, bool trans_b) {
  Product p;
  int a_batch = std::max(a.rank - 2, 0), b_batch = std::max(b.rank - 2, 0), rank = std::max(a_batch, b_batch);
  for (int i = 0; i < rank; ++i) {
    int x = i - (rank - a_batch), y = i - (rank - b_batch);
    std::int64_t dx = x >= 0 ? a.dims[x] : 1, dy = y >= 0 ? b.dims[y] : 1;
    p.batch.push_back(dx == 1 ? dy : dx);
    p.a_batch[static_cast<std::size_t>(i)] = dx == 1 ? 0 : a.strides[x];
    p.b_batch[static_cast<std::size_t>(i)] = dy == 1 ? 0 : b.strides[y];
  }
  auto split = [](const TensorView& v, bool swap, std::int64_t& rows, std::int64_t& cols, std::int64_t& row_stride,
                  std::int64_t& col_stride) {
    rows = v.dims[v.rank - 2];
    cols = v.dims[v.rank - 1];
    row_stride = v.strides[v.rank - 2];
    col_stride = v.strides[v.rank - 1];
    if (swap) {
      std::swap(rows, cols);
      std::swap(row_stride, col_stride);
    }
  };
  if (a.rank == 1) {
    p.k = a.dims[0];
  } else {
    split(a, trans_a, p.m, p.k, p.a_m, p.a_k);
  }
  if (b.rank > 1) {
    std::int64_t k = 0;
    split(b, trans_b, k, p.n, p.b_k, p.b_n);
  }
  return p;
}

}  // namespace mote
