// PBM, PGM and PPM: P1 to P3 in ascii, P4 to P6 in binary, samples of up to 16 bits scaled as Pillow scales them.
#include <algorithm>
#include <cmath>

#include "media/bytes.h"
#include "media/image.h"

namespace mote::media {
namespace {

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Skips white space and comments; false at the end of the file.
bool next_char(ByteReader& file, std::uint8_t& c) {
  while (file.read_u8(c)) {
    if (c == '#') {
      while (c != '\n' && c != '\r') {
        if (!file.read_u8(c)) return false;
      }
    } else if (!is_space(c)) {
      return true;
    }
  }
  return false;
}

// A decimal number and the one byte of white space behind it.
Status read_number(ByteReader& file, std::uint32_t& value, std::string_view what) {
  std::uint8_t c = 0;
  if (!next_char(file, c)) return file.error("the file ends before its " + std::string(what));
  value = 0;
  do {
    if (c < '0' || c > '9') return file.error("expected a number for the " + std::string(what));
    if (value > 100'000'000) return file.error("number too large for the " + std::string(what));
    value = value * 10 + (c - '0');
  } while (file.read_u8(c) && !is_space(c) && c != '#');
  if (c == '#') {
    while (c != '\n' && c != '\r' && file.read_u8(c)) {
    }
  }
  return {};
}

struct Header {
  int kind = 0;  // the digit of the magic
  std::uint32_t width = 0, height = 0, max = 1;
  bool bits() const { return kind == 1 || kind == 4; }
  bool ascii() const { return kind <= 3; }
  int channels() const { return kind == 3 || kind == 6 ? 3 : 1; }
  // Grey with more than 8 bits becomes a 16-bit image in Pillow, which convert("RGB") clips.
  bool deep_grey() const { return max > 255 && channels() == 1; }
};

// Sample value to 8 bits, rounded half to even.
std::vector<std::uint8_t> sample_table(const Header& h) {
  std::vector<std::uint8_t> table(std::size_t{h.max} + 1);
  const double top = h.deep_grey() ? 65535.0 : 255.0;
  for (std::uint32_t v = 0; v <= h.max; ++v) {
    table[v] = static_cast<std::uint8_t>(std::min(255.0, std::nearbyint(static_cast<double>(v) / h.max * top)));
  }
  return table;
}

Status read_samples(ByteReader& file, const Header& h, std::vector<std::uint8_t>& samples) {
  const std::vector<std::uint8_t> table = sample_table(h);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::uint32_t value = 0;
    if (h.ascii()) {
      MOTE_TRY(read_number(file, value, "pixels"));
      if (value > h.max) return file.error("sample " + std::to_string(value) + " exceeds " + std::to_string(h.max));
    } else {
      std::uint8_t high = 0, low = 0;
      if ((h.max > 255 && !file.read_u8(high)) || !file.read_u8(low))
        return file.error("the file ends inside its pixels");
      value = std::min(std::uint32_t{high} << 8 | low, h.max);
    }
    samples[i] = table[value];
  }
  return {};
}

Status read_bits(ByteReader& file, const Header& h, std::vector<std::uint8_t>& samples) {
  std::uint8_t byte = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t x = i % h.width;
    if (h.ascii()) {
      if (!next_char(file, byte)) return file.error("the file ends inside its pixels");
      if (byte != '0' && byte != '1') return file.error("expected 0 or 1");
      samples[i] = byte == '0' ? 255 : 0;
    } else {
      if (x % 8 == 0 && !file.read_u8(byte)) return file.error("the file ends inside its pixels");
      samples[i] = (byte >> (7 - x % 8) & 1) == 0 ? 255 : 0;
    }
  }
  return {};
}

// The fewest bytes the pixels can take.
std::uint64_t least_bytes(const Header& h) {
  if (h.kind == 4) return std::uint64_t{(h.width + 7) / 8} * h.height;
  const std::uint64_t samples = std::uint64_t{h.width} * h.height * static_cast<unsigned>(h.channels());
  if (h.kind == 1) return samples;
  return h.ascii() || h.max > 255 ? 2 * samples - (h.ascii() ? 1 : 0) : samples;
}

}  // namespace

Result<Image> decode_pnm(std::span<const std::byte> bytes, const Limits& limits) {
  ByteReader file(bytes);
  Header h;
  h.kind = std::to_integer<int>(bytes[1]) - '0';
  file.seek(2);
  MOTE_TRY(read_number(file, h.width, "width"));
  MOTE_TRY(read_number(file, h.height, "height"));
  if (!h.bits()) {
    MOTE_TRY(read_number(file, h.max, "largest sample"));
    if (h.max == 0 || h.max > 65535) return file.error("largest sample of " + std::to_string(h.max));
  }
  const std::int64_t count = std::int64_t{h.width} * h.height;
  MOTE_TRY(check_image_size(h.width, h.height, h.channels() == 1 ? count : 0, limits));
  if (least_bytes(h) > file.left()) {
    return file.error("the file ends before its " + std::to_string(h.width) + "x" + std::to_string(h.height) +
                      " pixels");
  }
  std::vector<std::uint8_t> samples(static_cast<std::size_t>(count * h.channels()));
  MOTE_TRY(h.bits() ? read_bits(file, h, samples) : read_samples(file, h, samples));
  Image image{static_cast<int>(h.width), static_cast<int>(h.height), 3, {}, {}};
  if (h.deep_grey()) image.note = "16-bit grey is clipped at 255, as Pillow does";
  if (h.channels() == 3) {
    image.pixels = std::move(samples);
    return image;
  }
  image.pixels.reserve(samples.size() * 3);
  for (std::uint8_t v : samples) image.pixels.insert(image.pixels.end(), 3, v);
  return image;
}

}  // namespace mote::media
