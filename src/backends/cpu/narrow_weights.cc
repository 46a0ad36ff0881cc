#include "backends/cpu/narrow_weights.h"

#include "base/checked.h"

namespace mote::cpu {
namespace {

using kernels::dot::Store;

// Fewer weights stay in the cache in f32, from where they are multiplied faster than they are widened.
constexpr std::int64_t kLeast = 1 << 15;

// The type of 16 bits that holds every element, f32 where there is none.
DType exact_type(const Constant& c) {
  auto is_half = [](DType t) { return t == DType::f16 || t == DType::bf16; };
  DType t = is_half(c.stored_dtype) ? c.stored_dtype : DType::f32;
  for (const Transform& step : c.transforms) {
    if (step.kind == Transform::Kind::kScale) t = DType::f32;
    if (step.kind != Transform::Kind::kCast) continue;
    if (is_half(step.dtype)) t = step.dtype;
  }
  return t;
}

std::string_view name(Store s) { return s == Store::kF16 ? "f16" : "bf16"; }

}  // namespace

Store store_for(const Constant& weights) {
  const DType t = exact_type(weights);
  const std::optional<std::int64_t> count = element_count(weights.stored_shape);
  if (t == DType::f32 || weights.encoding != Encoding::kPlain || !count || *count < kLeast) return Store::kF32;
  return t == DType::f16 ? Store::kF16 : Store::kBf16;
}

std::string why_store(const Constant& weights, Store store) {
  if (store != Store::kF32) return ", weights in " + std::string(name(store)) + ", widened in registers";
  if (exact_type(weights) == DType::f32) return "";
  return ", weights widened to f32 when packed: that is faster";
}

std::string packing_name(std::string packing, Store store) {
  if (store != Store::kF32) packing.append(".").append(name(store));
  return packing;
}

}  // namespace mote::cpu
