// The fixed-point front end of TensorFlow Lite Micro as nodes.
#pragma once

#include "front/nodes.h"
#include "media/features.h"

namespace mote::front {

// The features i16 [1, bands, frames] of `samples`, f32 [1, n]: a loop over the frames, which carries the estimate of
// the noise. The bits of media/micro_features.h.
ValueId micro_features(Front& f, ValueId samples, const media::Features& s);
// What an input of 8 bits holds for them.
ValueId micro_steps(Front& f, ValueId features, DType dtype);
// What a float input holds.
ValueId micro_floats(Front& f, ValueId features);

}  // namespace mote::front
