// From a WAV file to a model's input: one channel at the rate asked for, features, converted to the input's type.
#pragma once

#include "media/features.h"
#include "media/preprocess.h"
#include "media/wav.h"

namespace mote::media {

// Where the features lie in an input: the axes of the bands and of time; one number for both where they are flattened,
// time first. With samples, `time` alone counts. `frames` is -1 where the extent is free.
struct AudioPlace {
  std::vector<std::int64_t> shape;  // free axes that hold neither are 1
  int bands = -1, time = -1;
  std::int64_t frames = -1;
  bool time_first() const { return time < bands || bands == time; }
};

// `height` features per frame, 0 for samples. Fails where the shape is not one for them.
Result<AudioPlace> place_audio(std::span<const std::int64_t> shape, std::int64_t height,
                               std::optional<bool> time_first);

struct AudioBatch {
  Array array;
  std::string description;
  std::string note;  // what was cut off or added
};

// The signal is cut, or filled with silence behind its end, where the input's length is fixed.
Result<AudioBatch> load_audio(std::span<const std::byte> file, const ImageInput& input, const FeatureSettings& settings,
                              const Limits& limits = {});

}  // namespace mote::media
