// From a detector's outputs to boxes on the picture.
#pragma once

#include <string>

#include "media/array.h"
#include "media/preprocess.h"

namespace mote::media {

// Corners in pixels of the picture, cut to it.
struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;
  std::int64_t index = 0;  // of the class
  float score = 0;
};

// How a model says where things are.
//   kTflite      four outputs of TFLite_Detection_PostProcess: boxes [1, N, 4] as top, left, bottom, right in 0..1 of
//   the
//                input, classes [1, N], scores [1, N], count [1]
//   kTorchvision boxes [N, 4] as left, top, right, bottom in pixels of the input, scores [N], integer labels [N]
//   kSsd         boxes [1, N, 4] as left, top, right, bottom, in 0..1 or pixels, and scores [1, N, classes] or
//                [1, classes, N]; the classes may hold a background at 0
//   kYolo8       one output [1, 4 + classes, N] (or its transpose): centre x, y, width, height in pixels, scores
//   kYolo5       one output [1, N, 5 + classes]: the same with the probability of an object before the classes
//   kYoloNms     one output [1, N, 6]: left, top, right, bottom in pixels, score, class
enum class DetectionLayout : std::uint8_t { kNone, kTflite, kTorchvision, kSsd, kYolo8, kYolo5, kYoloNms };

struct DetectionSettings {
  DetectionLayout layout = DetectionLayout::kNone;  // kNone: as the shapes tell
  float threshold = 0.5f;                           // scores below it are left out
  float iou = 0.5f;         // of two boxes of a class that overlap more, the lower score goes (kSsd, kYolo5, kYolo8)
  bool background = false;  // kSsd: class 0 is none
  int most = 100;
};

// "tflite", "torchvision", "ssd", "yolo8", "yolo5", "yolo-nms".
Result<DetectionLayout> detection_layout(std::string_view name);
std::string_view name_of(DetectionLayout layout);

// What the shapes and names of a single image's outputs say; kNone where they say nothing certain.
DetectionLayout recognise_detection(std::span<const Array> outputs);

// The boxes of one image, best first, equal scores in the model's order. Fails where the outputs do not have the
// layout.
Result<std::vector<Box>> find_boxes(std::span<const Array> outputs, std::span<const Quantization> quantization,
                                    const DetectionSettings& settings, const Placement& placement,
                                    const Limits& limits = {});

// Greedy suppression per class; `boxes` best first.
std::vector<Box> suppress(std::vector<Box> boxes, float iou, int most);
float overlap(const Box& a, const Box& b);  // intersection over union; 0 for empty boxes

}  // namespace mote::media
