// The settings of Preprocess as text: command-line values and model metadata.
#include <cmath>

#include "base/text.h"
#include "media/preprocess.h"
#include "media/settings.h"

namespace mote::media {
namespace {

constexpr int kMaxSide = 1 << 16;

std::optional<int> parse_side(std::string_view text) {
  const auto v = parse_int(text);
  if (!v || *v < 1 || *v > kMaxSide) return std::nullopt;
  return static_cast<int>(*v);
}

// "224x192"; "224" alone gives height 0.
std::optional<Size> parse_size_pair(std::string_view text) {
  const std::size_t x = text.find_first_of("xX");
  const auto width = parse_side(text.substr(0, x));
  if (!width) return std::nullopt;
  if (x == std::string_view::npos) return Size{*width, 0};
  const auto height = parse_side(text.substr(x + 1));
  if (!height) return std::nullopt;
  return Size{*width, *height};
}

std::optional<std::vector<std::uint8_t>> parse_fill(std::string_view text) {
  std::vector<std::uint8_t> values;
  bool fine = true;
  split(text, ',', [&](std::string_view piece) {
    const auto v = parse_int(trim(piece));
    fine = fine && v && *v >= 0 && *v <= 255;
    if (fine) values.push_back(static_cast<std::uint8_t>(*v));
  });
  if (!fine || (values.size() != 1 && values.size() != 3)) return std::nullopt;
  return values;
}

std::optional<std::vector<float>> parse_floats(std::string_view text) {
  std::vector<float> values;
  bool fine = true;
  split(text, ',', [&](std::string_view piece) {
    const auto v = parse_float(trim(piece));
    fine = fine && v && std::isfinite(*v) && std::fabs(*v) < 1e30;
    if (fine) values.push_back(static_cast<float>(*v));
  });
  if (!fine || (values.size() != 1 && values.size() != 3)) return std::nullopt;
  return values;
}

// The settings that say where the pixels of the image go; nothing where `key` is none of them.
std::optional<Status> set_geometry(Preprocess& p, std::string_view key, std::string_view value) {
  if (key == "resize") {
    p.resize = parse_size_pair(value);
    return p.resize ? Status() : bad_setting(key, value, "the short side, 256, or width x height, 224x224");
  }
  if (key == "crop" || key == "letterbox") {
    std::optional<Size>& size = key == "crop" ? p.crop : p.letterbox;
    size = key == "letterbox" && value == "input" ? Size{} : parse_size_pair(value);
    if (!size) return bad_setting(key, value, "a size, 224 or 224x192");
    if (size->height == 0) size->height = size->width;
    return Status();
  }
  if (key == "central") {
    const auto v = parse_float(trim(value));
    if (!v || !(*v > 0 && *v <= 1)) return bad_setting(key, value, "a part of the sides above 0 and up to 1, 0.875");
    p.central = static_cast<float>(*v);
    return Status();
  }
  if (key == "fill") {
    auto values = parse_fill(value);
    if (!values) return bad_setting(key, value, "a grey level from 0 to 255, or three of them, 114,114,114");
    p.fill = *std::move(values);
    return Status();
  }
  return std::nullopt;
}

Status set_scale(Preprocess& p, std::string_view value) {
  const std::size_t slash = value.find('/');
  const auto top = parse_float(trim(value.substr(0, slash)));
  const auto bottom = slash == std::string_view::npos ? std::optional(1.0) : parse_float(trim(value.substr(slash + 1)));
  if (!top || !bottom || !std::isfinite(*top / *bottom) || *top / *bottom == 0) {
    return bad_setting("scale", value, "a number such as 1/255");
  }
  p.scale = static_cast<float>(*top / *bottom);
  return {};
}

// ONNX's standard entries about images.
Status set_from_onnx(Preprocess& p, std::string_view key, std::string_view value) {
  if (key == "Image.BitmapPixelFormat") {
    if (value == "Rgb8") p.channels = Channels::kRgb;
    if (value == "Bgr8") p.channels = Channels::kBgr;
    if (value == "Gray8") p.channels = Channels::kGrey;
  } else if (key == "Image.NominalPixelRange") {
    if (value == "NominalRange_0_255") p.scale = 1.0f;
    if (value == "Normalized_0_1") p.scale = 1.0f / 255.0f;
    if (value == "Normalized_1_1") {
      p.scale = 1.0f / 255.0f;
      p.mean = p.std = {0.5f};
    }
    if (value == "NominalRange_16_235") {
      p.scale = 219.0f / 255.0f;
      p.mean = {-16.0f};
    }
  }
  return {};
}

}  // namespace

bool Preprocess::empty() const {
  return !central && !resize && !crop && !crop_at && !letterbox && fill.empty() && !filter && mean.empty() &&
         std.empty() && !scale && !layout && !channels;
}

Status set_preprocess(Preprocess& p, std::string_view key, std::string_view value) {
  if (std::optional<Status> done = set_geometry(p, key, value)) return *std::move(done);
  if (key == "mean" || key == "std") {
    auto values = parse_floats(value);
    if (!values) return bad_setting(key, value, "one or three numbers, 0.485,0.456,0.406");
    for (float v : *values) {
      if (key == "std" && v == 0) return bad_setting(key, value, "numbers that are not zero");
    }
    (key == "mean" ? p.mean : p.std) = *std::move(values);
    return {};
  }
  if (key == "scale") return set_scale(p, value);
  if (key == "filter") {
    return set_choice(p.filter, key, value,
                      {{"nearest", Filter::kNearest}, {"bilinear", Filter::kBilinear}, {"bicubic", Filter::kBicubic}});
  }
  if (key == "crop_at") {
    return set_choice(p.crop_at, key, value,
                      {{"centre", CropAt::kCentre},
                       {"top-left", CropAt::kTopLeft},
                       {"top-right", CropAt::kTopRight},
                       {"bottom-left", CropAt::kBottomLeft},
                       {"bottom-right", CropAt::kBottomRight}});
  }
  if (key == "layout") return set_choice(p.layout, key, value, {{"nchw", Layout::kNchw}, {"nhwc", Layout::kNhwc}});
  if (key == "channels") {
    return set_choice(p.channels, key, value,
                      {{"rgb", Channels::kRgb}, {"bgr", Channels::kBgr}, {"grey", Channels::kGrey}});
  }
  return invalid(concat("no image setting is called ", quoted(key)))
      .hint("central, resize, crop, crop_at, letterbox, fill, filter, mean, std, scale, layout, channels");
}

Result<Preprocess> preprocess_from_metadata(Metadata metadata) {
  constexpr std::string_view kPrefix = "mote.image.";
  Preprocess p;
  for (const auto& [key, value] : metadata) MOTE_TRY(set_from_onnx(p, key, value));
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(kPrefix)) continue;
    Status status = set_preprocess(p, std::string_view(key).substr(kPrefix.size()), value);
    if (!status.ok()) return std::move(status).at(concat("metadata ", quoted(key)));
  }
  return p;
}

Preprocess overlay(const Preprocess& under, const Preprocess& over) {
  Preprocess p = under;
  // A size asked for replaces the whole geometry: half of each would be nobody's intention.
  if (over.central || over.resize || over.crop || over.letterbox) {
    p.central = over.central;
    p.resize = over.resize;
    p.crop = over.crop;
    p.crop_at = over.crop_at;
    p.letterbox = over.letterbox;
  }
  if (over.crop_at) p.crop_at = over.crop_at;
  if (!over.fill.empty()) p.fill = over.fill;
  if (over.filter) p.filter = over.filter;
  if (!over.mean.empty()) p.mean = over.mean;
  if (!over.std.empty()) p.std = over.std;
  if (over.scale) p.scale = over.scale;
  if (over.layout) p.layout = over.layout;
  if (over.channels) p.channels = over.channels;
  return p;
}

}  // namespace mote::media
