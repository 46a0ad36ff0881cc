// What a kernel family offers to the CPU target.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

#include "base/checked.h"
#include "plan/target.h"

namespace mote::cpu {

// A claim for nodes of its ops with types it has kernels for.
using ClaimFn = std::optional<Claim> (*)(const NodeView& node, const TargetOptions& options);

// What a family's file ends with; families.inc has its row. The two facets stand apart, so that a program which only
// runs prepared models links no claims. `claim` is null where only `prepare` itself names the kernels.
#define MOTE_DEFINE_CPU_FAMILY(name, claim, kernels)   \
  extern const ClaimFn name##_claim;                   \
  constinit const ClaimFn name##_claim = claim;        \
  extern const std::span<const Kernel> name##_kernels; \
  constinit const std::span<const Kernel> name##_kernels = kernels

// Whether products may be of operands rounded to bf16: where the caller allows it and the CPU is faster at them.
inline bool computes_in_bf16(const TargetOptions& options) {
  return options.precision == DType::bf16 && !options.reproducible && options.cpu.has(Isa::avx512bf16);
}

// For operands that a kernel reads without asking for their strides; absent ones fit.
inline bool dense(std::span<const TensorView* const> operands) {
  for (const TensorView* v : operands) {
    if (v && !v->dense()) return false;
  }
  return true;
}

// Whether an operand holds `bytes` of what a packing made, where words may be read from.
inline bool holds_packed(const TensorView* v, std::int64_t bytes) {
  return v && v->dense() && v->bytes() >= bytes && reinterpret_cast<std::uintptr_t>(v->data) % 4 == 0;
}

// Whether extents and counts that a file may name make a size that arithmetic on it cannot overflow: none is negative,
// even when it is rounded up to whole panels of floats.
inline bool sizes_fit(std::initializer_list<std::int64_t> sizes) {
  constexpr std::int64_t kMost = kMaxElements, kMostProduct = std::int64_t{1} << 56;
  Checked product = 1;
  for (std::int64_t n : sizes) {
    if (n < 0 || n > kMost) return false;
    product *= n > 0 ? n : 1;
  }
  return product.ok() && product.value() <= kMostProduct;
}

// A step's params as a plain struct. Its bytes are part of `.mote` files: fixed-width fields only.
template <class T>
std::vector<std::byte> to_params(const T& t) {
  std::vector<std::byte> bytes(sizeof(T));
  std::memcpy(bytes.data(), &t, sizeof(T));
  return bytes;
}
// The struct from a step's params; all zeros when the size is wrong (a plan from hostile bytes).
template <class T>
T from_params(std::span<const std::byte> bytes) {
  T t{};
  if (bytes.size() == sizeof(T)) std::memcpy(&t, bytes.data(), sizeof(T));
  return t;
}

}  // namespace mote::cpu
