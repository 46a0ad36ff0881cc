#include "media/geometry.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace mote::media {
namespace {

const char* filter_name(Filter f) {
  return f == Filter::kNearest ? "nearest" : f == Filter::kBilinear ? "bilinear" : "bicubic";
}

const char* crop_name(CropAt at) {
  constexpr const char* kNames[] = {"centre", "top left", "top right", "bottom left", "bottom right"};
  return kNames[static_cast<std::size_t>(at)];
}

// TensorFlow's central_crop: what is cut off is rounded down on both sides alike.
Size central_size(Size image, float part) {
  const auto side = [&](int n) {
    const int cut = static_cast<int>((n - n * static_cast<double>(part)) / 2);
    return std::max(1, n - 2 * cut);
  };
  return {side(image.width), side(image.height)};
}

// Pillow's ImageOps.contain: the largest size of the image's shape within `box`, the free side rounded half to even.
Size contained_size(Size image, Size box) {
  const std::int64_t across = std::int64_t{image.width} * box.height, down = std::int64_t{image.height} * box.width;
  const auto rounded = [](double v) { return std::max(1, static_cast<int>(std::nearbyint(v))); };
  if (across > down) {
    const double height = static_cast<double>(image.height) / image.width * box.width;
    return {box.width, std::min(box.height, rounded(height))};
  }
  if (across < down) {
    const double width = static_cast<double>(image.width) / image.height * box.height;
    return {std::min(box.width, rounded(width)), box.height};
  }
  return box;
}

GeometryStep crop_step(Size image, Size size, CropAt at) {
  GeometryStep step{false, size, centre_offset(image.width, size.width), centre_offset(image.height, size.height)};
  if (at == CropAt::kCentre) return step;
  // A corner of an image that is smaller than the crop is the image itself, in the middle of black.
  const bool right = at == CropAt::kTopRight || at == CropAt::kBottomRight;
  const bool bottom = at == CropAt::kBottomLeft || at == CropAt::kBottomRight;
  if (image.width >= size.width) step.left = right ? image.width - size.width : 0;
  if (image.height >= size.height) step.top = bottom ? image.height - size.height : 0;
  return step;
}

}  // namespace

std::string size_text(std::int64_t width, std::int64_t height) {
  const auto side = [](std::int64_t v) { return v < 0 ? std::string("any") : to_text(v); };
  return side(width) + "x" + side(height);
}

Size resized_size(Size image, Size resize) {
  if (resize.height != 0) return resize;
  // torchvision: the long side is rounded down.
  const bool wide = image.width > image.height;
  const std::int64_t longer = std::max(image.width, image.height), shorter = std::min(image.width, image.height);
  const double scaled = static_cast<double>(std::int64_t{resize.width} * longer) / static_cast<double>(shorter);
  const int other = static_cast<int>(std::min(scaled, 1e9));
  return wide ? Size{other, resize.width} : Size{resize.width, other};
}

Result<Geometry> find_geometry(Size target, const Preprocess& p) {
  Geometry g;
  g.central = p.central;
  g.resize = p.resize;
  g.crop = p.crop;
  g.letterbox = p.letterbox;
  g.crop_at = p.crop_at.value_or(CropAt::kCentre);
  g.fill = p.fill;
  if (g.fill.empty()) g.fill = {114};
  g.filter = p.filter.value_or(Filter::kBilinear);
  const bool known = target.width > 0 && target.height > 0;
  if (g.letterbox) {
    if (g.resize || g.crop) return invalid("a letterbox takes the place of resize and crop").hint("give one of them");
    if (g.letterbox->width == 0 && !known) {
      return invalid("the input's size is open, so that the letterbox has none").hint("--letterbox WIDTHxHEIGHT");
    }
    if (g.letterbox->width == 0) g.letterbox = target;
    return g;
  }
  if (known) {
    g.plain = !g.resize && !g.crop;
    if (g.plain) g.resize = target;
    if (g.resize && g.resize->height == 0 && !g.crop) g.crop = target;
  }
  return g;
}

