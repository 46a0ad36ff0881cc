#include "difference.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "base/text.h"
#include "media/npy.h"
#include "media/numbers.h"

namespace mote::cli {
namespace {

// A float's place in the order of all floats of its type, as an integer.
template <class Bits>
double place(Bits bits) {
  constexpr Bits kSign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
  double magnitude = static_cast<double>(static_cast<Bits>(bits & static_cast<Bits>(~kSign)));
  return (bits & kSign) ? -magnitude : magnitude;
}

double ulps(double a, double b, DType dtype) {
  switch (dtype) {
    case DType::f64: {
      // Exact below 2^53 places apart, which is all that matters.
      return std::fabs(place(std::bit_cast<std::uint64_t>(a)) - place(std::bit_cast<std::uint64_t>(b)));
    }
    case DType::f16:
      return std::fabs(place(f32_to_f16(static_cast<float>(a))) - place(f32_to_f16(static_cast<float>(b))));
    case DType::bf16:
      return std::fabs(place(f32_to_bf16(static_cast<float>(a))) - place(f32_to_bf16(static_cast<float>(b))));
    default:
      break;
  }
  if (!is_float(dtype)) return std::fabs(a - b);
  return std::fabs(place(std::bit_cast<std::uint32_t>(static_cast<float>(a))) -
                   place(std::bit_cast<std::uint32_t>(static_cast<float>(b))));
}

}  // namespace

std::vector<double> to_doubles(const TensorView& v) {
  std::vector<double> out;
  if (!v.data || !media::is_number(v.dtype)) return out;
  std::int64_t count = v.count(), index[kMaxRank] = {};
  out.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t at = 0;
    for (int d = 0; d < v.rank; ++d) at += index[d] * v.strides[d];
    out.push_back(media::load_number(v.dtype, v.data, at));
    for (int d = v.rank - 1; d >= 0 && ++index[d] == v.dims[d]; --d) index[d] = 0;
  }
  return out;
}

Difference difference(std::span<const double> a, std::span<const double> b, DType dtype, const Tolerance& t) {
  Difference r;
  double sum = 0, dot = 0, norm_a = 0, norm_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double x = a[i], y = b[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) {
      if (std::isfinite(x)) {
        dot += x * y;
        norm_a += x * x;
        norm_b += y * y;
      }
      continue;
    }
    double d = std::fabs(x - y);
    if (!std::isfinite(d)) d = std::numeric_limits<double>::infinity();
    r.max_abs = std::max(r.max_abs, d);
    sum += d;
    r.ok = r.ok && d <= t.atol + t.rtol * std::fabs(y) && std::isfinite(y);
    double u = ulps(x, y, dtype);
    r.max_ulp = std::max(r.max_ulp, std::isnan(x) || std::isnan(y) ? std::numeric_limits<double>::infinity() : u);
    dot += x * y;
    norm_a += x * x;
    norm_b += y * y;
  }
  if (!a.empty()) r.mean_abs = sum / static_cast<double>(a.size());
  if (norm_a > 0 || norm_b > 0) r.cosine = norm_a > 0 && norm_b > 0 ? dot / (std::sqrt(norm_a) * std::sqrt(norm_b)) : 0;
  return r;
}

Difference difference(const media::ArrayView& a, const media::ArrayView& b, const Tolerance& t) {
  Difference r;
  auto refuse = [&](std::string why) {
    r.ok = false;
    r.reason = std::move(why);
    return r;
  };
  if (a.dtype != b.dtype && media::npy_dtype(a.dtype) != b.dtype) {
    return refuse(concat("is ", name_of(a.dtype), ", wanted is ", name_of(b.dtype)));
  }
  if (!std::equal(a.shape.begin(), a.shape.end(), b.shape.begin(), b.shape.end())) {
    return refuse(concat("has the shape ", media::numpy_shape(a.shape), ", wanted is ", media::numpy_shape(b.shape)));
  }
  if (a.dtype == DType::string) {
    for (std::size_t i = 0; i < a.strings.size(); ++i) {
      if (a.strings[i] != b.strings[i])
        return refuse(
            concat("element ", i, " is ", mote::quoted(a.strings[i]), ", wanted is ", mote::quoted(b.strings[i])));
    }
    return r;
  }
  auto elements = [](const media::ArrayView& v) {
    return to_doubles(TensorView::of(const_cast<std::byte*>(v.data.data()), v.dtype, v.shape));
  };
  if (a.shape.size() > kMaxRank || !media::is_number(a.dtype))
    return refuse("cannot be compared: " + std::string(name_of(a.dtype)));
  return difference(elements(a), elements(b), a.dtype, t);
}

}  // namespace mote::cli
