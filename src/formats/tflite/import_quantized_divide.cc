// Quotients and products of quantized tensors, and operators that take stored values for numbers.
#include <algorithm>
#include <bit>
#include <cmath>

#include "base/fixed_math.h"
#include "formats/tflite/compose.h"
#include "formats/tflite/quantized.h"
#include "simd/math64.h"

namespace mote::tflite {
namespace {

// A function of two operands of 8 bits as one table, by the bits of both.
template <class F>
ValueId by_pairs(NodeContext& n, const Scaled& a, const Scaled& b, const Scaled& y, F f) {
  Ints table;
  for (std::int64_t i = 0; i < 65536; ++i) {
    auto stored = [](const Scaled& s, std::int64_t bits) { return bits > s.greatest() ? bits - 256 : bits; };
    table.push_back(f(stored(a, i >> 8), stored(b, i & 255)));
  }
  auto bits = [&](const Scaled& s) {
    return n.cast(s.dtype == DType::u8 ? s.value : n.emit("bitcast", {s.value}, {{"to", DType::u8}}), DType::i32);
  };
  const ValueId pair = n.emit("add", {n.emit("mul", {bits(a), n.scalar(256, DType::i32)}), bits(b)});
  return n.emit("lookup", {n.cast(pair, DType::u16), integers(n, y.dtype, table, {65536})});
}

}  // namespace

// Of 8 bits as a table.
Status quantized_div(NodeContext& n) {
  auto* o = n.options<fbs::ActivationOptions>(fbs::BuiltinOptions::Div);
  const Scaled a = scaled_input(n, 0), b = scaled_input(n, 1), y = scaled_output(n);
  if (n.failed()) return {};
  if (bits_of(a.dtype) != 8 || bits_of(b.dtype) != 8) return binary(n, "div", activation_of(o), false);
  Ints range = range_of(y, activation_of(o));
  if (range.empty()) range = {y.least(), y.greatest()};
  const FixedScale scale = fixed_scale(static_cast<double>(a.scale / (b.scale * y.scale)));
  n.output(0, by_pairs(n, a, b, y, [&](std::int64_t u, std::int64_t v) {
             const std::int64_t q =
                 fixed::quotient(static_cast<std::int32_t>(u - a.zero), static_cast<std::int32_t>(v - b.zero), scale);
             return std::clamp(q + y.zero, range[0], range[1]);
           }));
  return {};
}

Status quantized_reduce_prod(NodeContext& n) {
  auto* o = n.options<fbs::ReducerOptions>(fbs::BuiltinOptions::Reducer);
  const Scaled x = scaled_input(n, 0), y = scaled_output(n);
  if (n.failed()) return {};
  ValueId axes = vector_of(n, n.in(1));
  if (std::optional<Ints> known = n.ints_of(n.in(1))) {  // some may be named twice
    const int rank = n.need_rank(x.value);
    if (n.failed()) return {};
    for (std::int64_t& a : *known) a = n.axis(a, rank);
    if (n.failed()) return {};
    std::sort(known->begin(), known->end());
    known->erase(std::unique(known->begin(), known->end()), known->end());
    axes = n.ints(*known);
  }
  n.output(0,
           n.emit("qlinear_reduce_prod", {x.value, axes, scale_of(n, x), zero_of(n, x), scale_of(n, y), zero_of(n, y)},
                  {{"keepdims", std::int64_t{o && o->keep_dims()}}, {"noop_with_empty_axes", std::int64_t{1}}}));
  return {};
}

namespace {

// The reference kernels know i8 and i16 here, and take no notice of the units.
bool stored_numbers(NodeContext& n) {
  const DType t = n.dtype(n.in(0));
  if (t == DType::i8 || t == DType::i16) return true;
  n.unsupported(std::string(n.op_name()) + " of quantized tensors other than i8 and i16");
  return false;
}

}  // namespace

Status import_floor_div(NodeContext& n);
Status quantized_floor_div(NodeContext& n) { return stored_numbers(n) ? import_floor_div(n) : Status(); }
Status quantized_floor_mod(NodeContext& n) {
  if (stored_numbers(n)) n.same("mod", {n.in(0), n.in(1)});
  return {};
}
Status quantized_neg(NodeContext& n) {
  if (stored_numbers(n)) n.same("neg", {n.in(0)});
  return {};
}

}  // namespace mote::tflite
