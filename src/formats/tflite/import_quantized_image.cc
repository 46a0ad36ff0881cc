// Resizing of quantized images, which is arithmetic on their stored values: the units stay the same.
#include <algorithm>
#include <cmath>

#include "formats/tflite/quantized.h"

namespace mote::tflite {
namespace {

using Ints = std::vector<std::int64_t>;

// How one axis is resized: output i lies part[i] beyond pixel low[i], on the way to high[i].
template <class T>
struct Taps {
  Ints low, high;
  std::vector<T> part;
};

struct Resize {
  bool align = false, half = false;
  std::int64_t from(std::int64_t in, std::int64_t out) const { return align && out > 1 ? in - 1 : in; }
  std::int64_t to(std::int64_t out) const { return align && out > 1 ? out - 1 : out; }
};

// In 1024ths of a pixel.
Taps<std::int64_t> whole_taps(const Resize& r, std::int64_t in, std::int64_t out) {
  const std::int64_t step = (1024 * r.from(in, out) + r.to(out) / 2) / r.to(out);
  Taps<std::int64_t> taps;
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t at = i * step + (r.half ? step / 2 - 512 : 0);
    taps.low.push_back(std::clamp<std::int64_t>(at / 1024, 0, in - 1));
    taps.high.push_back(std::clamp<std::int64_t>((at + 1023) / 1024, 0, in - 1));
    taps.part.push_back(at - 1024 * taps.low.back());
  }
  return taps;
}

Taps<float> real_taps(const Resize& r, std::int64_t in, std::int64_t out) {
  const float step = static_cast<float>(r.from(in, out)) / static_cast<float>(r.to(out));
  Taps<float> taps;
  for (std::int64_t i = 0; i < out; ++i) {
    const float at = r.half ? (static_cast<float>(i) + 0.5f) * step - 0.5f : static_cast<float>(i) * step;
    taps.low.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(at)), 0, in - 1));
    taps.high.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(at)), 0, in - 1));
    taps.part.push_back(at - static_cast<float>(taps.low.back()));
  }
  return taps;
}

ValueId picked(NodeContext& n, ValueId x, std::int64_t axis, const Ints& index) {
  return n.emit("gather", {x, n.ints(index)}, {{"axis", axis}});
}

// Weights along an axis of an image.
Ints along(std::int64_t axis, std::size_t count) {
  Ints shape(4, 1);
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(count);
  return shape;
}

// Sums of both neighbors by their weights along an axis, in the type of x.
ValueId blended(NodeContext& n, ValueId x, std::int64_t axis, const Taps<std::int64_t>& taps) {
  const DType t = n.dtype(x);
  Ints rest;
  for (std::int64_t p : taps.part) rest.push_back(1024 - p);
  const Ints shape = along(axis, rest.size());
  const ValueId low = n.emit("mul", {picked(n, x, axis, taps.low), integers(n, t, rest, shape)});
  const ValueId high = n.emit("mul", {picked(n, x, axis, taps.high), integers(n, t, taps.part, shape)});
  return n.emit("add", {low, high});
}

// Exact, then rounded, halves away from zero.
ValueId resized_whole(NodeContext& n, ValueId x, const Taps<std::int64_t>& rows, const Taps<std::int64_t>& columns) {
  const DType t = bits_of(n.dtype(x)) > 8 ? DType::i64 : DType::i32;
  const ValueId sum = blended(n, blended(n, n.cast(x, t), 1, rows), 2, columns);
  const ValueId half =
      n.emit("where", {n.emit("greater", {sum, n.scalar(0, t)}), n.scalar(1 << 19, t), n.scalar(-(1 << 19), t)});
  return n.emit("div", {n.emit("add", {sum, half}), n.scalar(1 << 20, t)});
}

// In f32: the four neighbors by their weights, added in this order, and one half, for the cast that follows.
ValueId resized_real(NodeContext& n, ValueId x, const Taps<float>& rows, const Taps<float>& columns) {
  const ValueId real = n.cast(x, DType::f32);
  const auto height = static_cast<std::int64_t>(rows.part.size()),
             width = static_cast<std::int64_t>(columns.part.size());
  ValueId sum = kNone;
  for (bool below : {false, true}) {
    const ValueId row = picked(n, real, 1, below ? rows.high : rows.low);
    for (bool right : {false, true}) {
      std::vector<float> weights;
      for (float v : rows.part) {
        for (float h : columns.part) weights.push_back((below ? v : 1 - v) * (right ? h : 1 - h));
      }
      const ValueId term = n.emit("mul", {picked(n, row, 2, right ? columns.high : columns.low),
                                          n.reshape(n.floats(weights), {1, height, width, 1})});
      sum = sum == kNone ? term : n.emit("add", {sum, term});
    }
  }
  return n.emit("add", {sum, n.scalar(0.5, DType::f32)});
}

}  // namespace

Status quantized_resize_bilinear(NodeContext& n) {
  auto* o = n.options<fbs::ResizeBilinearOptions>(fbs::BuiltinOptions::ResizeBilinear);
  const Resize r{o && o->align_corners(), o && o->half_pixel_centers()};
  if (r.align && r.half) return invalid("align_corners and half_pixel_centers exclude each other");
  const ValueId x = n.in(0);
  const DType t = n.dtype(x);
  const auto sizes = n.ints_of(n.in(1));
  if (!n.has_rank(x) || n.rank(x) != 4) return invalid("its operand is no image");
  if (t != DType::i8 && t != DType::u8 && t != DType::i16) return invalid("its operand has neither 8 nor 16 bits");
  bool known = sizes && sizes->size() == 2;
  for (std::size_t i : {1, 2}) {
    known = known && n.shape(x)[i].is_const();
    if (!known) continue;
    const std::int64_t in = n.shape(x)[i].value(), out = (*sizes)[i - 1];
    if (in < 1 || out < 1 || in > 1 << 16 || out > 1 << 16) return invalid("an image has no pixels, or too many");
  }
  if (!known) {
    n.unsupported("RESIZE_BILINEAR of a quantized image whose size a run decides");
    return {};
  }
  const std::int64_t height = n.shape(x)[1].value(), width = n.shape(x)[2].value();
  const ValueId y = t == DType::u8
                        ? resized_real(n, x, real_taps(r, height, (*sizes)[0]), real_taps(r, width, (*sizes)[1]))
                        : resized_whole(n, x, whole_taps(r, height, (*sizes)[0]), whole_taps(r, width, (*sizes)[1]));
  n.output(0, n.cast(y, t));
  return {};
}

}  // namespace mote::tflite
