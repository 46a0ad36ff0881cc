#include "media/detect.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/text.h"
#include "media/postprocess.h"

namespace mote::media {
namespace {

constexpr std::pair<std::string_view, DetectionLayout> kNames[] = {
    {"tflite", DetectionLayout::kTflite}, {"torchvision", DetectionLayout::kTorchvision},
    {"ssd", DetectionLayout::kSsd},       {"yolo8", DetectionLayout::kYolo8},
    {"yolo5", DetectionLayout::kYolo5},   {"yolo-nms", DetectionLayout::kYoloNms}};

using Shape = std::vector<std::int64_t>;

// The shape without a leading batch of one where more than `rank` axes are left.
Shape without_batch(const Array& a, std::size_t rank) {
  Shape s = a.shape;
  while (s.size() > rank && !s.empty() && s[0] == 1) s.erase(s.begin());
  return s;
}

bool is_real(const Array& a) { return is_float(a.dtype) || is_int(a.dtype); }

// Boxes [N, 4].
bool is_boxes(const Array& a) {
  const Shape s = without_batch(a, 2);
  return is_real(a) && s.size() == 2 && s[1] == 4;
}

bool has_extent(const Array& a, std::int64_t n, std::size_t rank) {
  const Shape s = without_batch(a, rank);
  return is_real(a) && s.size() == rank && std::find(s.begin(), s.end(), n) != s.end();
}

struct Values {
  Shape shape;
  std::vector<float> data;
};

class Outputs {
 public:
  Outputs(std::span<const Array> arrays, std::span<const Quantization> quantization, const Limits& limits)
      : arrays_(arrays), quantization_(quantization), limits_(limits) {}
  Result<Values> read(std::size_t i, std::size_t rank) const {
    if (i >= arrays_.size())
      return invalid(concat("the model has ", arrays_.size(), " outputs, the layout needs more"));
    auto data = to_floats(arrays_[i], i < quantization_.size() ? quantization_[i] : Quantization{}, limits_);
    if (!data.ok()) return std::move(data).status().at(concat("output ", quoted(arrays_[i].name)));
    Shape shape = without_batch(arrays_[i], rank);
    if (shape.size() != rank) {
      return invalid(concat("shape ", numpy_shape(arrays_[i].shape), " is not of rank ", rank, " for one image"))
          .at(concat("output ", quoted(arrays_[i].name)));
    }
    return Values{std::move(shape), *std::move(data)};
  }
  Status mismatch(std::string what) const {
    std::vector<std::string> shapes;
    for (const Array& a : arrays_) shapes.push_back(a.name + " " + numpy_shape(a.shape));
    return invalid(what + ", the outputs are " + mote::join(shapes)).hint("--detect says which layout they have");
  }
  std::span<const Array> arrays() const { return arrays_; }

