// From image files to a model's input: decode, resize, crop or letterbox, scale to 0..1, normalise, convert, batch.
// With the same settings the result is torchvision's Resize + CenterCrop + ToTensor + Normalize on a Pillow image; a
// letterbox is Pillow's ImageOps.pad (scaled to fit, in the middle of `fill`), `central` TensorFlow's central_crop.
// Every field of Preprocess may be left out; what is then done is in the comments, and ImageBatch::description says in
// words what was done to these images.
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

// Which part of the image a crop keeps.
enum class CropAt : std::uint8_t { kCentre, kTopLeft, kTopRight, kBottomLeft, kBottomRight };

struct Preprocess {
  std::optional<float> central;    // keep this part of both sides before anything else; default: all
  std::optional<Size> resize;      // default: exactly to the input's size, unless a crop is asked for
  std::optional<Size> crop;        // default: to the input's size, after a short-side resize only
  std::optional<CropAt> crop_at;   // default: the centre
  std::optional<Size> letterbox;   // instead of resize and crop; width 0: the input's size
  std::vector<std::uint8_t> fill;  // grey or RGB around a letterboxed image; default: 114
  std::optional<Filter> filter;    // default: bilinear
  std::vector<float> mean, std;    // in 0..1 units, one value or one per channel of the input; default: 0, 1
  std::optional<float>
      scale;  // pixel * scale before mean and std; default: 1/255, and 1 for integers without quantization
  std::optional<Layout> layout;      // default: where the shape has its 1 or 3 channels, else NCHW
  std::optional<Channels> channels;  // default: RGB, or grey for one channel
  bool empty() const;
};

// Sets one field from text: `central` 0.875, `resize` 256 or 224x224, `crop` 224 or 224x192 (width first), `crop_at`
// centre|top-left|top-right|bottom-left|bottom-right, `letterbox` input, 640 or 640x384, `fill` 114 or 114,114,114,
// `filter` nearest|bilinear|bicubic, `mean` and `std` 0.5 or 0.485,0.456,0.406, `scale` 0.0039 or 1/255, `layout`
// nchw|nhwc, `channels` rgb|bgr|grey.
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

// Where an image lies in what the model sees: x of the input = scale_x * x of the image + offset_x, pixels having
// their centres at halves; y alike.
struct Placement {
  Size image, input;
  double scale_x = 1, scale_y = 1, offset_x = 0, offset_y = 0;
};

struct ImageBatch {
  std::vector<Placement> placements;  // one per image
  Array array;  // named like the input; its first dimension is the number of images, whatever the input's is
  std::string description;  // "resized 640x480 to 341x256 (short side 256, bilinear), centre crop 224x224, /255, ..."
  std::vector<std::string> notes;  // "cat.png: 16-bit grey is clipped at 255, as Pillow does"
};

Result<ImageBatch> load_images(std::span<const ImageFile> files, const ImageInput& input, const Preprocess& preprocess,
                               const Limits& limits = {});

// Where an input of `first` x ... x `last` (-1: free) has its channels.
Result<Layout> image_layout(std::int64_t first, std::int64_t last, const Preprocess& preprocess);

// The geometry and the arithmetic of load_images, one image at a time.
Size resized_size(Size image, Size resize);
Status fill_input(const Image& image, const ImageInput& input, const Preprocess& preprocess, Layout layout,
                  Channels channels, std::span<std::byte> out);

}  // namespace mote::media
