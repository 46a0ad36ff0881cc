#include "media/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mote::media {
namespace {

constexpr int kPrecision = 32 - 8 - 2;

double bilinear(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys' cubic with a = -0.5.
double bicubic(double x) {
  x = std::fabs(x);
  if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5;
  return 0.0;
}

// For each output position: where its input starts, how many samples it takes, and their weights.
struct Weights {
  int taps = 0;  // room per position
  std::vector<int> first, count;
  std::vector<std::int32_t> weight;
};

std::int64_t taps_for(int in, int out, Filter filter) {
  const double scale = std::max(1.0, static_cast<double>(in) / out);
  return static_cast<std::int64_t>(std::ceil((filter == Filter::kBicubic ? 2.0 : 1.0) * scale)) * 2 + 1;
}

Weights make_weights(int in, int out, Filter filter) {
  const double scale = static_cast<double>(in) / out, stretch = std::max(1.0, scale);
  const double support = (filter == Filter::kBicubic ? 2.0 : 1.0) * stretch, inverse = 1.0 / stretch;
  Weights w;
  w.taps = static_cast<int>(taps_for(in, out, filter));
  const auto n = static_cast<std::size_t>(out);
  w.first.resize(n);
  w.count.resize(n);
  w.weight.resize(n * static_cast<std::size_t>(w.taps));
  std::vector<double> k(static_cast<std::size_t>(w.taps));
  for (std::size_t o = 0; o < n; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const double low = centre - support + 0.5, high = centre + support + 0.5;
    const int first = std::max(0, static_cast<int>(low));
    const int count = std::min(in, static_cast<int>(high)) - first;
    double sum = 0.0;
    for (int i = 0; i < count; ++i) {
      const double x = (i + first - centre + 0.5) * inverse;
      k[static_cast<std::size_t>(i)] = filter == Filter::kBicubic ? bicubic(x) : bilinear(x);
      sum += k[static_cast<std::size_t>(i)];
    }
    for (int i = 0; i < count; ++i) {
      double v = k[static_cast<std::size_t>(i)];
      if (sum != 0.0) v /= sum;
      v *= 1 << kPrecision;
      w.weight[o * static_cast<std::size_t>(w.taps) + static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(v < 0 ? v - 0.5 : v + 0.5);
    }
    w.first[o] = first;
    w.count[o] = count;
  }
  return w;
}

std::uint8_t to_u8(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255)); }

template <int C>
void horizontal(const Image& in, Image& out, const Weights& w) {
  const auto in_width = static_cast<std::size_t>(in.width), out_width = static_cast<std::size_t>(out.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(in.height); ++y) {
    const std::uint8_t* row = in.pixels.data() + y * in_width * C;
    std::uint8_t* to = out.pixels.data() + y * out_width * C;
    for (std::size_t x = 0; x < out_width; ++x) {
      const std::int32_t* k = w.weight.data() + x * static_cast<std::size_t>(w.taps);
      const std::uint8_t* p = row + static_cast<std::size_t>(w.first[x]) * C;
      std::int32_t sum[C];
      std::fill_n(sum, C, 1 << (kPrecision - 1));
      for (int i = 0; i < w.count[x]; ++i) {
        for (int c = 0; c < C; ++c) sum[c] += *p++ * k[i];
      }
      for (int c = 0; c < C; ++c) *to++ = to_u8(sum[c]);
    }
  }
}

void vertical(const Image& in, Image& out, const Weights& w) {
  const std::size_t stride = static_cast<std::size_t>(in.width) * static_cast<std::size_t>(in.channels);
  std::vector<std::int32_t> sums(stride);
  for (std::size_t y = 0; y < static_cast<std::size_t>(out.height); ++y) {
    const std::int32_t* k = w.weight.data() + y * static_cast<std::size_t>(w.taps);
    std::fill(sums.begin(), sums.end(), 1 << (kPrecision - 1));
    for (int i = 0; i < w.count[y]; ++i) {
      const std::uint8_t* p = in.pixels.data() + static_cast<std::size_t>(w.first[y] + i) * stride;
      for (std::size_t x = 0; x < stride; ++x) sums[x] += p[x] * k[i];
    }
    std::uint8_t* to = out.pixels.data() + y * stride;
    for (std::size_t x = 0; x < stride; ++x) to[x] = to_u8(sums[x]);
  }
}

// Input position of each output position: the sum, not the product, of steps decides, as in Pillow.
std::vector<std::size_t> nearest_positions(int in, int out) {
  std::vector<std::size_t> at(static_cast<std::size_t>(out));
  const double step = static_cast<double>(in) / out;
  double x = step * 0.5;
  for (std::size_t& a : at) {
    a = static_cast<std::size_t>(std::min(static_cast<int>(x), in - 1));
    x += step;
  }
  return at;
}

void nearest(const Image& in, Image& out) {
  const std::vector<std::size_t> xs = nearest_positions(in.width, out.width),
                                 ys = nearest_positions(in.height, out.height);
  const auto c = static_cast<std::size_t>(in.channels);
  std::uint8_t* to = out.pixels.data();
  for (std::size_t y : ys) {
    const std::uint8_t* row = in.pixels.data() + y * static_cast<std::size_t>(in.width) * c;
    for (std::size_t x : xs) to = std::copy_n(row + x * c, c, to);
  }
}

Result<Image> blank(int width, int height, const Image& like, const Limits& limits) {
  MOTE_TRY(check_image_size(static_cast<std::uint64_t>(std::max(0, width)),
                            static_cast<std::uint64_t>(std::max(0, height)), 0, limits));
  Image out{width, height, like.channels, {}, like.note};
  out.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                    static_cast<std::size_t>(like.channels));
  return out;
}

