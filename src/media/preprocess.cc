#include "media/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/half.h"
#include "base/text.h"

namespace mote::media {
namespace {

// The input's shape as an image: -1 where it is free.
struct Target {
  Layout layout = Layout::kNchw;
  Channels channels = Channels::kRgb;
  std::int64_t width = -1, height = -1;
  bool batched = true;
  int channel_count() const { return channels == Channels::kGrey ? 1 : 3; }
};

std::string size_text(std::int64_t width, std::int64_t height) {
  const auto side = [](std::int64_t v) { return v < 0 ? std::string("any") : to_text(v); };
  return side(width) + "x" + side(height);
}

// Colour is told from height and width by its 3, then by its 1.
Layout guess_layout(std::int64_t first, std::int64_t last) {
  if (first == 3) return Layout::kNchw;
  return last == 3 || (last == 1 && first != 1) ? Layout::kNhwc : Layout::kNchw;
}

Result<Target> find_target(const ImageInput& input, const Preprocess& p) {
  const std::size_t rank = input.shape.size();
  if (rank != 3 && rank != 4) {
    return unsupported("shape " + numpy_shape(input.shape) + " is not an image")
        .hint("give its values with --input NAME=FILE.npy");
  }
  const std::int64_t* dims = input.shape.data() + (rank - 3);
  const auto is_channels = [](std::int64_t d) { return d == 1 || d == 3; };
  Target t;
  t.batched = rank == 4;
  t.layout = p.layout.value_or(guess_layout(dims[0], dims[2]));
  const bool first = t.layout == Layout::kNchw;
  const std::int64_t channels = dims[first ? 0 : 2];
  t.height = dims[first ? 1 : 0];
  t.width = dims[first ? 2 : 1];
  if (channels >= 0 && !is_channels(channels)) {
    return unsupported(concat("an image has 1 or 3 channels, and the input takes ", channels))
        .hint("give its layout with --layout, or its values with --input NAME=FILE.npy");
  }
  t.channels = p.channels.value_or(channels == 1 ? Channels::kGrey : Channels::kRgb);
  if (channels >= 0 && channels != t.channel_count()) {
    return invalid(concat("the input takes ", channels, " channels, the images are to have ", t.channel_count()));
  }
  if (t.height == 0 || t.width == 0)
    return invalid("the input's shape " + numpy_shape(input.shape) + " holds no pixels");
  return t;
}

const char* filter_name(Filter f) {
  return f == Filter::kNearest ? "nearest" : f == Filter::kBilinear ? "bilinear" : "bicubic";
}

// What is to be done to the size of every image, decided once.
struct Geometry {
  std::optional<Size> resize, crop;
  Filter filter = Filter::kBilinear;
  bool plain = false;  // nobody asked: resized to what the input takes
};

Geometry find_geometry(const Target& target, const Preprocess& p) {
  Geometry g;
  g.resize = p.resize;
  g.crop = p.crop;
  g.filter = p.filter.value_or(Filter::kBilinear);
  if (target.width > 0 && target.height > 0) {
    const Size whole{static_cast<int>(std::min<std::int64_t>(target.width, 1 << 30)),
                     static_cast<int>(std::min<std::int64_t>(target.height, 1 << 30))};
    g.plain = !g.resize && !g.crop;
    if (g.plain) g.resize = whole;
    if (g.resize && g.resize->height == 0 && !g.crop) g.crop = whole;
  }
  return g;
}

Result<Image> apply_geometry(Image image, const Geometry& g, const Limits& limits) {
  if (g.resize) {
    const Size size = resized_size({image.width, image.height}, *g.resize);
    MOTE_ASSIGN(image, resize_image(image, size.width, size.height, g.filter, limits));
  }
  if (g.crop) {
    MOTE_ASSIGN(image, centre_crop(image, g.crop->width, g.crop->height, limits));
  }
  return image;
}

std::string describe_geometry(const Geometry& g, Size from, bool same_size) {
  std::string s;
  if (g.plain) s += "no size is asked for: ";
  if (g.resize) {
    const Size to = resized_size(from, *g.resize);
    s += same_size ? "resized " + size_text(from.width, from.height) : "resized";
    s += g.resize->height == 0 && !same_size ? "" : " to " + size_text(to.width, to.height);
    s += g.resize->height == 0 ? concat(same_size ? " (" : " to ", "short side ", g.resize->width)
         : same_size           ? " ("
                               : ", ";
    s += concat(g.resize->height == 0 ? ", " : "", filter_name(g.filter), same_size ? ")" : "");
  }
  if (g.crop) s += concat(s.empty() ? "" : ", ", "centre crop ", size_text(g.crop->width, g.crop->height));
  if (!g.resize && !g.crop) s += "size kept at " + size_text(from.width, from.height);
  return s;
}

bool is_raw_integer(const ImageInput& input, const Preprocess& p) {
  return is_int(input.dtype) && input.quantization.scale == 0 && p.mean.empty() && p.std.empty() && !p.scale;
}

std::string describe_values(const ImageInput& input, const Preprocess& p, const Target& t) {
  std::string s;
  if (is_raw_integer(input, p)) {
    s = input.dtype == DType::i8 ? "pixels minus 128" : "pixels as they are";
  } else {
    s = p.scale ? concat("times ", *p.scale) : "/255";
    if (!p.mean.empty()) s += concat(", mean ", join(p.mean));
    if (!p.std.empty()) s += concat(", std ", join(p.std));
    if (input.quantization.scale != 0) {
      s += concat(", quantized by scale ", input.quantization.scale, " and zero point ", input.quantization.zero_point);
    }
  }
  const char* channels = t.channels == Channels::kRgb ? "RGB" : t.channels == Channels::kBgr ? "BGR" : "grey";
  return concat(s, ", ", name_of(input.dtype), " ", t.layout == Layout::kNchw ? "NCHW " : "NHWC ", channels);
}

template <class Int>
void store_integer(float v, std::byte* to) {
  // The limits as doubles: the largest 64-bit integers are rounded down so that the cast is defined.
  constexpr double kLow = static_cast<double>(std::numeric_limits<Int>::min());
  constexpr double kHigh = sizeof(Int) == 8 ? 0x1p62 : static_cast<double>(std::numeric_limits<Int>::max());
  const Int i = static_cast<Int>(std::clamp(std::nearbyint(static_cast<double>(v)), kLow, kHigh));
  std::memcpy(to, &i, sizeof i);
}

bool store(DType t, float v, std::byte* to) {
  const auto put = [&](auto x) { std::memcpy(to, &x, sizeof x); };
  switch (t) {
    case DType::f32:
      put(v);
      return true;
    case DType::f64:
      put(static_cast<double>(v));
      return true;
    case DType::f16:
      put(f32_to_f16(v));
      return true;
    case DType::bf16:
      put(f32_to_bf16(v));
      return true;
    case DType::u8:
      store_integer<std::uint8_t>(v, to);
      return true;
    case DType::i8:
      store_integer<std::int8_t>(v, to);
      return true;
    case DType::u16:
      store_integer<std::uint16_t>(v, to);
      return true;
    case DType::i16:
      store_integer<std::int16_t>(v, to);
      return true;
    case DType::i32:
      store_integer<std::int32_t>(v, to);
      return true;
    case DType::i64:
      store_integer<std::int64_t>(v, to);
      return true;
    default:
      return false;
  }
}

// The input's bytes for each pixel value of channel `c`.
using Table = std::array<std::array<std::byte, 8>, 256>;

float value_of(int pixel, std::size_t c, const ImageInput& input, const Preprocess& p) {
  const auto px = static_cast<float>(pixel);
  if (is_raw_integer(input, p)) return input.dtype == DType::i8 ? px - 128.0f : px;
  float v = p.scale ? px * *p.scale : px / 255.0f;
  if (!p.mean.empty()) v -= p.mean[p.mean.size() == 1 ? 0 : c];
  if (!p.std.empty()) v /= p.std[p.std.size() == 1 ? 0 : c];
  if (input.quantization.scale == 0) return v;
  return std::nearbyint(v / input.quantization.scale) + static_cast<float>(input.quantization.zero_point);
}

Status make_table(std::size_t c, const ImageInput& input, const Preprocess& p, Table& table) {
  for (int pixel = 0; pixel < 256; ++pixel) {
    if (!store(input.dtype, value_of(pixel, c, input, p), table[static_cast<std::size_t>(pixel)].data())) {
      return unsupported(concat("images do not go into an input of dtype ", name_of(input.dtype)));
    }
  }
  return {};
}

template <std::size_t kSize>
void fill_channel(const std::uint8_t* from, std::size_t step, std::size_t count, const Table& table, std::byte* to,
                  std::size_t to_step) {
  for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * to_step, table[from[i * step]].data(), kSize);
}

Result<Image> prepare_one(const ImageFile& file, const Target& target, const Geometry& geometry, const Limits& limits,
                          Size& decoded) {
  MOTE_ASSIGN(Image image, decode_image(file.bytes, limits));
  decoded = {image.width, image.height};
  if (target.channels == Channels::kGrey) image = to_grey(image);
  MOTE_ASSIGN(image, apply_geometry(std::move(image), geometry, limits));
  const bool fits =
      (target.width < 0 || target.width == image.width) && (target.height < 0 || target.height == image.height);
  if (fits) return image;
  return invalid(concat("the image is ", size_text(image.width, image.height),
                        " after resize and crop, and the input takes ", size_text(target.width, target.height)))
      .hint(target.width > 0 && target.height > 0 ? concat("--crop ", size_text(target.width, target.height))
                                                  : "--resize WIDTHxHEIGHT");
}

std::vector<std::int64_t> input_shape(const Target& t, std::size_t images, Size size) {
  const std::int64_t n = static_cast<std::int64_t>(images), c = t.channel_count(), h = size.height, w = size.width;
  if (t.layout == Layout::kNchw) return t.batched ? std::vector{n, c, h, w} : std::vector{c, h, w};
  return t.batched ? std::vector{n, h, w, c} : std::vector{h, w, c};
}

}  // namespace

