#include "ops/nn/window.h"

#include <algorithm>

namespace mote {
namespace {

constexpr std::int64_t kMaxStep = std::int64_t{1} << 31;

// Attribute `name`, one value per spatial axis, all in [low, 2^31); `fallback` where it is empty.
Result<std::vector<std::int64_t>> per_axis(const Op& op, const Attrs& attrs, std::string_view name, std::size_t count,
                                           std::int64_t fallback, std::int64_t low) {
  std::vector<std::int64_t> v;
  if (op.attr(name)) v = attr_ints(op, attrs, name);
  if (v.empty()) v.assign(count, fallback);
  if (v.size() != count) {
    return invalid(std::string(name) + ": expected " + std::to_string(count) + " values, got " +
                   std::to_string(v.size()));
  }
  for (std::int64_t x : v) {
    if (x < low || x >= kMaxStep) return invalid(std::string(name) + ": " + std::to_string(x) + " is out of range");
  }
  return v;
}

Dim reach(const Dim& kernel, std::int64_t dilation) { return (kernel - 1) * dilation + 1; }

Result<std::string> padding_mode(const Op& op, const Attrs& attrs) {
  std::string mode = op.attr("auto_pad") ? attr_string(op, attrs, "auto_pad") : "NOTSET";
  if (mode.empty()) mode = "NOTSET";
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER") {
    return invalid("auto_pad: '" + mode + "' is not NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  }
  return mode;
}

// Splits `total` between the two sides; the odd one goes to the end for SAME_UPPER, else to the begin.
void split(WindowAxis& a, const Dim& total, bool upper) {
  Dim half = floordiv(total, Dim(2));
  a.begin = upper ? half : total - half;
  a.end = total - a.begin;
}

// Steps and explicit padding, common to both directions.
Result<Window> steps(const Op& op, const Attrs& attrs, std::span<const Dim> in, std::span<const Dim> kernel) {
  std::size_t n = in.size();
  if (kernel.size() != n) {
    return invalid("a kernel of " + std::to_string(kernel.size()) + " axes over " + std::to_string(n) +
                   " spatial axes");
  }
  MOTE_ASSIGN(auto strides, per_axis(op, attrs, "strides", n, 1, 1));
  MOTE_ASSIGN(auto dilations, per_axis(op, attrs, "dilations", n, 1, 1));
  MOTE_ASSIGN(auto pads, per_axis(op, attrs, "pads", 2 * n, 0, -kMaxStep + 1));
  Window w(n);
  for (std::size_t i = 0; i < n; ++i) {
    w[i] = {in[i], kernel[i], 0, pads[i], pads[n + i], strides[i], dilations[i]};
    if (kernel[i].is_const() && (kernel[i].value() <= 0 || kernel[i].value() >= kMaxStep)) {
      return invalid("a kernel of extent " + kernel[i].to_string());
    }
  }
  return w;
}

}  // namespace

ImageAxes image_axes(const Op& op, const Attrs& attrs, std::string_view layout, int rank) {
  bool channels_last = op.attr(layout) && attr_string(op, attrs, layout).ends_with(layout == "data_layout" ? "C" : "I");
  return channels_last ? ImageAxes{rank, rank - 1, 1} : ImageAxes{rank, 1, 2};
}

std::vector<std::int64_t> space_axes(const Op& op, const Attrs& attrs, int rank) {
  ImageAxes axes = image_axes(op, attrs, "data_layout", rank);
  std::vector<std::int64_t> v;
  for (int i = 0; i < axes.spatial(); ++i) v.push_back(axes.space + i);
  return v;
}

Result<Window> window_of(const Op& op, const Attrs& attrs, std::span<const Dim> in, std::span<const Dim> kernel) {
  MOTE_ASSIGN(std::string mode, padding_mode(op, attrs));
  MOTE_ASSIGN(Window w, steps(op, attrs, in, kernel));
  bool up = op.attr("ceil_mode") && attr_int(op, attrs, "ceil_mode") != 0;
  for (WindowAxis& a : w) {
    Dim span = reach(a.kernel, a.dilation);
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      a.out = ceildiv(a.in, Dim(a.stride));
      split(a, max((a.out - 1) * a.stride + span - a.in, Dim(0)), mode == "SAME_UPPER");
    } else {
      if (mode == "VALID") a.begin = a.end = 0;
      Dim room = a.in + a.begin + a.end - span;
      a.out = floordiv(room, Dim(a.stride)) + 1;
      if (up) a.out = min(ceildiv(room, Dim(a.stride)), floordiv(a.in + a.begin - 1, Dim(a.stride))) + 1;
    }
    Dim room = a.in + a.begin + a.end - span;
    if ((room.is_const() && room.value() < 0 && !a.in.is(0)) || (a.out.is_const() && a.out.value() < 0)) {
      return invalid("the kernel of " + a.kernel.to_string() + " is larger than the padded extent " +
                     (a.in + a.begin + a.end).to_string());
    }
  }
  return w;
}

Result<Window> transposed_window_of(const Op& op, const Attrs& attrs, std::span<const Dim> in,
                                    std::span<const Dim> kernel) {
  MOTE_ASSIGN(std::string mode, padding_mode(op, attrs));
  MOTE_ASSIGN(Window w, steps(op, attrs, in, kernel));
  MOTE_ASSIGN(auto extra, per_axis(op, attrs, "output_padding", w.size(), 0, 0));
  std::vector<std::int64_t> shape = attr_ints(op, attrs, "output_shape");
  // Some exporters state all extents, with batch and channels.
  if (shape.size() == w.size() + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != w.size()) {
    return invalid("output_shape: expected " + std::to_string(w.size()) + " values, got " +
                   std::to_string(shape.size()));
  }
  for (std::size_t i = 0; i < w.size(); ++i) {
    WindowAxis& a = w[i];
    Dim full = (a.in - 1) * a.stride + reach(a.kernel, a.dilation) + extra[i];
    if (!shape.empty() || mode.starts_with("SAME")) {
      a.out = shape.empty() ? a.in * a.stride : Dim(shape[i]);
      split(a, max(full - a.out, Dim(0)), mode == "SAME_UPPER");
    } else {
      if (mode == "VALID") a.begin = a.end = 0;
      a.out = full - a.begin - a.end;
    }
    if (a.out.is_const() && a.out.value() < 0) return invalid("padding takes more than the whole output");
  }
  return w;
}

std::vector<Dim> dims_of(const TensorView& v, int first, int count) {
  std::vector<Dim> d;
  for (int i = first; i < first + count; ++i) d.emplace_back(v.dims[i]);
  return d;
}

std::vector<std::int64_t> outputs_of(const Window& w) {
  std::vector<std::int64_t> e;
  for (const WindowAxis& a : w) e.push_back(a.out.value());
  return e;
}

std::vector<std::int64_t> kernels_of(const Window& w) {
  std::vector<std::int64_t> e;
  for (const WindowAxis& a : w) e.push_back(a.kernel.value());
  return e;
}

}  // namespace mote
