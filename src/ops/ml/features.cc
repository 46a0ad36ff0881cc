// Simple feature transforms of ai.onnx.ml: array_feature_extractor, binarizer, label_encoder.
#include <cmath>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kExtractInputs[] = {{"x", "[..., n]"}, {"y", "i64, indices into the last axis; any shape"}};
constexpr Slot kExtractOutputs[] = {{"z", "[..., count of y]; [1, count] for a vector x"}};
constexpr Slot kInputs[] = {{"x", "any shape"}};
constexpr Slot kOutputs[] = {{"y", "shape of x"}};
constexpr AttrSpec kBinarizeAttrs[] = {{"threshold", AttrKind::kFloat, "0.0", "what x must exceed to give 1"}};
constexpr AttrSpec kEncodeAttrs[] = {
    {"keys_floats", AttrKind::kFloats, "", "keys of a float x; NaN matches NaN"},
    {"keys_int64s", AttrKind::kInts, "", "keys of an integer x"},
    {"keys_strings", AttrKind::kStrings, "", "keys of a string x"},
    {"values_floats", AttrKind::kFloats, "", "what each key becomes"},
    {"values_int64s", AttrKind::kInts, "", "what each key becomes"},
    {"values_strings", AttrKind::kStrings, "", "what each key becomes"},
    {"default_float", AttrKind::kFloat, "-0.0", "what other elements become"},
    {"default_int64", AttrKind::kInt, "-1", "what other elements become"},
    {"default_string", AttrKind::kString, "\"_Unused\"", "what other elements become"},
    {"dtype", AttrKind::kDType, "", "dtype of y; default: f32, i64 or string, as the values"},
};

Status infer_extract(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers | kString));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  MOTE_TRY(check_rank(ctx, 0, 1, 1000));
  if (!ctx.has_rank(0)) {
    output_maybe(ctx, 0, ctx.dtype(0), std::nullopt);
    return {};
  }
  Shape out = ctx.shape(0);
  if (out.size() == 1) out.insert(out.begin(), Dim(1));
  out.back() = ctx.has_rank(1) ? volume(ctx.shape(1)) : ctx.fresh();
  ctx.output(0, ctx.dtype(0), std::move(out));
  return {};
}

Status run_extract(ReferenceContext& ctx) {
  const TensorView &x = ctx.in(0), &indices = ctx.in(1);
  MOTE_ASSIGN(TensorView z, infer_out(ctx));
  std::int64_t n = x.dims[x.rank - 1], count = indices.count();
  for (std::int64_t i : ctx.range(count)) {
    std::int64_t at = load_i64(indices, i);
    if (at < 0 || at >= n) return out_of_range("y", i, at, 0, n - 1);
    for (std::int64_t row : ctx.range(z.count() / count)) copy_elements(x, row * n + at, z, row * count + i, 1);
  }
  return {};
}

Status infer_binarize(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  ctx.output(0, ctx.type(0));
  return {};
}

Status run_binarize(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, ctx.out(0, x.dtype, x.shape()));
  for (std::int64_t i : ctx.range(x.count())) store_f64(y, i, load_f64(x, i) > ctx.attr_float("threshold") ? 1 : 0);
  return {};
}

Status infer_encode(InferContext& ctx) {
  const bool is_string = ctx.dtype(0) == DType::string, is_whole = is_int(ctx.dtype(0));
  std::size_t keys = is_string  ? ctx.attr_strings("keys_strings").size()
                     : is_whole ? ctx.attr_ints("keys_int64s").size()
                                : ctx.attr_floats("keys_floats").size();
  DType dtype = ctx.has_attr("values_strings")  ? DType::string
                : ctx.has_attr("values_int64s") ? DType::i64
                                                : DType::f32;
  std::size_t values = dtype == DType::string ? ctx.attr_strings("values_strings").size()
                       : dtype == DType::i64  ? ctx.attr_ints("values_int64s").size()
                                              : ctx.attr_floats("values_floats").size();
  if (ctx.dtype(0) != DType::none && keys != values) {
    return ctx.error("there are " + std::to_string(keys) + " keys of x's dtype and " + std::to_string(values) +
                     " values");
  }
  if (ctx.has_attr("dtype")) {
    if ((ctx.attr_dtype("dtype") == DType::string) != (dtype == DType::string))
      return ctx.error("dtype is not that of the values");
    dtype = ctx.attr_dtype("dtype");
  }
  ctx.output(0, Type::tensor(dtype, ctx.type(0).shape));
  return {};
}

// The last of equal keys counts; -1: none is equal.
template <class T, class Equal>
std::int64_t find_last(ReferenceContext& ctx, const std::vector<T>& keys, const Equal& equal) {
  for (std::size_t i = keys.size(); i-- > 0 && ctx.spend(1);) {
    if (equal(keys[i])) return static_cast<std::int64_t>(i);
  }
  return -1;
}

Status run_encode(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::vector<std::string> string_keys = ctx.attr_strings("keys_strings"), strings = ctx.attr_strings("values_strings");
  std::vector<std::int64_t> int_keys = ctx.attr_ints("keys_int64s"), ints = ctx.attr_ints("values_int64s");
  std::vector<double> float_keys = ctx.attr_floats("keys_floats"), floats = ctx.attr_floats("values_floats");
  for (std::int64_t i : ctx.range(x.count())) {
    std::int64_t at = -1;
    if (x.dtype == DType::string) {
      std::string_view s = ctx.string(x.as<StringRef>()[i]);
      at = find_last(ctx, string_keys, [&](const std::string& k) { return k == s; });
    } else if (is_int(x.dtype)) {
      at = find_last(ctx, int_keys, [&, v = load_i64(x, i)](std::int64_t k) { return k == v; });
    } else {
      at = find_last(ctx, float_keys, [&, v = load_f64(x, i)](double k) {
        return static_cast<float>(k) == static_cast<float>(v) || (std::isnan(k) && std::isnan(v));
      });
    }
    std::size_t k = static_cast<std::size_t>(at);
    if (y.dtype == DType::string) {
      MOTE_ASSIGN(y.as<StringRef>()[i], ctx.add_string(at < 0 ? ctx.attr_string("default_string") : strings[k]));
    } else if (ctx.has_attr("values_int64s")) {
      store_i64(y, i, at < 0 ? ctx.attr_int("default_int64") : ints[k]);
    } else {
      store_f64(y, i, at < 0 ? ctx.attr_float("default_float") : floats[k]);
    }
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(array_feature_extractor) = {.name = "array_feature_extractor",
                                           .doc = "Elements of the last axis, picked by index.",
                                           .inputs = kExtractInputs,
                                           .outputs = kExtractOutputs,
                                           .infer = infer_extract};
MOTE_DEFINE_REFERENCE(array_feature_extractor) = run_extract;

MOTE_DEFINE_OP(binarizer) = {.name = "binarizer",
                             .doc = "1 where x exceeds a threshold, else 0.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attrs = kBinarizeAttrs,
                             .infer = infer_binarize,
                             .flags = kElementwise};
MOTE_DEFINE_REFERENCE(binarizer) = run_binarize;

MOTE_DEFINE_OP(label_encoder) = {.name = "label_encoder",
                                 .doc =
                                     "Each element looked up among the keys of its dtype and replaced by the "
                                     "value that belongs to it.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attrs = kEncodeAttrs,
                                 .infer = infer_encode};
MOTE_DEFINE_REFERENCE(label_encoder) = run_encode;

}  // namespace mote
