#include "media/segment.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/text.h"
#include "media/postprocess.h"

namespace mote::media {
namespace {

// Element (class, y, x) is at class * of_class + y * of_row + x * of_column.
struct Maps {
  std::int64_t classes = 0, height = 0, width = 0, of_class = 0, of_row = 0, of_column = 0;
  bool indices = false;  // the values are classes
};

// The shape without axes of one in front, down to rank 3.
std::vector<std::int64_t> inner_shape(const Array& a) {
  std::vector<std::int64_t> s = a.shape;
  while (s.size() > 3 && s[0] == 1) s.erase(s.begin());
  return s;
}

// How many pixels the height is off what the width and the input's shape make of it; none above one.
std::optional<double> ratio_error(std::int64_t height, std::int64_t width, Size input) {
  if (height < 2 || width < 2 || input.width < 1 || input.height < 1) return std::nullopt;
  const double error = std::fabs(static_cast<double>(width) * input.height / input.width - static_cast<double>(height));
  return error <= 1.0 ? std::optional(error) : std::nullopt;
}

std::optional<Maps> find_maps(const Array& a, Size input) {
  if (!is_float(a.dtype) && !is_int(a.dtype)) return std::nullopt;
  std::vector<std::int64_t> s = inner_shape(a);
  if (s.size() == 2) s.insert(s.begin(), 1);
  if (s.size() != 3) return std::nullopt;
  const auto first = ratio_error(s[1], s[2], input), last = ratio_error(s[0], s[1], input);
  // Where both fit, the better one, then that of fewer classes.
  if (first && (!last || *first < *last || (*first == *last && s[0] <= s[2]))) {
    Maps m{s[0], s[1], s[2], s[1] * s[2], s[2], 1};
    m.indices = s[0] == 1 && is_int(a.dtype);
    return m;
  }
  if (!last) return std::nullopt;
  Maps m{s[2], s[0], s[1], 1, s[1] * s[2], s[2]};
  m.indices = s[2] == 1 && is_int(a.dtype);
  return m;
}

std::int32_t class_at(const Maps& m, const float* scores, std::int64_t at) {
  if (m.indices) return static_cast<std::int32_t>(clamp_to_int(static_cast<double>(scores[at]), 0, 1e6));
  if (m.classes == 1) return scores[at] > 0.5f ? 1 : 0;
  std::int32_t best = 0;
  for (std::int64_t c = 1; c < m.classes; ++c) {
    if (scores[at + c * m.of_class] > scores[at + best * m.of_class]) best = static_cast<std::int32_t>(c);
  }
  return best;
}

}  // namespace

bool is_segmentation(const Array& output, Size input) {
  const std::optional<Maps> m = find_maps(output, input);
  return m && m->height * m->width > 1;
}

Result<ClassMap> find_classes(const Array& output, Quantization quantization, const Placement& p,
                              const Limits& limits) {
  const std::optional<Maps> m = find_maps(output, p.input);
  if (!m) {
    return invalid(concat("shape ", numpy_shape(output.shape), " is no map of classes for an input of ", p.input.width,
                          "x", p.input.height))
        .at(concat("output ", quoted(output.name)));
  }
  if (m->indices) quantization = {};
  MOTE_ASSIGN(const std::vector<float> scores, to_floats(output, quantization, limits));
  const std::int64_t pixels = std::int64_t{p.image.width} * p.image.height;
  MOTE_TRY(check_allocation(pixels * 4, limits, "a map of classes"));
  ClassMap out{p.image.width, p.image.height, {}};
  out.classes.assign(static_cast<std::size_t>(pixels), 0);
  // Which row or column of the output a pixel of the picture falls into; -1 for none.
  const auto places = [](int count, double scale, double offset, int input, std::int64_t extent) {
    std::vector<std::int64_t> at;
    for (int i = 0; i < count; ++i) {
      const double v = ((i + 0.5) * scale + offset) / input;
      at.push_back(v >= 0 && v < 1 ? static_cast<std::int64_t>(v * static_cast<double>(extent)) : -1);
    }
    return at;
  };
  const auto xs = places(p.image.width, p.scale_x, p.offset_x, p.input.width, m->width);
  const auto ys = places(p.image.height, p.scale_y, p.offset_y, p.input.height, m->height);
  // Once per place of the output, not per pixel.
  std::vector<std::int32_t> small(static_cast<std::size_t>(m->width * m->height));
  for (std::int64_t y = 0; y < m->height; ++y) {
    for (std::int64_t x = 0; x < m->width; ++x) {
      small[static_cast<std::size_t>(y * m->width + x)] = class_at(*m, scores.data(), y * m->of_row + x * m->of_column);
    }
  }
  std::size_t to = 0;
  for (std::int64_t y : ys) {
    for (std::int64_t x : xs) {
      if (x >= 0 && y >= 0) out.classes[to] = small[static_cast<std::size_t>(y * m->width + x)];
      ++to;
    }
  }
  return out;
}

}  // namespace mote::media
