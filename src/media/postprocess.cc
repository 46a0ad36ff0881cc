#include "media/postprocess.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/checked.h"
#include "media/numbers.h"

namespace mote::media {

bool is_distribution(std::span<const float> scores, float step) {
  double sum = 0;
  for (float s : scores) {
    if (!(s >= 0.0f && s <= 1.001f)) return false;
    sum += s;
  }
  const double slack = 1e-3 + std::min(0.1, 0.5 * step * static_cast<double>(scores.size()));
  return std::fabs(sum - 1.0) <= slack;
}

std::vector<Class> top_k(std::span<const float> scores, std::int64_t k, float step) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](std::int64_t i) { return scores[static_cast<std::size_t>(i)]; };
  const auto better = [&](std::int64_t a, std::int64_t b) {
    const float x = at(a), y = at(b);
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) != std::isnan(y) ? std::isnan(y) : a < b;
    return x != y ? x > y : a < b;
  };
  const auto n = static_cast<std::size_t>(std::clamp<std::int64_t>(k, 0, static_cast<std::int64_t>(order.size())));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(), better);
  const bool distribution = is_distribution(scores, step);
  double top = -HUGE_VAL, sum = 0;
  for (float s : scores) top = std::max(top, static_cast<double>(s));
  for (float s : scores) sum += std::exp(s - top);
  std::vector<Class> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const float score = at(order[i]);
    out[i] = {order[i], score, distribution ? score : static_cast<float>(std::exp(score - top) / sum)};
  }
  return out;
}

Result<std::vector<float>> to_floats(const ArrayView& array, Quantization quantization, const Limits& limits) {
  if (!is_number(array.dtype)) {
    return unsupported("scores of dtype " + std::string(name_of(array.dtype))).at("'" + std::string(array.name) + "'");
  }
  const std::int64_t count = static_cast<std::int64_t>(array.data.size()) * 8 / bits_of(array.dtype);
  const auto expected = element_count(array.shape);
  if (!expected || *expected > count) return internal_error("an array smaller than its shape");
  MOTE_TRY(check_allocation(*expected * 4, limits, "the scores"));
  std::vector<float> out(static_cast<std::size_t>(*expected));
  for (std::int64_t i = 0; i < *expected; ++i) {
    double v = load_number(array.dtype, array.data.data(), i);
    if (quantization.scale != 0) v = (v - quantization.zero_point) * static_cast<double>(quantization.scale);
    out[static_cast<std::size_t>(i)] = static_cast<float>(v);
  }
  return out;
}

}  // namespace mote::media
