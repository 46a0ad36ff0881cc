// Images from and to memory. JPEG, PNG, BMP and PNM (PBM, PGM, PPM, ascii and binary) are recognised by content.
// A decoded image is 8-bit RGB, row by row from the top, equal to Pillow's Image.open(f).convert("RGB"): alpha is
// dropped, not blended; EXIF orientation and colour profiles are ignored; 16-bit colour keeps its high byte; 16-bit
// grey is clipped at 255 (the `note` says so); CMYK is taken as Adobe writes it. Sizes are held against Limits before
// pixels are allocated. JPEG needs libjpeg-turbo (CMake option MOTE_JPEG), PNG libpng (MOTE_PNG); without them:
// kUnsupported. Errors name the byte offset where the file stopped making sense.
#pragma once

#include "media/array.h"

namespace mote::media {

struct Image {
  int width = 0, height = 0;
  int channels = 3;                  // 3: RGB; 1: grey
  std::vector<std::uint8_t> pixels;  // height * width * channels
  std::string note;                  // what a user may want to know about the decoding; usually empty
};

enum class ImageFormat : std::uint8_t { kUnknown, kJpeg, kPng, kBmp, kPnm };

ImageFormat recognise_image(std::span<const std::byte> file);

Result<Image> decode_image(std::span<const std::byte> file, const Limits& limits = {});

// 8-bit PNG and binary PPM (PGM for grey).
Result<std::vector<std::byte>> encode_png(const Image& image);
std::vector<std::byte> encode_pnm(const Image& image);

// ITU-R 601 luma in Pillow's fixed point: convert("L").
Image to_grey(const Image& image);

// The decoders behind decode_image.
Result<Image> decode_jpeg(std::span<const std::byte> file, const Limits& limits);
Result<Image> decode_png(std::span<const std::byte> file, const Limits& limits);
Result<Image> decode_bmp(std::span<const std::byte> file, const Limits& limits);
Result<Image> decode_pnm(std::span<const std::byte> file, const Limits& limits);

// Ok if an image of this size may be decoded with `working_bytes` more than its RGB pixels.
Status check_image_size(std::uint64_t width, std::uint64_t height, std::int64_t working_bytes, const Limits& limits);

}  // namespace mote::media
