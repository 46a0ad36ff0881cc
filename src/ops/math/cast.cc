// cast, cast_like and bitcast: another dtype.
#include <charconv>
#include <cmath>

#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "any dtype and shape"}};
constexpr Slot kLikeInputs[] = {{"input", "any dtype and shape"}, {"target_type", "its dtype counts, nothing else"}};
constexpr Slot kOutputs[] = {{"output", "same shape"}};
constexpr AttrSpec kAttrs[] = {
    {"to", AttrKind::kDType, "", "the dtype to convert to", true},
    {"saturate", AttrKind::kInt, "1", "8-bit floats out of range: 1 the largest value, 0 infinity or NaN"},
    {"round_mode", AttrKind::kString, "\"up\"", "to f8e8m0: \"up\", \"down\" or \"nearest\" power of two"},
};
constexpr AttrSpec kLikeAttrs[] = {kAttrs[1], kAttrs[2]};
constexpr Slot kBitOutputs[] = {{"output",
                                 "the shape of the input; of a narrower dtype with one axis more, of a wider one "
                                 "without the last axis"}};
constexpr AttrSpec kBitAttrs[] = {{"to", AttrKind::kDType, "", "a dtype of whole bytes, or of the same width", true}};

std::optional<Rounding> rounding_of(const std::string& name) {
  if (name == "up") return Rounding::kUp;
  if (name == "down") return Rounding::kDown;
  if (name == "nearest") return Rounding::kNearest;
  return std::nullopt;
}

Status infer_to(InferContext& ctx, DType to) {
  MOTE_TRY(check_dtype(ctx, 0, kAny & ~kComplex));
  if (!rounding_of(ctx.attr_string("round_mode"))) {
    return ctx.error("round_mode '" + ctx.attr_string("round_mode") + "' is not up, down or nearest");
  }
  if ((class_of(to) & kComplex) != 0 && to != DType::none) return ctx.error("complex numbers are not converted");
  ctx.output(0, Type::tensor(to, ctx.type(0).shape));
  if (const KnownValue* v = ctx.value(0)) {
    KnownValue out = *v;
    for (Dim& d : out) {
      if (to != DType::boolean) continue;
      std::optional<bool> is_zero = known_equal(d, Dim(0));
      if (!is_zero) return {};
      d = Dim(*is_zero ? 0 : 1);
    }
    output_known(ctx, 0, to, std::move(out));
  } else if (const std::vector<double>* f = ctx.float_value(0); f && is_int(to) && bits_of(to) >= 8) {
    KnownValue out;
    for (double x : *f) {
      if (!(std::fabs(x) < 9e15)) return {};
      out.emplace_back(static_cast<std::int64_t>(x));
    }
    output_known(ctx, 0, to, std::move(out));
  }
  return {};
}

Status infer_cast(InferContext& ctx) { return infer_to(ctx, ctx.attr_dtype("to")); }
Status infer_like(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 1, kAny));
  return infer_to(ctx, ctx.dtype(1));
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t' || s.front() == '\n')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\n')) s.remove_suffix(1);
  if (s.starts_with('+')) s.remove_prefix(1);
  return s;
}

Status store_text(const TensorView& y, std::int64_t i, std::string_view text) {
  std::string_view s = trimmed(text);
  auto whole = [&](auto& x) {
    auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), x);
    return ec == std::errc() && end == s.data() + s.size();
  };
  std::int64_t n = 0;
  std::uint64_t u = 0;
  double x = 0;
  if (is_int(y.dtype) && whole(n)) {
    store_i64(y, i, n);
  } else if (y.dtype == DType::u64 && whole(u)) {
    y.as<std::uint64_t>()[i] = u;
  } else if (whole(x)) {
    store_f64(y, i, x);
  } else {
    return invalid("cast: '" + std::string(text) + "' (element " + std::to_string(i) + ") is not a number");
  }
  return {};
}

