#include "tensor/element_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/half.h"

namespace mote {

std::vector<std::byte> element_bytes(double value, DType dtype) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_of(dtype, 1)));
  auto put = [&](auto v) { std::memcpy(bytes.data(), &v, sizeof v); };
  switch (dtype) {
    case DType::f32:
      put(static_cast<float>(value));
      break;
    case DType::f64:
      put(value);
      break;
    case DType::f16:
      put(f32_to_f16(static_cast<float>(value)));
      break;
    case DType::bf16:
      put(f32_to_bf16(static_cast<float>(value)));
      break;
    default: {
      const std::int64_t i = std::fabs(value) < 9e18 ? static_cast<std::int64_t>(value) : 0;
      if (!bytes.empty()) std::memcpy(bytes.data(), &i, std::min(bytes.size(), sizeof i));
    }
  }
  return bytes;
}

}  // namespace mote
