// Operands of references as doubles, so that naive loops read and write plain arrays whatever the dtype.
#pragma once

#include <span>

#include "ops/element.h"
#include "ops/reference.h"

namespace mote {

// Zeroed doubles that live until the step ends.
inline Result<std::span<double>> wide_scratch(ReferenceContext& ctx, std::int64_t count) {
  MOTE_ASSIGN(std::span<std::byte> bytes, ctx.scratch(static_cast<std::size_t>(count) * sizeof(double)));
  return std::span<double>(reinterpret_cast<double*>(bytes.data()), static_cast<std::size_t>(count));
}

// The elements of a dense numeric tensor: its own memory for f64, else a copy.
inline Result<std::span<const double>> widen(ReferenceContext& ctx, const TensorView& v) {
  std::int64_t n = v.count();
  if (v.dtype == DType::f64) return std::span<const double>(v.as<double>(), static_cast<std::size_t>(n));
  MOTE_ASSIGN(std::span<double> out, wide_scratch(ctx, n));
  for (std::int64_t i : ctx.range(n)) out[static_cast<std::size_t>(i)] = load_f64(v, i);
  return std::span<const double>(out);
}

// Stores `values` as the elements of `to`, rounded as store_f64 does.
inline void narrow(ReferenceContext& ctx, std::span<const double> values, const TensorView& to) {
  for (std::size_t i : ctx.range(values.size())) store_f64(to, static_cast<std::int64_t>(i), values[i]);
}

// Calls f(index) for every index of a box with the given extents, last axis fastest. `work`: of one, beyond what it
// spends itself.
template <class F>
void for_each_index(ReferenceContext& ctx, std::span<const std::int64_t> extents, const F& f, std::int64_t work = 1) {
  for (std::int64_t e : extents) {
    if (e <= 0) return;
  }
  std::vector<std::int64_t> index(extents.size(), 0);
  while (ctx.spend(work)) {
    f(std::span<const std::int64_t>(index));
    std::size_t a = extents.size();
    while (a > 0 && ++index[a - 1] == extents[a - 1]) index[--a] = 0;
    if (a == 0) return;
  }
}

}  // namespace mote
