// Outputs of any shape and value as boxes and maps, and the drawing of them.
#include <cstdlib>
#include <cstring>

#include "media/detect.h"
#include "media/draw.h"
#include "media/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  std::size_t at = 0;
  const auto byte = [&] { return at < size ? data[at++] : std::uint8_t{0}; };
  DetectionSettings settings;
  settings.layout = static_cast<DetectionLayout>(byte() % 7);
  settings.threshold = static_cast<float>(byte()) / 256;
  settings.background = (byte() & 1) != 0;
  const Placement placement{{17, 11}, {byte() % 64 + 1, byte() % 64 + 1}, 0.5, 2.0, -3, 4};
  std::vector<Array> outputs(byte() % 5 + 1);
  for (Array& a : outputs) {
    constexpr mote::DType kTypes[] = {mote::DType::f32, mote::DType::f32, mote::DType::i64, mote::DType::u8};
    a.dtype = kTypes[byte() % 4];
    std::size_t count = 1;
    for (int rank = byte() % 5; rank > 0; --rank) {
      a.shape.push_back(byte() % 20);
      count *= static_cast<std::size_t>(a.shape.back());
    }
    a.data.resize(count * static_cast<std::size_t>(mote::bits_of(a.dtype)) / 8);
    for (std::byte& b : a.data) b = static_cast<std::byte>(byte());
  }
  Image image{17, 11, 3, std::vector<std::uint8_t>(17 * 11 * 3), {}};
  if (auto boxes = find_boxes(outputs, {}, settings, placement); boxes.ok()) {
    for (const Box& b : *boxes) {
      if (!(b.left >= 0 && b.right <= 17 && b.left < b.right && b.top >= 0 && b.bottom <= 11 && b.top < b.bottom))
        std::abort();
    }
    draw_boxes(image, *boxes, {});
  }
  for (const Array& a : outputs) {
    if (!is_segmentation(a, placement.input)) continue;
    auto map = find_classes(a, {}, placement);
    if (!map.ok()) std::abort();
    draw_classes(image, map->classes, 0.5f);
  }
  return 0;
}
