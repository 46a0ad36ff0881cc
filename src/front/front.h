// Preprocessing as nodes in front of a model: what `mote run --image` and `--audio` do to a file's pixels and samples,
// written into the module as ordinary operations, so that it is planned, fused, saved and exported with the rest.
#pragma once

#include "ir/module.h"
#include "media/features.h"
#include "media/preprocess.h"

namespace mote::front {

// The first input of rank 3 or 4 of the main function becomes an image of u8 in NHWC (HWC), RGB or grey, of `source`
// pixels or, at width 0, of any. Resizing rounds to whole grey levels after each axis, as 8-bit images do; it computes
// in f32, which may differ by one level where a value lies between two. `quantization` is the old input's. The model's
// metadata says afterwards that pixels go in as they are.
Status prepend_image(Module& module, const OpLookup& ops, const media::Preprocess& preprocess, media::Size source,
                     const media::Quantization& quantization);

// The first input that has room for the features becomes [1, samples] in f32 at the rate that `settings` must give. As
// many samples as its frames take; any number where their extent is free. Spectra are a convolution with windowed
// cosines and sines in f32: what is a millionth of the loudest band's amplitude is lost in rounding.
Status prepend_audio(Module& module, const OpLookup& ops, const media::FeatureSettings& settings,
                     const media::Quantization& quantization);

}  // namespace mote::front
