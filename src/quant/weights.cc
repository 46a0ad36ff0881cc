#include "quant/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "prepare/constants.h"

namespace mote::quant {

Result<Floats> read_floats(const Module& m, ConstantId id) {
  const Constant& c = m.constants[static_cast<std::size_t>(id)];
  if (c.type.dtype != DType::f32) return unsupported("weights that are not f32").at("constant '" + c.name + "'");
  MOTE_ASSIGN(PlainConstant plain, materialise(c));
  Floats out;
  out.shape.assign(plain.view.dims, plain.view.dims + plain.view.rank);
  out.data.resize(static_cast<std::size_t>(plain.view.count()));
  if (!out.data.empty()) std::memcpy(out.data.data(), plain.view.data, out.data.size() * sizeof(float));
  return out;
}

ConstantId add_floats(Module& m, std::string name, const Floats& values) {
  return m.add_constant(std::move(name), DType::f32, values.shape, to_bytes(std::span<const float>(values.data)));
}

ValueId value_of(Module& m, Function& f, ConstantId id) {
  return f.constant_value(id, m.constants[static_cast<std::size_t>(id)]);
}

Channels::Channels(std::span<const std::int64_t> shape, int axis) : axis_(axis) {
  if (axis < 0) return;
  extent_ = static_cast<std::size_t>(std::max<std::int64_t>(shape[static_cast<std::size_t>(axis)], 1));
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i)
    inner_ *= static_cast<std::size_t>(std::max<std::int64_t>(shape[i], 1));
}

Rounded round_weights(const Floats& w, int axis, int bits, std::span<const float> least) {
  Channels channel(w.shape, axis);
  Rounded r{w.shape, std::vector<std::int32_t>(w.data.size()), std::vector<float>(channel.extent(), 0.0f), axis};
  const float top = static_cast<float>((1 << (bits - 1)) - 1);
  for (std::size_t i = 0; i < w.data.size(); ++i) {
    float& most = r.scales[channel(i)];
    if (std::isfinite(w.data[i])) most = std::max(most, std::abs(w.data[i]));
  }
  for (std::size_t c = 0; c < r.scales.size(); ++c) {
    r.scales[c] = std::max(r.scales[c] / top, c < least.size() ? least[c] : 0.0f);
    if (!(r.scales[c] > 1e-30f)) r.scales[c] = 1.0f / top;  // all zeros: any scale does
  }
  for (std::size_t i = 0; i < w.data.size(); ++i) {
    float q = std::nearbyint(w.data[i] / r.scales[channel(i)]);
    r.data[i] = static_cast<std::int32_t>(std::clamp(std::isnan(q) ? 0.0f : q, -top, top));
  }
  return r;
}

std::vector<std::byte> integer_bytes(std::span<const std::int32_t> values, DType dtype) {
  std::vector<std::byte> out;
  out.reserve(values.size() * static_cast<std::size_t>(bits_of(dtype)) / 8);
  for (std::int32_t v : values) {
    for (int shift = 0; shift < bits_of(dtype); shift += 8) out.push_back(static_cast<std::byte>((v >> shift) & 0xff));
  }
  return out;
}

}  // namespace mote::quant
