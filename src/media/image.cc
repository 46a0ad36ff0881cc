#include "media/image.h"

#include <cstring>

namespace mote::media {
namespace {

bool starts_with(std::span<const std::byte> file, std::string_view magic, std::size_t at = 0) {
  return file.size() >= at + magic.size() && std::memcmp(file.data() + at, magic.data(), magic.size()) == 0;
}

// The name of a format that Mote does not read, or nothing.
std::string_view foreign_format(std::span<const std::byte> file) {
  if (starts_with(file, "GIF8")) return "GIF";
  if (starts_with(file, "RIFF") && starts_with(file, "WEBP", 8)) return "WebP";
  if (starts_with(file, std::string_view("II*\0", 4)) || starts_with(file, std::string_view("MM\0*", 4))) return "TIFF";
  if (starts_with(file, "ftyp", 4)) return "HEIF or AVIF";
  if (starts_with(file, "\xff\x0a") || starts_with(file, "JXL ", 4)) return "JPEG XL";
  if (starts_with(file, "jP  ", 4)) return "JPEG 2000";
  if (starts_with(file, "Pf") || starts_with(file, "PF") || starts_with(file, "P7")) return "PFM or PAM";
  return {};
}

}  // namespace

ImageFormat recognise_image(std::span<const std::byte> file) {
  if (starts_with(file, "\xff\xd8\xff")) return ImageFormat::kJpeg;
  if (starts_with(file, "\x89PNG\r\n\x1a\n")) return ImageFormat::kPng;
  if (starts_with(file, "BM")) return ImageFormat::kBmp;
  if (file.size() >= 3 && starts_with(file, "P")) {
    const char kind = static_cast<char>(file[1]), next = static_cast<char>(file[2]);
    if (kind >= '1' && kind <= '6' && std::string_view(" \t\n\v\f\r#").find(next) != std::string_view::npos)
      return ImageFormat::kPnm;
  }
  return ImageFormat::kUnknown;
}

Result<Image> decode_image(std::span<const std::byte> file, const Limits& limits) {
  switch (recognise_image(file)) {
    case ImageFormat::kJpeg:
      return decode_jpeg(file, limits);
    case ImageFormat::kPng:
      return decode_png(file, limits);
    case ImageFormat::kBmp:
      return decode_bmp(file, limits);
    case ImageFormat::kPnm:
      return decode_pnm(file, limits);
    case ImageFormat::kUnknown:
      break;
  }
  if (file.empty()) return invalid("the file is empty");
  constexpr std::string_view kHint = "convert it to JPEG, PNG, BMP or PPM";
  const std::string_view foreign = foreign_format(file);
  if (!foreign.empty()) return unsupported(std::string(foreign) + " images are not read").hint(kHint);
  return invalid("not an image in a format that is read").at("byte 0").hint(kHint);
}

Status check_image_size(std::uint64_t width, std::uint64_t height, std::int64_t working_bytes, const Limits& limits) {
  const std::string size = std::to_string(width) + "x" + std::to_string(height);
  if (width == 0 || height == 0) return invalid("an image of " + size + " pixels");
  constexpr std::uint64_t kMaxSide = 1 << 30;
  if (width > kMaxSide || height > kMaxSide || width * height > static_cast<std::uint64_t>(limits.max_pixels)) {
    return Status(Code::kResourceExhausted,
                  "an image of " + size + " pixels, more than the " + std::to_string(limits.max_pixels) + " allowed");
  }
  return check_allocation(static_cast<std::int64_t>(width * height * 3) + working_bytes, limits, "an image of " + size);
}

std::vector<std::byte> encode_pnm(const Image& image) {
  const std::string header = std::string(image.channels == 1 ? "P5" : "P6") + "\n" + std::to_string(image.width) + " " +
                             std::to_string(image.height) + "\n255\n";
  std::vector<std::byte> out(header.size() + image.pixels.size());
  std::memcpy(out.data(), header.data(), header.size());
  if (!image.pixels.empty()) std::memcpy(out.data() + header.size(), image.pixels.data(), image.pixels.size());
  return out;
}

Image to_grey(const Image& image) {
  if (image.channels == 1) return image;
  Image out{image.width, image.height, 1, {}, image.note};
  out.pixels.resize(image.pixels.size() / 3);
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    const std::uint8_t* p = image.pixels.data() + 3 * i;
    out.pixels[i] = static_cast<std::uint8_t>((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
  }
  return out;
}

}  // namespace mote::media
