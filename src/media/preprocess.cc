#include "media/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/checked.h"
#include "base/text.h"
#include "media/geometry.h"
#include "media/numbers.h"

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
    if (!store_number(input.dtype, value_of(pixel, c, input, p), table[static_cast<std::size_t>(pixel)].data())) {
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

Result<Layout> image_layout(std::int64_t first, std::int64_t last, const Preprocess& p) {
  return p.layout.value_or(guess_layout(first, last));
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
  const std::string where = "input " + quoted(input.name);
  auto found = find_target(input, p);
  if (!found.ok()) return std::move(found).status().at(where);
  const Target target = *found;
  if (!target.batched && files.size() > 1) {
    return invalid(concat(files.size(), " images for an input without a batch dimension"))
        .at(where)
        .hint("give one image");
  }
  const auto side = [](std::int64_t v) { return static_cast<int>(std::clamp<std::int64_t>(v, -1, 1 << 30)); };
  MOTE_ASSIGN(const Geometry geometry, find_geometry({side(target.width), side(target.height)}, p));
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
                 .at(where));
    batch.placements.push_back(place(geometry, decoded));
    if (!image.note.empty()) batch.notes.push_back(concat(file.name, ": ", image.note));
  }
  batch.array.name = input.name;
  batch.array.dtype = input.dtype;
  batch.array.shape = input_shape(target, files.size(), first);
  batch.description = describe_geometry(geometry, first_decoded, same_size) + ", " + describe_values(input, p, target);
  return batch;
}

}  // namespace mote::media
