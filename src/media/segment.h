// From a segmentation model's output to one class per pixel of the picture.
#pragma once

#include "media/array.h"
#include "media/preprocess.h"

namespace mote::media {

struct ClassMap {
  int width = 0, height = 0;
  std::vector<std::int32_t> classes;  // row by row; 0 where the model saw nothing of the picture
};

// Whether an output is scores [1, classes, h, w] or [1, h, w, classes], or classes [1, h, w] in integers (further axes
// of 1), for an input of this size: h and w have its ratio to within a pixel of each other.
bool is_segmentation(const Array& output, Size input);

// The class of every pixel of the picture that `placement` describes: the highest score (the lower class where equal;
// above 0 where there is a single map) at the place of the output where the pixel's centre falls.
Result<ClassMap> find_classes(const Array& output, Quantization quantization, const Placement& placement,
                              const Limits& limits = {});

}  // namespace mote::media
