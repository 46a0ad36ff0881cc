// WAV files and their way into an input.
#include <cstdlib>

#include "media/audio_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  Limits limits;
  limits.max_bytes = 1 << 22;
  const std::span file(reinterpret_cast<const std::byte*>(data), size);
  auto audio = decode_wav(file, limits);
  if (!audio.ok()) return 0;
  if (audio->samples.size() > size || audio->rate < 1) std::abort();
  FeatureSettings settings;
  settings.rate = 8000;
  settings.frame = 60;
  settings.hop = 40;
  settings.mels = 5;
  settings.mfcc = 3;
  settings.features = static_cast<FeatureKind>(size % 5);
  settings.pad = static_cast<FramePad>(size % 3);
  const bool samples = settings.features == FeatureKind::kSamples;
  std::vector<std::int64_t> shape = samples ? std::vector<std::int64_t>{1, 500} : std::vector<std::int64_t>{1, -1, 20};
  auto batch = load_audio(file, {"x", mote::DType::i16, shape, {0.01f, 3}}, settings, limits);
  if (batch.ok() && batch->array.data.empty()) std::abort();
  return 0;
}
