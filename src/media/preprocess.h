// From image files to a model's input: decode, resize, crop, scale to 0..1, normalise, convert, batch. With the same
// settings the result is torchvision's Resize + CenterCrop + ToTensor + Normalize on a Pillow image. Every field of
// Preprocess may be left out; what is then done is in the comments, and ImageBatch::description says in words what was
// done to these images.
#pragma once

#include <utility>

#include "media/image.h"
#include "media/resample.h"

namespace mote::media {

enum class Layout : std::uint8_t { kNchw, kNhwc };
enum class Channels : std::uint8_t { kRgb, kBgr, kGrey };

struct Size {
  int width = 0, height = 0;  // of a short-side resize: height 0
};

struct Preprocess {
  std::optional<Size> resize;    // default: exactly to the input's size, unless a crop is asked for
  std::optional<Size> crop;      // default: to the input's size, after a short-side resize only
  std::optional<Filter> filter;  // default: bilinear
  std::vector<float> mean, std;  // in 0..1 units, one value or one per channel of the input; default: 0, 1
  std::optional<float>
      scale;  // pixel * scale before mean and std; default: 1/255, and 1 for integers without quantization
  std::optional<Layout> layout;      // default: where the shape has its 1 or 3 channels, else NCHW
  std::optional<Channels> channels;  // default: RGB, or grey for one channel
  bool empty() const;
};

// Sets one field from text: `resize` 256 or 224x224, `crop` 224 or 224x192 (width first), `filter`
// nearest|bilinear|bicubic, `mean` and `std` 0.5 or 0.485,0.456,0.406, `scale` 0.0039 or 1/255, `layout` nchw|nhwc,
// `channels` rgb|bgr|grey.
Status set_preprocess(Preprocess& p, std::string_view key, std::string_view value);

// What a model file says about its images: `mote.image.KEY` with the keys above, and ONNX's Image.BitmapPixelFormat and
// Image.NominalPixelRange. Other entries are passed over.
using Metadata = std::span<const std::pair<std::string, std::string>>;
Result<Preprocess> preprocess_from_metadata(Metadata metadata);

// `over` where it says something, `under` elsewhere.
Preprocess overlay(const Preprocess& under, const Preprocess& over);

// value = (stored - zero_point) * scale; scale 0: the tensor is not quantized.
struct Quantization {
  float scale = 0;
  std::int32_t zero_point = 0;
};

// A model's input. A dimension of -1 is free. Rank 4 has the batch first; rank 3 takes a single image.
struct ImageInput {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  Quantization quantization;
};

struct ImageFile {
  std::string_view name;  // for messages
  std::span<const std::byte> bytes;
};

struct ImageBatch {
  Array array;  // named like the input; its first dimension is the number of images, whatever the input's is
  std::string description;  // "resized 640x480 to 341x256 (short side 256, bilinear), centre crop 224x224, /255, ..."
  std::vector<std::string> notes;  // "cat.png: 16-bit grey is clipped at 255, as Pillow does"
};

Result<ImageBatch> load_images(std::span<const ImageFile> files, const ImageInput& input, const Preprocess& preprocess,
                               const Limits& limits = {});

// The geometry and the arithmetic of load_images, one image at a time.
Size resized_size(Size image, Size resize);
Status fill_input(const Image& image, const ImageInput& input, const Preprocess& preprocess, Layout layout,
                  Channels channels, std::span<std::byte> out);

}  // namespace mote::media
