// PNG through libpng. libpng reports errors by longjmp: every call that can fail sits in one of the functions below
// that call setjmp, which hold no object with a destructor.
#include <algorithm>
#include <cstring>

#include "media/image.h"

#if MOTE_PNG
#include <png.h>
#endif

namespace mote::media {

#if MOTE_PNG
namespace {

constexpr std::int64_t kMaxExpansion = 1032;  // deflate's limit

struct Job {
  png_structp png = nullptr;
  png_infop info = nullptr;
  bool writing = false;
  char message[128] = {};
  std::span<const std::byte> file;  // read
  std::size_t position = 0;
  std::vector<std::byte>* out = nullptr;  // written

  ~Job() {
    if (writing) {
      png_destroy_write_struct(&png, &info);
    } else {
      png_destroy_read_struct(&png, &info, nullptr);
    }
  }
};

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  Job& job = *static_cast<Job*>(png_get_error_ptr(png));
  std::strncpy(job.message, message, sizeof job.message - 1);
  png_longjmp(png, 1);
}
void ignore(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  Job& job = *static_cast<Job*>(png_get_io_ptr(png));
  if (job.file.size() - job.position < count) {
    job.position = job.file.size();
    png_error(png, "the file ends inside the image");
  }
  std::memcpy(to, job.file.data() + job.position, count);
  job.position += count;
}

void write_bytes(png_structp png, png_bytep from, std::size_t count) {
  Job& job = *static_cast<Job*>(png_get_io_ptr(png));
  const auto* p = reinterpret_cast<const std::byte*>(from);
  job.out->insert(job.out->end(), p, p + count);
}
void flush(png_structp) {}

bool read_header(Job& job) {
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, fail, ignore);
  if (job.png == nullptr) return false;
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) png_error(job.png, "out of memory");
  // Text, profiles and EXIF are not looked at: they can be large, compressed or malformed.
  png_set_keep_unknown_chunks(job.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_user_limits(job.png, 0x7fffffff, 0x7fffffff);
  png_set_check_for_invalid_index(job.png, 0);
  png_set_read_fn(job.png, &job, read_bytes);
  png_read_info(job.png, job.info);
  png_set_packing(job.png);  // one byte per sample where there are less than 8 bits
  return true;
}

bool start_rows(Job& job, int& passes) {
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  passes = png_set_interlace_handling(job.png);
  png_read_update_info(job.png, job.info);
  return true;
}

bool read_row(Job& job, png_bytep row) {
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  png_read_row(job.png, row, nullptr);
  return true;
}

bool write_all(Job& job, const Image& image) {
  job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, fail, ignore);
  if (job.png == nullptr) return false;
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) png_error(job.png, "out of memory");
  png_set_write_fn(job.png, &job, write_bytes, flush);
  png_set_IHDR(job.png, job.info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(job.png, job.info);
  const std::size_t stride = static_cast<std::size_t>(image.width) * static_cast<unsigned>(image.channels);
  for (int y = 0; y < image.height; ++y)
    png_write_row(job.png, image.pixels.data() + stride * static_cast<unsigned>(y));
  png_write_end(job.png, nullptr);
  return true;
}

// How one row of samples becomes RGB.
struct Format {
  int color = 0, depth = 0, channels = 0;
  std::uint8_t palette[256][3] = {};  // entries that the file leaves out are black

  // `file_depth` is the depth in the file, which unpacking hides.
  Format(const Job& job, int file_depth)
      : color(png_get_color_type(job.png, job.info)), depth(file_depth), channels(png_get_channels(job.png, job.info)) {
    png_colorp colors = nullptr;
    int count = 0;
    if (color != PNG_COLOR_TYPE_PALETTE || png_get_PLTE(job.png, job.info, &colors, &count) == 0) return;
    for (int i = 0; i < std::min(count, 256); ++i) {
      palette[i][0] = colors[i].red;
      palette[i][1] = colors[i].green;
      palette[i][2] = colors[i].blue;
    }
  }

