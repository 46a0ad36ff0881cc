// WAV files in memory to samples: PCM of 8 (unsigned), 16, 24 and 32 bits, floats of 32 and 64, plain or
// WAVE_FORMAT_EXTENSIBLE. Integers are divided by 2^(bits - 1), as libsndfile does; channels are averaged. Errors name
// the byte offset; sizes are held against Limits before samples are allocated.
#pragma once

#include "media/array.h"

namespace mote::media {

struct Audio {
  int rate = 0;                // samples per second
  int channels = 1;            // in the file
  std::vector<float> samples;  // mono
};

Result<Audio> decode_wav(std::span<const std::byte> file, const Limits& limits = {});

// At another rate, by a band-limited interpolation: a sinc of 64 zero crossings under a Kaiser window of
// beta 14.769656, cut off at 0.9475937 of the lower Nyquist frequency. ceil(n * rate / from) samples; silence beyond
// the ends.
Result<std::vector<float>> resample_audio(std::span<const float> samples, int from, int rate,
                                          const Limits& limits = {});

inline constexpr int kMaxAudioRate = 1'000'000;

}  // namespace mote::media
