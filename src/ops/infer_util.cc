#include "ops/infer_util.h"

#include <algorithm>
#include <limits>
#include <string>

namespace mote {
namespace {

std::string input_name(const InferContext& ctx, int i) {
  std::span<const Slot> slots = ctx.op().inputs;
  if (slots.empty()) return "input " + std::to_string(i);
  const Slot& slot = slots[std::min(static_cast<std::size_t>(i), slots.size() - 1)];
  std::string name(slot.name);
  if (slot.arity == Arity::kVariadic) name += "[" + std::to_string(i - static_cast<int>(slots.size()) + 1) + "]";
  return name;
}

bool fits(DType t, const Dim& d) {
  if (!d.is_const()) return true;
  std::int64_t v = d.value();
  if (t == DType::boolean) return v == 0 || v == 1;
  int bits = bits_of(t);
  if (is_unsigned_int(t)) return v >= 0 && (bits >= 63 || v < (std::int64_t{1} << bits));
  if (bits >= 64) {
    return v != std::numeric_limits<std::int64_t>::max() && v != std::numeric_limits<std::int64_t>::min();
  }
  return v >= -(std::int64_t{1} << (bits - 1)) && v < (std::int64_t{1} << (bits - 1));
}

std::optional<std::int64_t> least(const Dim& d, std::int64_t low);

std::optional<std::int64_t> least(const Dim::Atom& atom, std::int64_t low) {
  if (atom.fn == Dim::Fn::kSymbol) return low;
  std::optional<std::int64_t> a = least(atom.a, low), b = least(atom.b, low);
  switch (atom.fn) {
    case Dim::Fn::kMax:
      return a && b ? std::max(*a, *b) : a ? a : b;
    case Dim::Fn::kMin:
      return a && b ? std::optional(std::min(*a, *b)) : std::nullopt;
    case Dim::Fn::kMod:
      return b && *b > 0 ? std::optional<std::int64_t>(0) : std::nullopt;
    default:
      return a && b && *a >= 0 && *b > 0 ? std::optional<std::int64_t>(0) : std::nullopt;
  }
}

// A lower bound of d over all symbols of at least `low`, where one is plain to see.
std::optional<std::int64_t> least(const Dim& d, std::int64_t low) {
  std::int64_t sum = d.constant_term();
  for (const Dim::Term& t : d.terms()) {
    std::int64_t product = t.coef;
    for (const auto& f : t.factors) {
      std::optional<std::int64_t> x = least(*f, low);
      if (t.coef < 0 || !x || *x < 0 || __builtin_mul_overflow(product, *x, &product)) return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum)) return std::nullopt;
  }
  return sum;
}

}  // namespace

std::uint32_t class_of(DType t) {
  switch (t) {
    case DType::f16:
    case DType::bf16:
    case DType::f32:
    case DType::f64:
      return kFloats;
    case DType::f8e4m3fn:
    case DType::f8e4m3fnuz:
    case DType::f8e5m2:
    case DType::f8e5m2fnuz:
      return kFloat8;
    case DType::f4e2m1:
    case DType::f8e8m0:
      return kFloat4;
    case DType::i4:
    case DType::i2:
      return kSmallSigned;
    case DType::u4:
    case DType::u2:
      return kSmallUnsigned;
    case DType::boolean:
      return kBool;
    case DType::string:
      return kString;
    case DType::c64:
    case DType::c128:
      return kComplex;
    case DType::none:
      return kAny;
    default:
      return is_signed_int(t) ? kSigned : kUnsigned;
  }
}

Status check_dtype(const InferContext& ctx, int i, std::uint32_t classes) {
  if (!ctx.has(i)) return {};
  const Type& t = ctx.type(i);
  if (!t.is_tensor()) return ctx.error(input_name(ctx, i) + " is " + t.to_string() + ", not a tensor");
  if ((class_of(t.dtype) & classes) != 0) return {};
  return ctx.error(input_name(ctx, i) + " has dtype " + std::string(name_of(t.dtype)) +
                   ", which this op does not take");
}

Status check_same_dtype(const InferContext& ctx, int a, int b) {
  if (!ctx.has(a) || !ctx.has(b)) return {};
  DType x = ctx.dtype(a), y = ctx.dtype(b);
  if (x == y || x == DType::none || y == DType::none) return {};
  return ctx.error(input_name(ctx, a) + " has dtype " + std::string(name_of(x)) + " and " + input_name(ctx, b) + " " +
                   std::string(name_of(y)) + "; they must be the same");
}

Status check_rank(const InferContext& ctx, int i, int lo, int hi) {
  if (!ctx.has_rank(i) || (ctx.rank(i) >= lo && ctx.rank(i) <= hi)) return {};
  std::string want = lo == hi     ? std::to_string(lo)
                     : hi >= 1000 ? "at least " + std::to_string(lo)
                                  : std::to_string(lo) + " to " + std::to_string(hi);
  return ctx.error(input_name(ctx, i) + " has rank " + std::to_string(ctx.rank(i)) + ", not " + want);
}