std::vector<GeometryStep> geometry_steps(const Geometry& g, Size image) {
  std::vector<GeometryStep> steps;
  if (g.central) {
    steps.push_back(crop_step(image, central_size(image, *g.central), CropAt::kCentre));
    image = steps.back().size;
  }
  if (g.letterbox) {
    const Size inner = contained_size(image, *g.letterbox);
    const auto left = [](int box, int n) { return -static_cast<int>(std::nearbyint((box - n) * 0.5)); };
    steps.push_back({true, inner});
    steps.push_back(
        {false, *g.letterbox, left(g.letterbox->width, inner.width), left(g.letterbox->height, inner.height), true});
    return steps;
  }
  if (g.resize) {
    steps.push_back({true, resized_size(image, *g.resize)});
    image = steps.back().size;
  }
  if (g.crop) steps.push_back(crop_step(image, *g.crop, g.crop_at));
  return steps;
}

Result<Image> apply_geometry(Image image, const Geometry& g, const Limits& limits) {
  for (const GeometryStep& s : geometry_steps(g, {image.width, image.height})) {
    if (s.resize) {
      MOTE_ASSIGN(image, resize_image(image, s.size.width, s.size.height, g.filter, limits));
      continue;
    }
    std::vector<std::uint8_t> fill = s.filled ? g.fill : std::vector<std::uint8_t>();
    if (image.channels == 1 && fill.size() == 3) {
      fill = to_grey(Image{1, 1, 3, fill, {}}).pixels;
    }
    MOTE_ASSIGN(image, cut_image(image, s.left, s.top, s.size.width, s.size.height, fill, limits));
  }
  return image;
}

Placement place(const Geometry& g, Size image) {
  Placement p{image, image, 1, 1, 0, 0};
  for (const GeometryStep& s : geometry_steps(g, image)) {
    if (s.resize) {
      const double x = static_cast<double>(s.size.width) / p.input.width;
      const double y = static_cast<double>(s.size.height) / p.input.height;
      p = {image, s.size, p.scale_x * x, p.scale_y * y, p.offset_x * x, p.offset_y * y};
    } else {
      p = {image, s.size, p.scale_x, p.scale_y, p.offset_x - s.left, p.offset_y - s.top};
    }
  }
  return p;
}

std::string describe_geometry(const Geometry& g, Size from, bool same_size) {
  std::string s;
  if (g.plain) s += "no size is asked for: ";
  if (g.central) {
    s += concat("the central ", *g.central, " of the sides, ");
    from = central_size(from, *g.central);
  }
  if (g.letterbox) {
    const Size to = contained_size(from, *g.letterbox);
    s += same_size ? concat("resized ", size_text(from.width, from.height), " to ", size_text(to.width, to.height))
                   : std::string("resized to fit");
    return s + concat(" (", filter_name(g.filter), ") in a letterbox of ",
                      size_text(g.letterbox->width, g.letterbox->height), " filled with ",
                      join(std::vector<int>(g.fill.begin(), g.fill.end())));
  }
  if (g.resize) {
    const Size to = resized_size(from, *g.resize);
    s += same_size ? "resized " + size_text(from.width, from.height) : "resized";
    s += g.resize->height == 0 && !same_size ? "" : " to " + size_text(to.width, to.height);
    s += g.resize->height == 0 ? concat(same_size ? " (" : " to ", "short side ", g.resize->width)
         : same_size           ? " ("
                               : ", ";
    s += concat(g.resize->height == 0 ? ", " : "", filter_name(g.filter), same_size ? ")" : "");
  }
  if (g.crop)
    s += concat(s.empty() ? "" : ", ", crop_name(g.crop_at), " crop ", size_text(g.crop->width, g.crop->height));
  if (!g.resize && !g.crop) s += "size kept at " + size_text(from.width, from.height);
  return s;
}

}  // namespace mote::media