Status check_weights(int in, int out, Filter filter, const Limits& limits) {
  return check_allocation(taps_for(in, out, filter) * out * 4, limits, "the weights of a resize");
}

}  // namespace

Result<Image> resize_image(const Image& image, int width, int height, Filter filter, const Limits& limits) {
  if (width == image.width && height == image.height) return image;
  MOTE_ASSIGN(Image out, blank(width, height, image, limits));
  if (filter == Filter::kNearest) {
    nearest(image, out);
    return out;
  }
  MOTE_TRY(check_weights(image.width, width, filter, limits));
  MOTE_TRY(check_weights(image.height, height, filter, limits));
  const Image* source = &image;
  Image wide;
  if (width != image.width) {
    MOTE_ASSIGN(wide, blank(width, image.height, image, limits));
    const Weights w = make_weights(image.width, width, filter);
    image.channels == 1 ? horizontal<1>(image, wide, w) : horizontal<3>(image, wide, w);
    source = &wide;
  }
  if (height == image.height) return wide;
  vertical(*source, out, make_weights(image.height, height, filter));
  return out;
}

Result<Image> cut_image(const Image& image, int left, int top, int width, int height,
                        std::span<const std::uint8_t> fill, const Limits& limits) {
  MOTE_ASSIGN(Image out, blank(width, height, image, limits));
  const auto c = static_cast<std::size_t>(image.channels);
  if (!fill.empty() && (left < 0 || top < 0 || left > image.width - width || top > image.height - height)) {
    for (std::size_t i = 0; i < out.pixels.size(); ++i) out.pixels[i] = fill[fill.size() == c ? i % c : 0];
  }
  const int from = std::clamp(left, 0, image.width), to = std::max(0, -left);
  const int count = std::min(width - to, image.width - from);
  for (int y = 0; y < height && count > 0; ++y) {
    const int in_y = y + top;
    if (in_y < 0 || in_y >= image.height) continue;
    const std::size_t in_row = static_cast<std::size_t>(in_y) * static_cast<std::size_t>(image.width);
    const std::size_t out_row = static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    std::memcpy(out.pixels.data() + (out_row + static_cast<std::size_t>(to)) * c,
                image.pixels.data() + (in_row + static_cast<std::size_t>(from)) * c,
                static_cast<std::size_t>(count) * c);
  }
  return out;
}

int centre_offset(int in, int size) {
  if (size > in) return -((size - in) / 2);
  return static_cast<int>(std::nearbyint((in - size) / 2.0));
}

Result<Image> centre_crop(const Image& image, int width, int height, const Limits& limits) {
  return cut_image(image, centre_offset(image.width, width), centre_offset(image.height, height), width, height, {},
                   limits);
}

}  // namespace mote::media