Size resized_size(Size image, Size resize) {
  if (resize.height != 0) return resize;
  // torchvision: the long side is rounded down.
  const bool wide = image.width > image.height;
  const std::int64_t longer = std::max(image.width, image.height), shorter = std::min(image.width, image.height);
  const double scaled = static_cast<double>(std::int64_t{resize.width} * longer) / static_cast<double>(shorter);
  const int other = static_cast<int>(std::min(scaled, 1e9));
  return wide ? Size{other, resize.width} : Size{resize.width, other};
}

Status fill_input(const Image& image, const ImageInput& input, const Preprocess& p, Layout layout, Channels channels,
                  std::span<std::byte> out) {
  const auto count = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  const auto planes = static_cast<std::size_t>(image.channels);
  const auto size = static_cast<std::size_t>(bits_of(input.dtype)) / 8;
  if (planes != (channels == Channels::kGrey ? 1u : 3u) || out.size() != count * planes * size) {
    return internal_error("an image that does not fit its place");
  }
  for (const auto& [name, values] : {std::pair{"mean", &p.mean}, std::pair{"std", &p.std}}) {
    if (values->size() > 1 && values->size() != planes) {
      return invalid(concat(values->size(), " values of ", name, " for ", planes, " channel"));
    }
  }
  for (std::size_t c = 0; c < planes; ++c) {
    Table table;
    MOTE_TRY(make_table(c, input, p, table));
    const std::uint8_t* from = image.pixels.data() + (channels == Channels::kBgr ? 2 - c : c);
    const bool planar = layout == Layout::kNchw;
    std::byte* to = out.data() + (planar ? c * count : c) * size;
    const std::size_t step = planar ? size : planes * size;
    switch (size) {
      case 1:
        fill_channel<1>(from, planes, count, table, to, step);
        break;
      case 2:
        fill_channel<2>(from, planes, count, table, to, step);
        break;
      case 4:
        fill_channel<4>(from, planes, count, table, to, step);
        break;
      default:
        fill_channel<8>(from, planes, count, table, to, step);
    }
  }
  return {};
}

