// mote convert and mote verify.
#include "mote/convert.h"

#include <cstdio>

#include "base/text.h"
#include "cli.h"

namespace mote::cli {

namespace {

// What --with-preprocessing asks for; refuses its settings without it.
Status add_preprocessing(bool wanted, const ImageOptions& images, const AudioOptions& audio,
                         const std::string& image_size, ConvertOptions& options) {
  std::vector<std::pair<std::string, std::string>> of_images, of_audio;
  for (const auto& [key, value] : images.settings) {
    if (!value.empty()) of_images.emplace_back(key, value);
  }
  if (images.rgb) of_images.emplace_back("channels", "rgb");
  if (images.bgr) of_images.emplace_back("channels", "bgr");
  for (const auto& [key, value] : audio.settings) {
    if (!value.empty()) of_audio.emplace_back(key, value);
  }
  if (!wanted) {
    if (of_images.empty() && of_audio.empty() && image_size.empty()) return {};
    return invalid("settings of images and audio are written into a model by --with-preprocessing alone");
  }
  options.source_size = image_size;
  if (of_audio.empty()) {
    options.preprocessing = ConvertOptions::Preprocessing::kImage;
    options.settings = std::move(of_images);
    return {};
  }
  options.preprocessing = ConvertOptions::Preprocessing::kAudio;
  for (auto& [key, value] : of_images) {
    if (key != "mean" && key != "std") return invalid("--" + key + " is of images, and other options are of audio");
    of_audio.emplace_back(key, value);
  }
  options.settings = std::move(of_audio);
  return {};
}

}  // namespace

void register_convert(CLI::App& app, int& exit_code) {
  CLI::App* verb =
      add_verb(app, "convert", "write a model in another format", "mote convert model.onnx -o model.mote --target all");
  struct Options {
    ModelOptions model;
    std::string out;
    ImageOptions images;
    AudioOptions audio;
    bool plans_only = false, preprocessing = false, tune = false;
    std::string image_size;
  };
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_option("-o,--output", o->out, "what to write: .mote, .onnx or .ir (Mote IR text)")->required();
  verb->add_flag("--plans-only", o->plans_only,
                 "leave the module out of a .mote file: smaller, for these targets only");
  verb->add_flag("--tune", o->tune, kTuneHelp);
  verb->add_flag("--with-preprocessing", o->preprocessing,
                 "put what the options below and the model say of images (or with --features of audio) into the model: "
                 "it takes u8 pixels in NHWC, or samples, then");
  verb->add_option("--image-size", o->image_size, "640x480: the size of the images; default: any");
  o->images.add(*verb, false);
  o->audio.add(*verb, false);
  verb->get_option("--target")
      ->description("what a .mote file is prepared for: host, avx2, avx512, aarch64, all; several by commas");
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(FileFormat format, file_format(o->out));
    ConvertOptions options;
    MOTE_ASSIGN(options.load, o->model.load());
    options.load.target.clear();
    options.load.tune = o->tune;
    if (!o->model.target.empty()) {
      split(o->model.target, ',', [&](std::string_view target) { options.targets.emplace_back(target); });
    }
    options.keep_module = !o->plans_only;
    MOTE_TRY(add_preprocessing(o->preprocessing, o->images, o->audio, o->image_size, options));
    double start = now_ms();
    MOTE_TRY(convert(o->model.path, o->out, format, options));
    double ms = now_ms() - start;
    if (globals.json) {
      print_json({{"output", o->out}, {"convert_ms", ms}});
    } else {
      say(concat("wrote ", o->out, " in ", fixed(ms, 1), " ms"));
    }
    return 0;
  });
}

void register_verify(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "verify", "check that a model file is sound", "mote verify model.mote");
  auto o = std::make_shared<ModelOptions>();
  o->add(*verb);
  set_action(*verb, exit_code, [o]() -> Result<int> {
    MOTE_ASSIGN(LoadOptions load, o->load());
    MOTE_ASSIGN(std::string checked, verify_file(o->path, load));
    if (globals.json) {
      print_json({{"ok", true}, {"checked", checked}});
    } else {
      std::printf("ok: %s\n", checked.c_str());
    }
    return 0;
  });
}

}  // namespace mote::cli
