#include "kernels/idot/depthwise.h"

#include <algorithm>

namespace mote::kernels::idot {
namespace {

constexpr std::int64_t kTileMacs = 1 << 19;

std::int32_t byte_at(const std::byte* p, std::int64_t i, bool is_signed) {
  return is_signed ? static_cast<std::int32_t>(reinterpret_cast<const std::int8_t*>(p)[i])
                   : static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t*>(p)[i]);
}

}  // namespace

Filters filters_of(const Params& p) {
  std::int64_t pitch = panels_of(p.groups) * kPanel;
  auto* at = reinterpret_cast<std::int32_t*>(p.shared);
  auto* scale = reinterpret_cast<float*>(at + 16 + pitch);
  return {at, at + 16, scale, scale + pitch, at + 16 + 3 * pitch, pitch};
}

Work setup_depthwise(Params* p) {
  if (p->m == 0 || p->groups == 0) return {0, 0, 0};
  std::int64_t pitch = panels_of(p->groups) * kPanel;
  p->row_step = std::clamp<std::int64_t>(kTileMacs / (pitch * p->k), 1, p->m);
  p->row_tiles = (p->m + p->row_step - 1) / p->row_step;
  return {p->row_tiles, 0, static_cast<std::size_t>((16 + pitch * (3 + p->k)) * 4)};
}

void prepare_depthwise(const Params& p, TileRange) noexcept {
  Filters f = filters_of(p);
  f.flags[0] = p.a_zero ? byte_at(p.a_zero, 0, p.a_signed) : 0;
  f.flags[1] = p.y_zero ? byte_at(p.y_zero, 0, p.out == DType::i8) : 0;
  for (std::int64_t c = 0; c < f.pitch; ++c) {
    std::int64_t column = std::min(c, p.groups - 1);
    f.add[c] = p.bias ? p.bias[column] : 0;
    if (p.out != DType::i32) {
      const float* scale = reinterpret_cast<const float*>(p.b_scale.data);
      f.scale[c] = *p.a_scale * scale[p.b_scale.count == 1 ? 0 : column];
      if (p.out != DType::f32) f.scale[c] /= *p.y_scale;
      f.shift[c] = p.float_bias ? p.float_bias[column] : 0;
    }
    std::int32_t zero = p.b_zero.data ? byte_at(p.b_zero.data, p.b_zero.count == 1 ? 0 : column, p.b_signed) : 0;
    for (std::int64_t t = 0; t < p.k; ++t)
      f.weights[t * f.pitch + c] = byte_at(p.b, t * p.groups + column, p.b_signed) - zero;
  }
}

}  // namespace mote::kernels::idot