Result<ImageBatch> load_images(std::span<const ImageFile> files, const ImageInput& input, const Preprocess& p,
                               const Limits& limits) {
  if (files.empty()) return invalid("no images");
  const std::string place = "input " + quoted(input.name);
  auto found = find_target(input, p);
  if (!found.ok()) return std::move(found).status().at(place);
  const Target target = *found;
  if (!target.batched && files.size() > 1) {
    return invalid(concat(files.size(), " images for an input without a batch dimension"))
        .at(place)
        .hint("give one image");
  }
  const Geometry geometry = find_geometry(target, p);
  ImageBatch batch;
  Size first, decoded, first_decoded;
  std::size_t bytes = 0;
  bool same_size = true;
  for (const ImageFile& file : files) {
    auto made = prepare_one(file, target, geometry, limits, decoded);
    if (!made.ok()) return std::move(made).status().at(file.name);
    const Image& image = *made;
    if (bytes == 0) {
      first = {image.width, image.height};
      first_decoded = decoded;
      Checked total = Checked(bits_of(input.dtype) / 8) * image.channels * image.width * image.height;
      bytes = static_cast<std::size_t>(total.value());
      total *= static_cast<std::int64_t>(files.size());
      MOTE_TRY(check_allocation(total.get().value_or(-1), limits, concat("a batch of ", files.size(), " images")));
      batch.array.data.resize(static_cast<std::size_t>(total.value()));
    } else if (image.width != first.width || image.height != first.height) {
      return invalid(concat("is ", size_text(image.width, image.height), " and the first image ",
                            size_text(first.width, first.height)))
          .at(file.name)
          .hint("--resize WIDTHxHEIGHT makes all images of a batch the same size");
    }
    same_size = same_size && decoded.width == first_decoded.width && decoded.height == first_decoded.height;
    const auto index = static_cast<std::size_t>(&file - files.data());
    MOTE_TRY(fill_input(image, input, p, target.layout, target.channels,
                        std::span(batch.array.data).subspan(index * bytes, bytes))
                 .at(place));
    if (!image.note.empty()) batch.notes.push_back(concat(file.name, ": ", image.note));
  }
  batch.array.name = input.name;
  batch.array.dtype = input.dtype;
  batch.array.shape = input_shape(target, files.size(), first);
  batch.description = describe_geometry(geometry, first_decoded, same_size) + ", " + describe_values(input, p, target);
  return batch;
}

}  // namespace mote::media
