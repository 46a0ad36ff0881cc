// Audio features as nodes: [N, 1, samples] -> convolution -> [N, bands, frames].
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "front/front.h"
#include "front/micro.h"
#include "front/nodes.h"
#include "media/audio_input.h"

namespace mote::front {
namespace {

using media::FeatureKind;
using media::Features;

// The windowed cosines of all bins, then the sines: [2 * bins, 1, fft].
ValueId fourier_weights(Front& f, const Features& s) {
  const std::vector<double> window = media::window_of(s);
  const std::int64_t bins = s.bins(), n = s.fft;
  std::vector<double> w;
  w.reserve(static_cast<std::size_t>(2 * bins * n));
  for (const bool sine : {false, true}) {
    for (std::int64_t b = 0; b < bins; ++b) {
      for (std::int64_t i = 0; i < n; ++i) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(b * i % n) / static_cast<double>(n);
        w.push_back(window[static_cast<std::size_t>(i)] * (sine ? -std::sin(angle) : std::cos(angle)));
      }
    }
  }
  return f.floats("preprocessing_fourier", {2 * bins, 1, n}, w);
}

ValueId spectrum(Front& f, ValueId v, const Features& s) {
  if (s.pad != media::FramePad::kNone) {
    const std::int64_t half = s.fft / 2;
    const std::string mode = s.pad == media::FramePad::kReflect ? "reflect" : "constant";
    v = f.add("pad", {v, f.ints({0, 0, half, 0, 0, half})}, {{"mode", mode}});
  }
  v = f.add("conv", {v, fourier_weights(f, s)},
            {{"kernel_shape", std::vector<std::int64_t>{s.fft}}, {"strides", std::vector<std::int64_t>{s.hop}}});
  v = f.add("mul", {v, v});
  const std::int64_t bins = s.bins();
  ValueId axis = f.ints({1});
  v = f.add("add", {f.add("slice", {v, f.ints({0}), f.ints({bins}), axis}),
                    f.add("slice", {v, f.ints({bins}), f.ints({2 * bins}), axis})});
  return s.power == 2 ? v : f.add("pow", {v, f.f32(s.power / 2)});
}

ValueId logarithm(Front& f, ValueId v, const Features& s) {
  if (s.log == media::LogKind::kNatural) return f.add("log", {f.add("add", {v, f.f32(s.offset)})});
  v = f.add("log", {f.add("max", {v, f.f32(1e-10)})});
  v = f.add("mul", {v, f.f32(10.0 / std::log(10.0))});
  if (!(s.top_db > 0)) return v;
  ValueId top = f.add("reduce_max", {v, f.ints({1, 2})});
  return f.add("max", {v, f.add("sub", {top, f.f32(s.top_db)})});
}

ValueId features(Front& f, ValueId v, const Features& s) {
  v = spectrum(f, v, s);
  if (s.kind != FeatureKind::kSpectrogram) {
    v = f.add("matmul", {f.floats("preprocessing_mel", {s.bands, s.bins()}, media::mel_weights(s)), v});
  }
  if (s.kind == FeatureKind::kLogMel || s.kind == FeatureKind::kMfcc) v = logarithm(f, v, s);
  if (s.kind == FeatureKind::kMfcc) {
    v = f.add("matmul", {f.floats("preprocessing_dct", {s.mfcc, s.bands}, media::dct_weights(s.mfcc, s.bands)), v});
  }
  return v;
}

}  // namespace

Status prepend_audio(Module& module, const OpLookup& ops, const media::FeatureSettings& settings,
                     const media::Quantization& quantization) {
  const bool micro = settings.features == FeatureKind::kMicro;
  if (!settings.rate && !micro) return invalid("no rate is given").hint("--rate 16000 says what the samples are");
  MOTE_ASSIGN(const Features s, media::complete(settings, settings.rate.value_or(0)));
  if (module.functions.empty()) return invalid("the module has no function");
  const FunctionId function = module.signatures.empty() ? 0 : module.signatures[0].function;
  Function& fn = module.functions[static_cast<std::size_t>(function)];
  const bool spectral = s.kind != FeatureKind::kSamples;
  std::optional<media::AudioPlace> place;
  std::size_t position = 0;
  for (std::size_t i = 0; i < fn.inputs.size() && !place; ++i) {
    const Type& t = fn.values[static_cast<std::size_t>(fn.inputs[i])].type;
    if (!t.has_rank() || t.rank() == 0) continue;
    std::vector<std::int64_t> extents;
    for (const Dim& d : *t.shape) extents.push_back(d.is_const() ? d.value() : -1);
    auto found = media::place_audio(extents, spectral ? s.height() : 0, settings.time_first);
    if (!found.ok() && i + 1 == fn.inputs.size()) return std::move(found).status();
    if (found.ok()) place = *std::move(found);
    position = i;
  }
  if (!place) return invalid("the model has no input that takes audio");
  Front f(module, function, ops, position);
  const DType dtype = fn.values[static_cast<std::size_t>(f.old())].type.dtype;
  const std::string name = fn.values[static_cast<std::size_t>(f.old())].name;
  const bool open = place->frames < 0;
  if (open) module.symbols.push_back(Symbol{"audio_samples", spectral ? s.least_samples(1) : 1});
  const Dim samples = open        ? Dim::symbol("audio_samples")
                      : !spectral ? Dim(place->frames)
                                  : Dim(s.most_samples(place->frames));
  ValueId v = f.input(Type::tensor(DType::f32, Shape{Dim(1), samples}));
  if (micro) {
    v = micro_features(f, v, s);
  } else if (spectral) {
    v = features(f, f.add("unsqueeze", {v, f.ints({1})}), s);
  }
  if (s.mean != 0) v = f.add("sub", {v, f.f32(s.mean)});
  if (s.std != 1) v = f.add("div", {v, f.f32(s.std)});
  if (spectral && place->time_first()) v = f.add("transpose", {v}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
  std::vector<std::int64_t> shape = place->shape;
  if (open) {
    shape[static_cast<std::size_t>(place->time)] = -1;
  } else {
    shape[static_cast<std::size_t>(place->time)] =
        place->frames * (place->bands == place->time && spectral ? s.height() : 1);
  }
  v = f.add("reshape", {v, f.ints(shape)});
  // Of 8 bits as the preprocessor of the Micro runtime has it, whatever the scale.
  v = micro && bits_of(dtype) == 8 ? micro_steps(f, v, dtype)
                                   : f.stored(micro ? micro_floats(f, v) : v, dtype, quantization);
  const std::string scale_key = "mote.quantization." + name;
  const std::string_view drop[] = {"mote.audio.", scale_key};
  MOTE_TRY(f.finish(v, drop));
  module.metadata.emplace_back("mote.audio.features", "samples");
  module.metadata.emplace_back("mote.audio.rate", concat(s.rate));
  return {};
}

}  // namespace mote::front
