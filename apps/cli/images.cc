// --image and what prepares images for a model.
#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "media/preprocess.h"

namespace mote::cli {

void ImageOptions::add(CLI::App& app, bool with_files) {
  if (with_files) app.add_option("--image", files, "JPEG, PNG, BMP or PPM files; several are batched")->take_all();
  constexpr std::pair<const char*, const char*> kSettings[] = {
      {"resize", "256: the short side; 320x240: exactly (width x height)"},
      {"crop", "224 or 224x192: the centre, after resizing"},
      {"crop-at", "centre, top-left, top-right, bottom-left or bottom-right: which part --crop keeps"},
      {"central", "0.875: this part of both sides, cut before resizing"},
      {"fill", "114 or R,G,B: what lies around a letterboxed image, in grey levels of 0 to 255"},
      {"mean", "0.485,0.456,0.406: subtracted, in units of 0 to 1"},
      {"std", "0.229,0.224,0.225: divided by, in units of 0 to 1"},
      {"scale", "1/255: what pixels are multiplied with before"},
      {"layout", "nchw or nhwc"},
      {"filter", "nearest, bilinear or bicubic"},
  };
  for (const auto& [flag, what] : kSettings) {
    std::string key = flag;
    std::replace(key.begin(), key.end(), '-', '_');
    app.add_option(std::string("--") + flag, settings[key], what);
  }
  app.add_option("--letterbox", settings["letterbox"],
                 "scale to fit, in the middle of --fill: 640, 640x384, or alone: the input's size")
      ->expected(0, 1)
      ->default_str("input");
  auto* is_rgb = app.add_flag("--rgb", rgb, "channels in the order red, green, blue");
  app.add_flag("--bgr", bgr, "channels in the order blue, green, red")->excludes(is_rgb);
}

Result<media::Preprocess> ImageOptions::asked() const {
  media::Preprocess p;
  for (const auto& [key, value] : settings) {
    if (!value.empty()) MOTE_TRY(media::set_preprocess(p, key, value));
  }
  if (rgb) MOTE_TRY(media::set_preprocess(p, "channels", "rgb"));
  if (bgr) MOTE_TRY(media::set_preprocess(p, "channels", "bgr"));
  return p;
}

namespace {

// The first input that an image fits and no array was given for.
const Port* image_port(const std::vector<Port>& ports, const std::vector<media::Array>& given) {
  for (const Port& p : ports) {
    bool taken = std::any_of(given.begin(), given.end(), [&](const media::Array& a) { return a.name == p.name; });
    if (!p.state && !taken && p.kind == Port::Kind::kTensor &&
        (!p.known_rank || p.shape.size() == 3 || p.shape.size() == 4))
      return &p;
  }
  return nullptr;
}

}  // namespace

Result<std::vector<media::Array>> ImageOptions::batches(const Model& model, const std::vector<Port>& ports,
                                                        const std::vector<media::Array>& given,
                                                        const media::Limits& limits,
                                                        std::vector<media::Placement>* placements) const {
  const Port* port = image_port(ports, given);
  if (!port)
    return invalid("the model has no input that takes an image")
        .hint("images fit inputs of rank 3 and 4; mote inspect MODEL lists the inputs");
  media::ImageInput input{port->name, port->dtype, {}, {port->scale, port->zero_point}};
  for (const std::string& d : port->shape) input.shape.push_back(parse_int(d).value_or(-1));
  MOTE_ASSIGN(media::Preprocess from_file, media::preprocess_from_metadata(model.metadata()));
  MOTE_ASSIGN(media::Preprocess said, asked());
  media::Preprocess with = media::overlay(from_file, said);

  std::int64_t count = static_cast<std::int64_t>(files.size()), at_once = count;
  if (input.shape.size() == 3) at_once = 1;
  if (input.shape.size() == 4 && input.shape[0] > 0) at_once = input.shape[0];
  if (count % at_once != 0) {
    return invalid(concat("the model takes ", at_once, " images at a time, ", count, " were given"))
        .at("input '" + port->name + "'");
  }
  std::vector<media::Array> out;
  std::string description;
  for (std::int64_t first = 0; first < count; first += at_once) {
    std::vector<FileMap> maps;
    std::vector<media::ImageFile> batch;
    for (std::int64_t i = first; i < first + at_once; ++i) {
      const std::string& path = files[static_cast<std::size_t>(i)];
      MOTE_ASSIGN(FileMap map, FileMap::open(path));
      maps.push_back(std::move(map));
      batch.push_back({path, maps.back().bytes()});
    }
    MOTE_ASSIGN(media::ImageBatch loaded, media::load_images(batch, input, with, limits));
    for (const std::string& note : loaded.notes) say(note);
    description = std::move(loaded.description);
    if (placements) placements->insert(placements->end(), loaded.placements.begin(), loaded.placements.end());
    out.push_back(std::move(loaded.array));
  }
  bool by_default = said.empty() && from_file.empty();
  by_default ? say("images: " + description + " (neither the model nor an option says how)")
             : detail("images: " + description);
  return out;
}

}  // namespace mote::cli
