// JPEG through libjpeg-turbo. libjpeg reports errors by longjmp: every call into it sits in one of the three functions
// below that call setjmp, which hold no object with a destructor.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "media/image.h"

#if MOTE_JPEG
#include <jpeglib.h>

#include <csetjmp>
#endif

namespace mote::media {

#if MOTE_JPEG
namespace {

constexpr int kMaxScans = 500;  // a progressive file can ask for unbounded work
constexpr int kRowsAtOnce = 64;

struct Job {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  char message[JMSG_LENGTH_MAX] = {};
  bool ran_out = false;  // libjpeg asked for bytes past the end

  ~Job() { jpeg_destroy_decompress(&info); }
};

Job& job_of(j_common_ptr info) { return *static_cast<Job*>(info->client_data); }

[[noreturn]] void fail(j_common_ptr info) {
  Job& job = job_of(info);
  job.errors.format_message(info, job.message);
  std::longjmp(job.on_error, 1);
}

void keep_quiet(j_common_ptr) {}
void do_nothing(j_decompress_ptr) {}

boolean feed_end(j_decompress_ptr info) {
  static const JOCTET kEnd[2] = {0xff, JPEG_EOI};
  job_of(reinterpret_cast<j_common_ptr>(info)).ran_out = true;
  info->src->next_input_byte = kEnd;
  info->src->bytes_in_buffer = 2;
  return TRUE;
}

void skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<std::size_t>(count) >= info->src->bytes_in_buffer) {
    feed_end(info);
  } else {
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= static_cast<std::size_t>(count);
  }
}

void watch_scans(j_common_ptr info) {
  Job& job = job_of(info);
  if (job.info.input_scan_number <= kMaxScans) return;
  std::snprintf(job.message, sizeof job.message, "more than %d scans", kMaxScans);
  std::longjmp(job.on_error, 1);
}

bool read_header(Job& job, const std::byte* data, std::size_t size) {
  if (setjmp(job.on_error) != 0) return false;
  job.info.err = jpeg_std_error(&job.errors);
  job.info.client_data = &job;
  job.errors.error_exit = fail;
  job.errors.output_message = keep_quiet;
  jpeg_create_decompress(&job.info);
  job.source.next_input_byte = reinterpret_cast<const JOCTET*>(data);
  job.source.bytes_in_buffer = size;
  job.source.init_source = do_nothing;
  job.source.fill_input_buffer = feed_end;
  job.source.skip_input_data = skip;
  job.source.resync_to_restart = jpeg_resync_to_restart;
  job.source.term_source = do_nothing;
  job.info.src = &job.source;
  job.progress.progress_monitor = watch_scans;
  job.info.progress = &job.progress;
  jpeg_read_header(&job.info, TRUE);
  return true;
}

bool start(Job& job) {
  if (setjmp(job.on_error) != 0) return false;
  job.info.out_color_space = job.info.num_components == 1   ? JCS_GRAYSCALE
                             : job.info.num_components == 3 ? JCS_RGB
                                                            : JCS_CMYK;
  jpeg_start_decompress(&job.info);
  return true;
}

// Reads `rows` rows to `to`.
bool read_rows(Job& job, std::uint8_t* to, int rows) {
  if (setjmp(job.on_error) != 0) return false;
  const std::size_t stride = std::size_t{job.info.output_width} * static_cast<unsigned>(job.info.output_components);
  for (int y = 0; y < rows;) {
    JSAMPROW row = to + stride * static_cast<unsigned>(y);
    y += static_cast<int>(jpeg_read_scanlines(&job.info, &row, 1));
  }
  return true;
}

// Pillow's fixed-point a * b / 255.
unsigned multiply_255(unsigned a, unsigned b) {
  const unsigned t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

void append_rgb(const std::uint8_t* in, std::size_t count, int components, std::vector<std::uint8_t>& out) {
  for (std::size_t i = 0; i < count; ++i) {
    if (components == 1) {
      out.insert(out.end(), 3, in[i]);
      continue;
    }
    // Adobe stores ink inverted: 255 is none.
    const std::uint8_t* p = in + 4 * i;
    const unsigned white = p[3];
    for (int c = 0; c < 3; ++c) {
      out.push_back(static_cast<std::uint8_t>(white - multiply_255(255u - p[c], white)));
    }
  }
}

class Decoder {
 public:
  Decoder(std::span<const std::byte> file, const Limits& limits) : file_(file), limits_(limits) {}

  Result<Image> run() {
    if (!read_header(job_, file_.data(), file_.size())) return error();
    const jpeg_decompress_struct& info = job_.info;
    if (job_.ran_out) return truncated();
    if (info.num_components != 1 && info.num_components != 3 && info.num_components != 4) {
      return unsupported("a JPEG of " + std::to_string(info.num_components) + " components").hint("convert it to PNG");
    }
    // A progressive file is held as coefficients, two bytes each, before the first row comes out.
    const std::int64_t pixels = std::int64_t{info.image_width} * info.image_height;
    const bool held = jpeg_has_multiple_scans(&job_.info) != FALSE;
    MOTE_TRY(
        check_image_size(info.image_width, info.image_height, held ? pixels * info.num_components * 2 : 0, limits_));
    if (!start(job_)) return error();
    if (held && job_.ran_out) return truncated();
    Image image{static_cast<int>(info.output_width), static_cast<int>(info.output_height), 3, {}, {}};
    MOTE_TRY(read_pixels(image));
    return image;
  }

 private:
  // Rows are made room for as they come, so that a short file that claims a large image costs little.
  Status read_pixels(Image& image) {
    const int components = job_.info.output_components;
    const std::size_t width = static_cast<unsigned>(image.width);
    image.pixels.reserve(width * static_cast<unsigned>(image.height) * 3);
    std::vector<std::uint8_t> rows;
    for (int y = 0; y < image.height; y += kRowsAtOnce) {
      const int n = std::min(kRowsAtOnce, image.height - y);
      const std::size_t count = width * static_cast<unsigned>(n);
      if (components == 3) {
        const std::size_t at = image.pixels.size();
        image.pixels.resize(at + count * 3);
        if (!read_rows(job_, image.pixels.data() + at, n)) return error();
      } else {
        rows.resize(count * static_cast<unsigned>(components));
        if (!read_rows(job_, rows.data(), n)) return error();
        append_rgb(rows.data(), count, components, image.pixels);
      }
      if (job_.ran_out && job_.errors.num_warnings > 0) return truncated();
    }
    return {};
  }

  std::string place() const {
    const std::size_t left = job_.ran_out ? 0 : job_.source.bytes_in_buffer;
    return "byte " + std::to_string(file_.size() - left);
  }
  Status error() const {
    if (job_.ran_out) return truncated();
    return invalid(std::string("damaged JPEG: ") + job_.message).at(place());
  }
  Status truncated() const { return invalid("the JPEG file ends inside the image").at(place()); }

  std::span<const std::byte> file_;
  const Limits& limits_;
  Job job_;
};

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> file, const Limits& limits) { return Decoder(file, limits).run(); }

#else

Result<Image> decode_jpeg(std::span<const std::byte>, const Limits&) {
  return unsupported("JPEG images need libjpeg-turbo, which this build leaves out")
      .hint("configure with -DMOTE_JPEG=ON");
}

#endif

}  // namespace mote::media