 private:
  std::span<const Array> arrays_;
  std::span<const Quantization> quantization_;
  const Limits& limits_;
};

// In pixels of the input.
struct Found {
  float left, top, right, bottom, score;
  std::int64_t index;
};

// The class that a float names; nothing for NaN and what no label list has.
std::optional<std::int64_t> class_index(float value) {
  if (!(std::fabs(value) < 1e9f)) return std::nullopt;
  return std::lround(value);
}

Status read_tflite(const Outputs& o, const DetectionSettings&, Size input, std::vector<Found>& out) {
  MOTE_ASSIGN(const Values boxes, o.read(0, 2));
  MOTE_ASSIGN(const Values classes, o.read(1, 1));
  MOTE_ASSIGN(const Values scores, o.read(2, 1));
  MOTE_ASSIGN(const Values count, o.read(3, 1));
  const std::size_t n = scores.data.size();
  if (boxes.shape[1] != 4 || boxes.data.size() != 4 * n || classes.data.size() != n || count.data.size() != 1)
    return o.mismatch("not boxes, classes, scores and a count");
  const float limit = std::clamp(count.data[0], 0.0f, static_cast<float>(n));
  for (std::size_t i = 0; static_cast<float>(i) < limit; ++i) {
    const float *b = boxes.data.data() + 4 * i, w = static_cast<float>(input.width),
                h = static_cast<float>(input.height);
    if (const auto index = class_index(classes.data[i]))
      out.push_back({b[1] * w, b[0] * h, b[3] * w, b[2] * h, scores.data[i], *index});
  }
  return {};
}

Status read_torchvision(const Outputs& o, const DetectionSettings&, Size, std::vector<Found>& out) {
  std::size_t labels = o.arrays().size() > 1 && is_int(o.arrays()[1].dtype) ? 1 : 2;
  MOTE_ASSIGN(const Values boxes, o.read(0, 2));
  MOTE_ASSIGN(const Values classes, o.read(labels, 1));
  MOTE_ASSIGN(const Values scores, o.read(3 - labels, 1));
  const std::size_t n = scores.data.size();
  if (boxes.shape[1] != 4 || boxes.data.size() != 4 * n || classes.data.size() != n)
    return o.mismatch("not boxes, scores and labels");
  for (std::size_t i = 0; i < n; ++i) {
    const float* b = boxes.data.data() + 4 * i;
    if (const auto index = class_index(classes.data[i]))
      out.push_back({b[0], b[1], b[2], b[3], scores.data[i], *index});
  }
  return {};
}

// The best class of row `i` of scores [n, classes], of which element (i, c) is at i * row + c * column.
struct Best {
  std::int64_t index = -1;
  float score = -HUGE_VALF;
};
Best best_of(const float* scores, std::int64_t first, std::int64_t classes, std::int64_t column) {
  Best best;
  for (std::int64_t c = first; c < classes; ++c) {
    if (scores[c * column] > best.score) best = {c - first, scores[c * column]};
  }
  return best;
}

Status read_ssd(const Outputs& o, const DetectionSettings& s, Size input, std::vector<Found>& out) {
  const std::size_t where = is_boxes(o.arrays()[0]) ? 0 : 1;
  MOTE_ASSIGN(const Values boxes, o.read(where, 2));
  MOTE_ASSIGN(const Values scores, o.read(1 - where, 2));
  const std::int64_t n = boxes.shape[0];
  if (boxes.shape[1] != 4 || (scores.shape[0] != n && scores.shape[1] != n))
    return o.mismatch("not boxes and a score for each class");
  const bool rows = scores.shape[0] == n;
  const std::int64_t classes = scores.shape[rows ? 1 : 0];
  float most = 0;
  for (float v : boxes.data) most = std::max(most, std::fabs(v));
  // Fractions of the input stay near 1, pixels do not.
  const bool fractions = most <= 2;
  const float w = fractions ? static_cast<float>(input.width) : 1, h = fractions ? static_cast<float>(input.height) : 1;
  for (std::int64_t i = 0; i < n; ++i) {
    const float* b = boxes.data.data() + 4 * i;
    const Best best =
        best_of(scores.data.data() + (rows ? i * classes : i), s.background ? 1 : 0, classes, rows ? 1 : n);
    if (best.index >= 0) out.push_back({b[0] * w, b[1] * h, b[2] * w, b[3] * h, best.score, best.index});
  }
  return {};
}

Status read_yolo(const Outputs& o, const DetectionSettings& s, Size, std::vector<Found>& out) {
  MOTE_ASSIGN(const Values v, o.read(0, 2));
  const bool objectness = s.layout == DetectionLayout::kYolo5;
  const std::int64_t head = objectness ? 5 : 4;
  // There are more boxes than numbers in one.
  const bool rows = objectness || v.shape[0] > v.shape[1];
  const std::int64_t n = v.shape[rows ? 0 : 1], width = v.shape[rows ? 1 : 0];
  if (width <= head) return o.mismatch("no classes beside the boxes");
  const std::int64_t row = rows ? width : 1, column = rows ? 1 : n;
  for (std::int64_t i = 0; i < n; ++i) {
    const float* p = v.data.data() + i * row;
    Best best = best_of(p, head, width, column);
    if (best.index < 0) continue;
    if (objectness) best.score *= p[4 * column];
    const float x = p[0], y = p[column], w = p[2 * column] / 2, h = p[3 * column] / 2;
    out.push_back({x - w, y - h, x + w, y + h, best.score, best.index});
  }
  return {};
}

Status read_yolo_nms(const Outputs& o, const DetectionSettings&, Size, std::vector<Found>& out) {
  MOTE_ASSIGN(const Values v, o.read(0, 2));
  if (v.shape[1] != 6) return o.mismatch("not rows of six numbers");
  for (std::int64_t i = 0; i < v.shape[0]; ++i) {
    const float* p = v.data.data() + 6 * i;
    if (const auto index = class_index(p[5])) out.push_back({p[0], p[1], p[2], p[3], p[4], *index});
  }
  return {};
}

// From the input's pixels to the picture's, cut to it; nothing where no area is left.
std::optional<Box> placed(const Found& f, const Placement& p) {
  const auto side = [](float v, double offset, double scale, int size) {
    return static_cast<float>(std::clamp((static_cast<double>(v) - offset) / scale, 0.0, static_cast<double>(size)));
  };
  if (!std::isfinite(f.left) || !std::isfinite(f.top) || !std::isfinite(f.right) || !std::isfinite(f.bottom) ||
      !std::isfinite(f.score))
    return std::nullopt;
  Box b{side(f.left, p.offset_x, p.scale_x, p.image.width),
        side(f.top, p.offset_y, p.scale_y, p.image.height),
        side(f.right, p.offset_x, p.scale_x, p.image.width),
        side(f.bottom, p.offset_y, p.scale_y, p.image.height),
        f.index,
        f.score};
  if (b.right <= b.left || b.bottom <= b.top) return std::nullopt;
  return b;
}

}  // namespace

Result<DetectionLayout> detection_layout(std::string_view name) {
  std::string names;
  for (const auto& [text, layout] : kNames) {
    if (text == name) return layout;
    names += concat(names.empty() ? "" : ", ", text);
  }
  return invalid(concat("there is no layout of detections ", quoted(name))).hint(names);
}

std::string_view name_of(DetectionLayout layout) {
  for (const auto& [text, l] : kNames) {
    if (l == layout) return text;
  }
  return "none";
}

DetectionLayout recognise_detection(std::span<const Array> outputs) {
  if (outputs.size() >= 4 && is_boxes(outputs[0])) {
    const std::int64_t n = without_batch(outputs[0], 2)[0];
    if (has_extent(outputs[1], n, 1) && has_extent(outputs[2], n, 1) && has_extent(outputs[3], 1, 1))
      return DetectionLayout::kTflite;
  }
  if (outputs.size() >= 3 && is_boxes(outputs[0])) {
    const std::int64_t n = without_batch(outputs[0], 2)[0];
    if (has_extent(outputs[1], n, 1) && has_extent(outputs[2], n, 1) &&
        is_int(outputs[1].dtype) != is_int(outputs[2].dtype))
      return DetectionLayout::kTorchvision;
  }
  if (outputs.size() == 2 && is_boxes(outputs[0]) != is_boxes(outputs[1])) {
    const std::size_t where = is_boxes(outputs[0]) ? 0 : 1;
    if (has_extent(outputs[1 - where], without_batch(outputs[where], 2)[0], 2)) return DetectionLayout::kSsd;
  }
  if (outputs.size() == 1 && is_real(outputs[0]) && outputs[0].shape.size() == 3 && outputs[0].shape[0] == 1) {
    const Shape s = without_batch(outputs[0], 2);
    if (s.size() == 2 && s[1] == 6) return DetectionLayout::kYoloNms;
    // The numbers of YOLO's grids are sums of squares times 21: rows of many boxes, or columns of them.
    if (s.size() == 2 && s[0] >= 5 && s[1] >= 8 * s[0]) return DetectionLayout::kYolo8;
    if (s.size() == 2 && s[1] >= 6 && s[0] >= 8 * s[1]) return DetectionLayout::kYolo5;
  }
  return DetectionLayout::kNone;
}

float overlap(const Box& a, const Box& b) {
  const float w = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float h = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (w <= 0 || h <= 0) return 0;
  const float both = w * h;
  const float all = (a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top) - both;
  return all > 0 ? both / all : 0;
}

std::vector<Box> suppress(std::vector<Box> boxes, float iou, int most) {
  std::vector<Box> kept;
  for (const Box& b : boxes) {
    if (static_cast<int>(kept.size()) >= most) break;
    const bool covered =
        std::any_of(kept.begin(), kept.end(), [&](const Box& k) { return k.index == b.index && overlap(k, b) > iou; });
    if (!covered) kept.push_back(b);
  }
  return kept;
}

Result<std::vector<Box>> find_boxes(std::span<const Array> outputs, std::span<const Quantization> quantization,
                                    const DetectionSettings& settings, const Placement& placement,
                                    const Limits& limits) {
  DetectionSettings s = settings;
  if (s.layout == DetectionLayout::kNone) s.layout = recognise_detection(outputs);
  const Outputs all(outputs, quantization, limits);
  if (s.layout == DetectionLayout::kNone || outputs.empty()) return all.mismatch("no layout of detections");
  std::vector<Found> found;
  const auto read = [&]() -> Status {
    switch (s.layout) {
      case DetectionLayout::kTflite:
        return read_tflite(all, s, placement.input, found);
      case DetectionLayout::kTorchvision:
        return read_torchvision(all, s, placement.input, found);
      case DetectionLayout::kSsd:
        return outputs.size() < 2 ? all.mismatch("not two outputs") : read_ssd(all, s, placement.input, found);
      case DetectionLayout::kYoloNms:
        return read_yolo_nms(all, s, placement.input, found);
      default:
        return read_yolo(all, s, placement.input, found);
    }
  };
  MOTE_TRY(read());
  std::vector<Box> boxes;
  for (const Found& f : found) {
    if (!(f.score >= s.threshold)) continue;
    if (std::optional<Box> b = placed(f, placement)) boxes.push_back(*b);
  }
  std::stable_sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.score > b.score; });
  const bool many =
      s.layout == DetectionLayout::kSsd || s.layout == DetectionLayout::kYolo5 || s.layout == DetectionLayout::kYolo8;
  return suppress(std::move(boxes), many ? s.iou : 2.0f, s.most);
}

}  // namespace mote::media
