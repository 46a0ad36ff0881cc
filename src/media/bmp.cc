// Windows and OS/2 bitmaps: 1, 4, 8 bits with a palette, 16, 24, 32 bits with or without masks, RLE4 and RLE8, either
// row order.
#include <algorithm>
#include <array>
#include <bit>

#include "media/bytes.h"
#include "media/image.h"

namespace mote::media {
namespace {

enum Compression : std::uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3, kAlphaBitfields = 6 };

struct Mask {
  std::uint32_t bits = 0;
  int shift = 0;
  std::uint32_t max = 0;
  bool set(std::uint32_t m) {
    bits = m;
    shift = m == 0 ? 0 : std::countr_zero(m);
    max = m >> shift;
    return (max & (max + 1)) == 0;  // one run of ones
  }
  std::uint8_t value(std::uint32_t pixel) const {
    return max == 0 ? 0 : static_cast<std::uint8_t>(std::uint64_t{(pixel & bits) >> shift} * 255 / max);
  }
};

struct Header {
  std::uint32_t data_offset = 0, size = 0, width = 0, height = 0, compression = kRaw, colors = 0;
  std::uint16_t bits = 0;
  bool top_down = false;
  Mask masks[3];
  std::array<std::array<std::uint8_t, 3>, 256> palette{};  // entries that the file leaves out are black
};

Status read_masks(ByteReader& file, Header& h) {
  for (Mask& mask : h.masks) {
    std::uint32_t m = 0;
    if (!file.read_le(m)) return file.error("the BMP file ends inside its masks");
    if (!mask.set(m)) return file.error("a BMP colour mask with holes");
  }
  if (h.masks[0].bits == 0 && h.masks[1].bits == 0 && h.masks[2].bits == 0) {
    for (int c = 0; c < 3; ++c) h.masks[c].set(0xff0000u >> (8 * c));
  }
  return {};
}

Status read_dimensions(ByteReader& file, Header& h) {
  std::uint16_t planes = 0;
  if (h.size == 12) {
    std::uint16_t w = 0, ht = 0;
    if (!file.read_le(w) || !file.read_le(ht) || !file.read_le(planes) || !file.read_le(h.bits)) {
      return file.error("the BMP file ends inside its header");
    }
    h.width = w;
    h.height = ht;
    return {};
  }
  std::uint32_t image_size = 0, x_density = 0, y_density = 0, important = 0;
  if (!file.read_le(h.width) || !file.read_le(h.height) || !file.read_le(planes) || !file.read_le(h.bits) ||
      !file.read_le(h.compression) || !file.read_le(image_size) || !file.read_le(x_density) ||
      !file.read_le(y_density) || !file.read_le(h.colors) || !file.read_le(important)) {
    return file.error("the BMP file ends inside its header");
  }
  if (h.height >= 0x80000000u) {
    h.top_down = true;
    h.height = 0u - h.height;
  }
  return {};
}

Status read_palette(ByteReader& file, Header& h) {
  const std::uint32_t entry = h.size == 12 ? 3 : 4;
  const std::uint32_t colors = h.colors == 0 ? 1u << h.bits : h.colors;
  if (colors > 65536) return file.error("a BMP palette of " + std::to_string(colors) + " colours");
  // Some writers forget the palette in the offset of the pixels.
  if (h.data_offset == 14 + h.size) h.data_offset += entry * colors;
  for (std::uint32_t i = 0; i < std::min(colors, 256u); ++i) {
    std::span<const std::byte> bgr;
    if (!file.read_span(entry, bgr)) return file.error("the BMP file ends inside its palette");
    for (std::size_t c = 0; c < 3; ++c) h.palette[i][c] = std::to_integer<std::uint8_t>(bgr[2 - c]);
  }
  return {};
}

Result<Header> read_header(ByteReader& file) {
  Header h;
  file.seek(10);
  if (!file.read_le(h.data_offset) || !file.read_le(h.size)) return file.error("the BMP file ends inside its header");
  constexpr std::uint32_t kSizes[] = {12, 40, 52, 56, 64, 108, 124};
  if (std::find(std::begin(kSizes), std::end(kSizes), h.size) == std::end(kSizes)) {
    return unsupported("a BMP header of " + std::to_string(h.size) + " bytes").at("byte 14");
  }
  MOTE_TRY(read_dimensions(file, h));
  const bool masked = h.compression == kBitfields || h.compression == kAlphaBitfields;
  if (masked && (h.bits == 16 || h.bits == 24 || h.bits == 32)) {
    file.seek(54);  // inside the later headers, behind the first one
    MOTE_TRY(read_masks(file, h));
  } else if (h.compression > kRle4) {
    return unsupported("BMP compression " + std::to_string(h.compression)).at("byte 30").hint("convert it to PNG");
  } else if (h.bits == 16) {
    for (int c = 0; c < 3; ++c) h.masks[c].set(0x7c00u >> (5 * c));
  } else if (h.bits == 24 || h.bits == 32) {
    for (int c = 0; c < 3; ++c) h.masks[c].set(0xff0000u >> (8 * c));
  } else if (h.bits != 1 && h.bits != 4 && h.bits != 8) {
    return unsupported("a BMP of " + std::to_string(h.bits) + " bits per pixel").at("byte 28");
  }
  if ((h.compression == kRle8 && h.bits != 8) || (h.compression == kRle4 && h.bits != 4)) {
    return invalid("BMP run-length coding does not fit " + std::to_string(h.bits) + " bits per pixel").at("byte 30");
  }
  if (h.bits <= 8) {
    file.seek(14 + h.size);
    MOTE_TRY(read_palette(file, h));
  }
  if (h.data_offset == 0) h.data_offset = static_cast<std::uint32_t>(file.position());
  return h;
}

class Writer {
 public:
  Writer(const Header& h, Image& image) : h_(h), image_(image) {}
  // Row `y` in file order.
  std::uint8_t* row(std::uint32_t y) {
    return image_.pixels.data() + std::size_t{h_.top_down ? y : h_.height - 1 - y} * h_.width * 3;
  }
  void put_index(std::uint8_t*& to, unsigned index) {
    to = std::copy(h_.palette[index].begin(), h_.palette[index].end(), to);
  }
  void put_pixel(std::uint8_t*& to, std::uint32_t pixel) {
    for (const Mask& mask : h_.masks) *to++ = mask.value(pixel);
  }