Status check_tensors(const InferContext& ctx) {
  for (int i = 0; i < ctx.inputs(); ++i) MOTE_TRY(check_dtype(ctx, i, kAny));
  return {};
}

Result<std::optional<Shape>> broadcast_inputs(const InferContext& ctx, int first, int last) {
  Shape shape;
  for (int i = first; i < last; ++i) {
    if (!ctx.has(i)) continue;
    if (!ctx.has_rank(i)) return std::optional<Shape>();
    Result<Shape> both = broadcast(shape, ctx.shape(i));
    if (!both.ok()) return ctx.error(std::string(both.status().message()));
    shape = *std::move(both);
  }
  return std::optional<Shape>(std::move(shape));
}

Result<std::vector<int>> normal_axes(const InferContext& ctx, const std::vector<std::int64_t>& axes, int rank) {
  std::vector<int> out;
  for (std::int64_t a : axes) {
    MOTE_ASSIGN(int axis, ctx.axis(a, rank));
    if (std::find(out.begin(), out.end(), axis) != out.end()) {
      return ctx.error("axis " + std::to_string(a) + " is given twice");
    }
    out.push_back(axis);
  }
  return out;
}

void output_maybe(InferContext& ctx, int i, DType dtype, std::optional<Shape> shape) {
  ctx.output(i, Type::tensor(dtype, std::move(shape)));
}

void pass_known(InferContext& ctx) {
  if (const KnownValue* v = ctx.value(0)) ctx.output_value(0, *v);
}

std::optional<KnownValue> known_broadcast(const InferContext& ctx, int i, const Shape& shape) {
  const KnownValue* v = ctx.value(i);
  std::int64_t n = known_count(shape);
  if (!v || n < 0 || !ctx.has_rank(i)) return std::nullopt;
  const Shape& from = ctx.shape(i);
  if (known_count(from) != static_cast<std::int64_t>(v->size()) || from.size() > shape.size()) return std::nullopt;
  KnownValue out;
  out.reserve(static_cast<std::size_t>(n));
  std::size_t shift = shape.size() - from.size();
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t rest = k, index = 0, step = 1;
    for (std::size_t axis = shape.size(); axis-- > shift;) {
      std::int64_t extent = from[axis - shift].value(), at = rest % shape[axis].value();
      rest /= shape[axis].value();
      if (extent != 1) index += at * step;
      step *= extent;
    }
    out.push_back((*v)[static_cast<std::size_t>(index)]);
  }
  return out;
}

void output_known(InferContext& ctx, int i, DType dtype, KnownValue value) {
  if (!is_int(dtype) && dtype != DType::boolean) return;
  for (const Dim& d : value) {
    if (!fits(dtype, d)) return;
  }
  ctx.output_value(i, std::move(value));
}

void known_map(InferContext& ctx, KnownUnary f) {
  const KnownValue* v = ctx.value(0);
  if (!v || ctx.out_types_.empty()) return;
  KnownValue out;
  for (const Dim& d : *v) {
    std::optional<Dim> y = f(d);
    if (!y) return;
    out.push_back(*std::move(y));
  }
  output_known(ctx, 0, ctx.out_types_[0].dtype, std::move(out));
}

void known_map(InferContext& ctx, const Shape& shape, KnownBinary f) {
  if (!ctx.value(0) || !ctx.value(1)) return;
  std::optional<KnownValue> x = known_broadcast(ctx, 0, shape), y = known_broadcast(ctx, 1, shape);
  if (!x || !y) return;
  KnownValue out;
  for (std::size_t i = 0; i < x->size(); ++i) {
    std::optional<Dim> z = f((*x)[i], (*y)[i]);
    if (!z) return;
    out.push_back(*std::move(z));
  }
  output_known(ctx, 0, ctx.out_types_[0].dtype, std::move(out));
}

Dim at_least_zero(const Dim& d) {
  std::optional<std::int64_t> low = least(d, 0);
  return low && *low >= 0 ? d : max(d, Dim(0));
}

bool never_negative(const Dim& d) {
  std::optional<std::int64_t> low = least(d, 1);
  return low && *low >= 0;
}

std::optional<bool> known_less(const Dim& x, const Dim& y) {
  Dim d = y - x;
  if (std::optional<std::int64_t> low = least(d, 0); low && *low > 0) return true;
  if (std::optional<std::int64_t> low = least(x - y, 0); low && *low >= 0) return false;
  return std::nullopt;
}

std::optional<bool> known_equal(const Dim& x, const Dim& y) {
  if (x == y) return true;
  std::optional<bool> less = known_less(x, y), more = known_less(y, x);
  if ((less && *less) || (more && *more)) return false;
  return std::nullopt;
}

std::optional<Dim> truncating_div(const Dim& x, const Dim& y) {
  if (x.is_const() && y.is_const()) {
    if (y.value() == 0) return Dim(0);
    if (y.value() == -1) return Dim(0) - x;
    return Dim(x.value() / y.value());
  }
  if (y.is_const() ? y.value() > 0 : never_negative(y)) {
    if (never_negative(x)) return floordiv(x, y);
  }
  return std::nullopt;
}

}  // namespace mote
