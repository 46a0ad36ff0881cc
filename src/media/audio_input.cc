#include "media/audio_input.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "base/text.h"
#include "media/micro_features.h"
#include "media/numbers.h"

namespace mote::media {
namespace {

Status no_place(std::span<const std::int64_t> shape, std::int64_t height) {
  std::string what = height == 0 ? std::string("samples") : concat("frames of ", height, " features");
  return unsupported(concat("shape ", numpy_shape(shape), " has no place for ", what))
      .hint(height == 0 ? "--features mel, logmel, mfcc, spectrogram or micro says what the model takes"
                        : "--mels or --mfcc says how many features a frame has; mote inspect MODEL lists the inputs");
}

// The axes that can hold something: not one, the first of three and more left to the batch.
std::vector<int> useful_axes(std::span<const std::int64_t> shape, std::size_t wanted) {
  std::vector<int> axes;
  for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back(static_cast<int>(i));
  if (axes.size() > wanted && (shape[0] == 1 || shape[0] < 0)) axes.erase(axes.begin());
  // Extents of one in front, then behind.
  while (axes.size() > wanted && shape[static_cast<std::size_t>(axes.front())] == 1) axes.erase(axes.begin());
  while (axes.size() > wanted && shape[static_cast<std::size_t>(axes.back())] == 1) axes.pop_back();
  return axes;
}

float quantized(float v, const Quantization& q, FeatureKind kind, DType dtype) {
  // As the preprocessor of the Micro runtime has it, whatever the scale.
  if (kind == FeatureKind::kMicro && bits_of(dtype) == 8)
    return static_cast<float>(micro_step(v) - (dtype == DType::i8 ? 128 : 0));
  return q.scale == 0 ? v : std::nearbyint(v / q.scale) + static_cast<float>(q.zero_point);
}

// As many samples as `place` has frames for.
std::string fit_samples(std::vector<float>& samples, const Features& f, std::int64_t frames) {
  const auto n = static_cast<std::int64_t>(samples.size());
  std::int64_t wanted = n;
  if (f.kind == FeatureKind::kSamples) {
    wanted = frames;
  } else if (f.frames(n) != frames) {
    wanted = f.frames(n) < frames ? f.least_samples(frames) : f.most_samples(frames);
  }
  if (wanted == n) return {};
  samples.resize(static_cast<std::size_t>(wanted), 0.0f);
  const double seconds = static_cast<double>(std::abs(wanted - n)) / f.rate;
  return wanted < n ? concat("the last ", static_cast<float>(seconds), " s do not fit the input and are left out")
                    : concat("filled with ", static_cast<float>(seconds), " s of silence");
}

}  // namespace

Result<AudioPlace> place_audio(std::span<const std::int64_t> shape, std::int64_t height,
                               std::optional<bool> time_first) {
  AudioPlace p;
  p.shape.assign(shape.begin(), shape.end());
  std::vector<int> axes = useful_axes(shape, height == 0 ? 1 : 2);
  const auto extent = [&](int axis) { return shape[static_cast<std::size_t>(axis)]; };
  if (height == 0) {
    if (axes.size() != 1) return no_place(shape, height);
    p.time = axes[0];
    p.frames = extent(p.time);
  } else if (axes.size() == 2 && (extent(axes[0]) == 1 || axes.size() < 2) && extent(axes[1]) > height &&
             extent(axes[1]) % height == 0 && axes[0] == 0) {
    p.bands = p.time = axes[1];  // flattened
    p.frames = extent(axes[1]) / height;
  } else if (axes.size() == 2) {
    const auto fits = [&](int bands) { return extent(axes[static_cast<std::size_t>(bands)]) == height; };
    const auto free = [&](int bands) { return extent(axes[static_cast<std::size_t>(bands)]) < 0; };
    std::size_t bands = 0;
    if (time_first) {
      bands = *time_first ? 1 : 0;
    } else if (!fits(0) && (fits(1) || (!free(0) && free(1)))) {
      bands = 1;
    }
    p.bands = axes[bands];
    p.time = axes[1 - bands];
    if (extent(p.bands) >= 0 && extent(p.bands) != height) return no_place(shape, height);
    p.frames = extent(p.time);
  } else {
    return no_place(shape, height);
  }
  for (std::int64_t& d : p.shape) d = d < 0 ? 1 : d;
  for (std::size_t i = 0; i < p.shape.size(); ++i) {
    const int axis = static_cast<int>(i);
    if (axis != p.bands && axis != p.time && p.shape[i] != 1) return no_place(shape, height);
  }
  if (p.frames == 0) return no_place(shape, height);
  if (p.bands >= 0 && p.bands != p.time) p.shape[static_cast<std::size_t>(p.bands)] = height;
  return p;
}

Result<AudioBatch> load_audio(std::span<const std::byte> file, const ImageInput& input, const FeatureSettings& settings,
                              const Limits& limits) {
  MOTE_ASSIGN(Audio audio, decode_wav(file, limits));
  MOTE_ASSIGN(const Features f, complete(settings, audio.rate));
  const bool spectral = f.kind != FeatureKind::kSamples;
  auto place = place_audio(input.shape, spectral ? f.height() : 0, settings.time_first);
  if (!place.ok()) return std::move(place).status().at("input " + quoted(input.name));
  AudioBatch out;
  out.description = concat(audio.channels == 1 ? "" : concat("mean of ", audio.channels, " channels, "),
                           audio.rate == f.rate ? "" : concat("resampled from ", audio.rate, " Hz, "), describe(f));
  MOTE_ASSIGN(std::vector<float> samples, resample_audio(audio.samples, audio.rate, f.rate, limits));
  if (place->frames > 0) {
    const std::int64_t most = spectral ? f.most_samples(place->frames) : place->frames;
    MOTE_TRY(check_allocation(std::max<std::int64_t>(most, 0) * 4, limits, "the samples of an input"));
    out.note = fit_samples(samples, f, place->frames);
  }
  if (samples.empty()) return invalid("the WAV file has no samples");
  std::vector<float> values = std::move(samples);
  std::int64_t height = 1;
  if (spectral) {
    MOTE_ASSIGN(values, compute_features(values, f, limits));
    height = f.height();
  } else if (f.mean != 0 || f.std != 1) {
    for (float& v : values) v = static_cast<float>((static_cast<double>(v) - f.mean) / f.std);
  }
  const std::int64_t frames = static_cast<std::int64_t>(values.size()) / height;
  place->shape[static_cast<std::size_t>(place->time)] = place->bands == place->time ? frames * height : frames;
  out.array.name = input.name;
  out.array.dtype = input.dtype;
  out.array.shape = place->shape;
  const auto size = static_cast<std::size_t>(bits_of(input.dtype)) / 8;
  out.array.data.resize(values.size() * size);
  const bool turned = spectral && place->time_first();
  for (std::int64_t t = 0; t < frames; ++t) {
    for (std::int64_t h = 0; h < height; ++h) {
      const auto from = static_cast<std::size_t>(h * frames + t);
      const auto to = turned ? static_cast<std::size_t>(t * height + h) : from;
      if (!store_number(input.dtype, quantized(values[from], input.quantization, f.kind, input.dtype),
                        out.array.data.data() + to * size)) {
        return unsupported(concat("audio does not go into an input of dtype ", name_of(input.dtype)))
            .at("input " + quoted(input.name));
      }
    }
  }
  return out;
}

}  // namespace mote::media