std::string text_of(const TensorView& x, std::int64_t i) {
  char buffer[64];
  char* end = buffer;
  if (x.dtype == DType::boolean) {
    return load_i64(x, i) ? "True" : "False";
  } else if (x.dtype == DType::u64) {
    end = std::to_chars(buffer, buffer + sizeof buffer, x.as<std::uint64_t>()[i]).ptr;
  } else if (is_int(x.dtype)) {
    end = std::to_chars(buffer, buffer + sizeof buffer, load_i64(x, i)).ptr;
  } else if (x.dtype == DType::f64) {
    end = std::to_chars(buffer, buffer + sizeof buffer, load_f64(x, i)).ptr;
  } else {
    end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(load_f64(x, i))).ptr;
  }
  std::string s(buffer, end);
  if (s == "inf") return "INF";
  if (s == "-inf") return "-INF";
  return s == "nan" || s == "-nan" ? "NaN" : s;
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::int64_t n = x.count();
  if (x.dtype == y.dtype) {
    copy_elements(ctx, x, 0, y, 0, n);
  } else if (x.dtype == DType::string) {
    for (std::int64_t i : ctx.range(n)) MOTE_TRY(store_text(y, i, ctx.string(x.as<StringRef>()[i])));
  } else if (y.dtype == DType::string) {
    for (std::int64_t i : ctx.range(n)) {
      MOTE_ASSIGN(y.as<StringRef>()[i], ctx.add_string(text_of(x, i)));
    }
  } else if (is_float(y.dtype) && bits_of(y.dtype) <= 8) {
    bool saturate = ctx.attr_int("saturate") != 0;
    Rounding rounding = *rounding_of(ctx.attr_string("round_mode"));
    for (std::int64_t i : ctx.range(n)) store_small_float(y, i, load_f64(x, i), saturate, rounding);
  } else if (!is_float(x.dtype) && y.dtype == DType::boolean) {
    for (std::int64_t i : ctx.range(n)) y.as<bool>()[i] = load_i64(x, i) != 0;
  } else if (!is_float(x.dtype) && !is_float(y.dtype)) {
    for (std::int64_t i : ctx.range(n)) store_i64(y, i, load_i64(x, i));
  } else {
    for (std::int64_t i : ctx.range(n)) store_f64(y, i, load_f64(x, i));
  }
  return {};
}

Result<std::vector<ValueId>> decompose_like(Builder& b, const Node& node) {
  std::vector<Attrs::Item> attrs = node.attrs.items();
  DType to = b.dtype(node.inputs[1]);
  if (to == DType::none) return unsupported("cast_like to a dtype not known yet has no decomposition");
  attrs.emplace_back("to", to);
  return std::vector{b.add("cast", {node.inputs[0]}, std::move(attrs))};
}

Status infer_bits(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kAny & ~kString));
  DType to = ctx.attr_dtype("to"), from = ctx.dtype(0);
  int wide = bits_of(to), narrow = from == DType::none ? wide : bits_of(from);
  if (wide == narrow || !ctx.has_rank(0)) {
    output_maybe(ctx, 0, to, wide == narrow ? ctx.type(0).shape : std::nullopt);
    return {};
  }
  if (wide == 0 || narrow == 0 || wide % 8 != 0 || narrow % 8 != 0 || (wide % narrow != 0 && narrow % wide != 0)) {
    return ctx.error("the bits of " + std::string(name_of(from)) + " are no whole number of " +
                     std::string(name_of(to)));
  }
  Shape shape = ctx.shape(0);
  if (narrow > wide) {
    shape.emplace_back(narrow / wide);
  } else {
    if (shape.empty() || (shape.back().is_const() && !shape.back().is(wide / narrow))) {
      return ctx.error("the last axis does not have the " + std::to_string(wide / narrow) + " elements of one " +
                       std::string(name_of(to)));
    }
    shape.pop_back();
  }
  ctx.output(0, to, std::move(shape));
  return {};
}

Status run_bits(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (x.bytes() != y.bytes()) return invalid("bitcast got a last axis of another extent");
  copy_bytes(ctx, x, y);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(bitcast) = {.name = "bitcast",
                           .doc = "The same bytes, read as another dtype; low bytes first.",
                           .inputs = kInputs,
                           .outputs = kBitOutputs,
                           .attrs = kBitAttrs,
                           .infer = infer_bits};
MOTE_DEFINE_REFERENCE(bitcast) = run_bits;

MOTE_DEFINE_OP(cast) = {.name = "cast",
                        .doc =
                            "The elements converted. Floats to integers truncate and saturate, NaN gives 0; "
                            "integers to narrower ones, and anything to 2 or 4 bits, wrap; strings are read "
                            "and written as decimal numbers.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attrs = kAttrs,
                        .infer = infer_cast,
                        .flags = kElementwise};
MOTE_DEFINE_REFERENCE(cast) = run;

MOTE_DEFINE_OP(cast_like) = {.name = "cast_like",
                             .doc = "cast to the dtype of another tensor.",
                             .inputs = kLikeInputs,
                             .outputs = kOutputs,
                             .attrs = kLikeAttrs,
                             .infer = infer_like};
MOTE_DEFINE_REFERENCE(cast_like) = run;
MOTE_DEFINE_DECOMPOSITION(cast_like) = decompose_like;

}  // namespace mote
