// What a kernel family offers to the CPU target.
#pragma once

#include <cstring>
#include <initializer_list>
#include <span>

#include "base/checked.h"
#include "plan/target.h"

namespace mote::cpu {

struct Family {
  // A claim for nodes of its ops with types it has kernels for.
  std::optional<Claim> (*claim)(const NodeView& node, const TargetOptions& options);
  std::span<const Kernel> kernels;
};

// Whether products may be of operands rounded to bf16: where the caller allows it and the CPU is faster at them.
inline bool computes_in_bf16(const TargetOptions& options) {
  return options.precision == DType::bf16 && !options.reproducible && options.cpu.has(Isa::avx512bf16);
}

// One per file; listed in families.cc.
extern const Family along_family;
extern const Family attention_family;
extern const Family copy_family;
extern const Family convert_family;
extern const Family conv_family;
extern const Family conv_transpose_family;
extern const Family detect_family;
extern const Family dot_family;
extern const Family elementwise_family;
extern const Family gather_family;
extern const Family index_family;
extern const Family made_family;
extern const Family move_family;
extern const Family norm_family;
extern const Family pad_family;
extern const Family pool_family;
extern const Family qmap_family;
extern const Family quantized_family;
extern const Family reduce_family;
extern const Family resize_family;
extern const Family rnn_family;
extern const Family sample_family;

// For operands that a kernel reads without asking for their strides; absent ones fit.
inline bool dense(std::span<const TensorView* const> operands) {
  for (const TensorView* v : operands) {
    if (v && !v->dense()) return false;
  }
  return true;
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