  void append_rgb(const std::uint8_t* row, std::size_t width, std::vector<std::uint8_t>& out) const {
    const std::size_t bytes = depth == 16 ? 2 : 1, step = bytes * static_cast<unsigned>(channels);
    const int grey_scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
    for (std::size_t x = 0; x < width; ++x, row += step) {
      if (color == PNG_COLOR_TYPE_PALETTE) {
        out.insert(out.end(), palette[row[0]], palette[row[0]] + 3);
      } else if ((color & PNG_COLOR_MASK_COLOR) != 0) {
        for (std::size_t c = 0; c < 3; ++c) out.push_back(row[c * bytes]);
      } else if (color == PNG_COLOR_TYPE_GRAY && depth == 16) {
        out.insert(out.end(), 3, row[0] == 0 ? row[1] : 255);
      } else {
        out.insert(out.end(), 3, static_cast<std::uint8_t>(row[0] * grey_scale));
      }
    }
  }
};

Status read_error(const Job& job) {
  return invalid(std::string("damaged PNG: ") + job.message).at("byte " + std::to_string(job.position));
}

Status read_pixels(Job& job, Image& image, const Format& format, int passes, std::size_t row_bytes) {
  const auto width = static_cast<std::size_t>(image.width), height = static_cast<std::size_t>(image.height);
  image.pixels.reserve(width * height * 3);
  // An interlaced image is put together before it can be read row by row.
  std::vector<std::uint8_t> rows(passes == 1 ? row_bytes : row_bytes * height);
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < height; ++y) {
      std::uint8_t* row = rows.data() + (passes == 1 ? 0 : y * row_bytes);
      if (!read_row(job, row)) return read_error(job);
      if (pass + 1 == passes) format.append_rgb(row, width, image.pixels);
    }
  }
  if (format.color == PNG_COLOR_TYPE_GRAY && format.depth == 16) {
    image.note = "16-bit grey is clipped at 255, as Pillow does";
  }
  return {};
}

}  // namespace

Result<Image> decode_png(std::span<const std::byte> file, const Limits& limits) {
  Job job;
  job.file = file;
  if (!read_header(job)) return read_error(job);
  const std::uint32_t width = png_get_image_width(job.png, job.info), height = png_get_image_height(job.png, job.info);
  const int depth = png_get_bit_depth(job.png, job.info), channels = png_get_channels(job.png, job.info);
  MOTE_TRY(check_image_size(width, height, 0, limits).at("byte 16"));
  const std::int64_t pixels = std::int64_t{width} * height;
  if (pixels * depth * channels / 8 > (static_cast<std::int64_t>(file.size()) + 64) * kMaxExpansion) {
    return invalid("a PNG of " + std::to_string(width) + "x" + std::to_string(height) + " pixels cannot fit in " +
                   std::to_string(file.size()) + " bytes")
        .at("byte 16");
  }
  int passes = 0;
  if (!start_rows(job, passes)) return read_error(job);
  const std::size_t row_bytes = png_get_rowbytes(job.png, job.info);
  const auto held = static_cast<std::int64_t>(row_bytes) * (passes == 1 ? 1 : std::int64_t{height});
  MOTE_TRY(check_image_size(width, height, held, limits).at("byte 16"));
  Image image{static_cast<int>(width), static_cast<int>(height), 3, {}, {}};
  MOTE_TRY(read_pixels(job, image, Format(job, depth), passes, row_bytes));
  return image;
}

Result<std::vector<std::byte>> encode_png(const Image& image) {
  Job job;
  job.writing = true;
  std::vector<std::byte> out;
  job.out = &out;
  if (!write_all(job, image)) return invalid(std::string("cannot write PNG: ") + job.message);
  return out;
}

#else

namespace {
Status without_libpng() {
  return unsupported("PNG images need libpng, which this build leaves out").hint("configure with -DMOTE_PNG=ON");
}
}  // namespace

Result<Image> decode_png(std::span<const std::byte>, const Limits&) { return without_libpng(); }
Result<std::vector<std::byte>> encode_png(const Image&) { return without_libpng(); }

#endif

}  // namespace mote::media
