// Images of every format, and their way into an input.
#include <cstdlib>

#include "media/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  Limits limits;
  limits.max_pixels = 1 << 18;
  limits.max_bytes = 1 << 24;
  const std::span file(reinterpret_cast<const std::byte*>(data), size);
  auto image = decode_image(file, limits);
  if (!image.ok()) return 0;
  if (image->pixels.size() != static_cast<std::size_t>(image->width) * static_cast<std::size_t>(image->height) * 3)
    std::abort();
  Preprocess preprocess;
  preprocess.resize = Size{7, 0};
  preprocess.crop = Size{5, 9};
  preprocess.filter = static_cast<Filter>(size % 3);
  const ImageFile files[] = {{"x", file}};
  auto batch = load_images(files, {"x", mote::DType::i8, {-1, -1, -1, 3}, {0.02f, 3}}, preprocess, limits);
  if (!batch.ok() && batch.status().code() != mote::Code::kResourceExhausted) std::abort();
  return 0;
}
