// --audio and what makes a model's input of it.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "media/audio_input.h"

namespace mote::cli {

void AudioOptions::add(CLI::App& app, bool with_files) {
  if (with_files) app.add_option("--audio", files, "WAV files, one run each")->take_all();
  constexpr std::pair<const char*, const char*> kSettings[] = {
      {"features", "samples, spectrogram, mel, logmel, mfcc or micro: what the model takes"},
      {"rate", "16000: samples per second that the file is resampled to"},
      {"frame", "400 or 25ms: length of a frame"},
      {"hop", "160 or 10ms: from one frame to the next"},
      {"fft", "512: length of the transform; default: the frame"},
      {"mels", "40: bands of the mel spectrogram"},
      {"mfcc", "13: coefficients"},
      {"window", "hann, hamming or rect"},
      {"pad", "zeros, reflect or none: what is around the signal, half a frame on each side"},
      {"log", "db or ln"},
      {"top-db", "80: how far below the loudest the quietest is; 0: any"},
      {"log-offset", "1e-6: what ln adds before"},
      {"mel-scale", "slaney or htk"},
      {"mel-norm", "slaney (by the width of a band) or none"},
      {"power", "2: of the magnitudes"},
      {"fmin", "20: the lowest frequency in Hz"},
      {"fmax", "7600: the highest frequency in Hz"},
      {"order", "bands-time or time-bands, where the input's shape does not tell"},
  };
  for (const auto& [flag, what] : kSettings) {
    std::string key = flag;
    std::replace(key.begin(), key.end(), '-', '_');
    app.add_option(std::string("--") + flag, settings[key], what)->group("Audio");
  }
}

Result<media::FeatureSettings> AudioOptions::asked() const {
  media::FeatureSettings s;
  // The rate first: times are counted in it.
  if (auto rate = settings.find("rate"); rate != settings.end() && !rate->second.empty())
    MOTE_TRY(media::set_feature(s, "rate", rate->second));
  for (const auto& [key, value] : settings) {
    if (!value.empty() && key != "rate") MOTE_TRY(media::set_feature(s, key, value));
  }
  return s;
}

namespace {

// The first input that no array was given for.
const Port* audio_port(const std::vector<Port>& ports, const std::vector<media::Array>& given) {
  for (const Port& p : ports) {
    bool taken = std::any_of(given.begin(), given.end(), [&](const media::Array& a) { return a.name == p.name; });
    if (!p.state && !taken && p.kind == Port::Kind::kTensor && p.known_rank && !p.shape.empty()) return &p;
  }
  return nullptr;
}

}  // namespace

Result<std::vector<media::Array>> AudioOptions::batches(const Model& model, const std::vector<Port>& ports,
                                                        const std::vector<media::Array>& given,
                                                        const media::Limits& limits) const {
  const Port* port = audio_port(ports, given);
  if (!port) return invalid("the model has no input that takes audio").hint("mote inspect MODEL lists the inputs");
  media::ImageInput input{port->name, port->dtype, {}, {port->scale, port->zero_point}};
  for (const std::string& d : port->shape) input.shape.push_back(parse_int(d).value_or(-1));
  MOTE_ASSIGN(media::FeatureSettings from_file, media::features_from_metadata(model.metadata()));
  MOTE_ASSIGN(media::FeatureSettings said, asked());
  const media::FeatureSettings with = media::overlay(from_file, said);
  std::vector<media::Array> out;
  for (const std::string& path : files) {
    MOTE_ASSIGN(FileMap map, FileMap::open(path));
    auto loaded = media::load_audio(map.bytes(), input, with, limits);
    if (!loaded.ok()) return std::move(loaded).status().at(path);
    if (!loaded->note.empty()) say(concat(path, ": ", loaded->note));
    with.empty() ? say("audio: " + loaded->description + " (neither the model nor an option says how)")
                 : detail("audio: " + loaded->description);
    out.push_back(std::move(loaded->array));
  }
  return out;
}

}  // namespace mote::cli