 private:
  const Header& h_;
  Image& image_;
};

Status decode_rows(ByteReader& file, const Header& h, Image& image) {
  Writer out(h, image);
  const std::size_t stride = (std::size_t{h.width} * h.bits + 31) / 32 * 4;
  for (std::uint32_t y = 0; y < h.height; ++y) {
    std::span<const std::byte> in;
    // The padding of the last row may be missing.
    const std::size_t needed = y + 1 == h.height ? (std::size_t{h.width} * h.bits + 7) / 8 : stride;
    if (!file.read_span(needed, in)) {
      return file.error("the BMP file ends in row " + std::to_string(y) + " of " + std::to_string(h.height));
    }
    std::uint8_t* to = out.row(y);
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(in[i]); };
    for (std::uint32_t x = 0; x < h.width; ++x) {
      switch (h.bits) {
        case 1:
          out.put_index(to, byte(x / 8) >> (7 - x % 8) & 1);
          break;
        case 4:
          out.put_index(to, byte(x / 2) >> (x % 2 == 0 ? 4 : 0) & 15);
          break;
        case 8:
          out.put_index(to, byte(x));
          break;
        case 16:
          out.put_pixel(to, byte(2 * x) | byte(2 * x + 1) << 8);
          break;
        case 24:
          out.put_pixel(to, byte(3 * x) | byte(3 * x + 1) << 8 | byte(3 * x + 2) << 16);
          break;
        default:
          out.put_pixel(to, byte(4 * x) | byte(4 * x + 1) << 8 | byte(4 * x + 2) << 16 | byte(4 * x + 3) << 24);
      }
    }
  }
  return {};
}

// Run-length coding gives palette indices; pixels that it skips have index 0.
Status decode_runs(ByteReader& file, const Header& h, std::vector<std::uint8_t>& indices) {
  const std::size_t total = indices.size(), width = h.width, start = file.position();
  const bool four = h.compression == kRle4;
  std::size_t at = 0, x = 0;
  while (at < total) {
    std::uint8_t count = 0, value = 0;
    if (!file.read_u8(count) || !file.read_u8(value)) return file.error("the BMP file ends inside its runs");
    if (count > 0) {
      const std::size_t n = std::min<std::size_t>({count, width > x ? width - x : 0, total - at});
      for (std::size_t i = 0; i < n; ++i) {
        indices[at + i] = !four ? value : i % 2 == 0 ? value >> 4 : value & 15;
      }
      at += n;
      x += n;
    } else if (value == 0) {  // end of row, which may be empty or full
      at = std::min(total, x == 0 ? at + width : (at + width - 1) / width * width);
      x = 0;
    } else if (value == 1) {  // end of image
      break;
    } else if (value == 2) {  // skip right and up
      std::uint8_t right = 0, up = 0;
      if (!file.read_u8(right) || !file.read_u8(up)) return file.error("the BMP file ends inside its runs");
      at = std::min<std::size_t>(total, at + right + up * width);
      x = at % width;
    } else {  // literal pixels
      std::span<const std::byte> in;
      const std::size_t n = std::min<std::size_t>(value, total - at);
      if (!file.read_span(four ? (n + 1) / 2 : n, in)) return file.error("the BMP file ends inside its runs");
      for (std::size_t i = 0; i < n; ++i) {
        const auto b = std::to_integer<std::uint8_t>(in[four ? i / 2 : i]);
        indices[at + i] = !four ? b : i % 2 == 0 ? b >> 4 : b & 15;
      }
      at += n;
      x += value;
      if ((file.position() - start) % 2 != 0) file.seek(file.position() + 1);
    }
  }
  return {};
}

}  // namespace

Result<Image> decode_bmp(std::span<const std::byte> bytes, const Limits& limits) {
  ByteReader file(bytes);
  MOTE_ASSIGN(const Header h, read_header(file));
  const bool runs = h.compression == kRle4 || h.compression == kRle8;
  const auto pixels = std::int64_t{h.width} * h.height;
  MOTE_TRY(check_image_size(h.width, h.height, runs ? pixels : 0, limits).at("byte 18"));
  file.seek(h.data_offset);
  // Raw rows must be there before they are given memory; a run is two bytes for up to 255 pixels, and skips are free.
  if (!runs && pixels / 8 > static_cast<std::int64_t>(file.left()) / h.bits + 1) {
    return file.error("the BMP file ends before its " + std::to_string(h.width) + "x" + std::to_string(h.height) +
                      " pixels");
  }
  Image image{static_cast<int>(h.width), static_cast<int>(h.height), 3, {}, {}};
  image.pixels.resize(static_cast<std::size_t>(pixels) * 3);
  if (!runs) {
    MOTE_TRY(decode_rows(file, h, image));
    return image;
  }
  std::vector<std::uint8_t> indices(static_cast<std::size_t>(pixels), 0);
  MOTE_TRY(decode_runs(file, h, indices));
  Writer out(h, image);
  for (std::uint32_t y = 0; y < h.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (std::uint32_t x = 0; x < h.width; ++x) out.put_index(to, indices[std::size_t{y} * h.width + x]);
  }
  return image;
}

}  // namespace mote::media
