#include "formats/onnx/rows.h"

#include <algorithm>
#include <string>
#include <vector>

namespace mote::onnx {

#define ONNX_SAME(domain, name, since, op)
#define ONNX_WRITE(domain, name, since, op)
#define ONNX_FUNCTION(domain, name, since, op, function) Status function(NodeImport& n);
#include "formats/onnx/ops.inc"
#undef ONNX_SAME
#undef ONNX_FUNCTION
#undef ONNX_WRITE

namespace {

constexpr std::string_view kOnnx = "", kMl = "ai.onnx.ml", kTraining = "ai.onnx.preview.training",
                           kPreview = "ai.onnx.preview", kMicrosoft = "com.microsoft";

constexpr Row kRows[] = {
#define ONNX_SAME(domain, name, since, op) {domain, #name, since, #op, nullptr},
#define ONNX_WRITE(domain, name, since, op) {domain, #name, since, #op, nullptr, true},
#define ONNX_FUNCTION(domain, name, since, op, function) {domain, #name, since, #op, function},
#include "formats/onnx/ops.inc"
#undef ONNX_SAME
#undef ONNX_FUNCTION
#undef ONNX_WRITE
};

bool before(const Row& a, const Row& b) {
  if (int c = a.domain.compare(b.domain)) return c < 0;
  if (int c = a.name.compare(b.name)) return c < 0;
  return a.since < b.since;
}

const std::vector<Row>& sorted_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> v(std::begin(kRows), std::end(kRows));
    std::sort(v.begin(), v.end(), before);
    return v;
  }();
  return rows;
}

}  // namespace

std::span<const Row> all_rows() { return sorted_rows(); }

const Row* find_row(std::string_view domain, std::string_view name, std::int64_t version) {
  const std::vector<Row>& rows = sorted_rows();
  Row key{domain, name, static_cast<int>(std::min<std::int64_t>(version, 1 << 30)), {}, nullptr};
  auto it = std::upper_bound(rows.begin(), rows.end(), key, before);
  do {
    if (it == rows.begin()) return nullptr;
    --it;
  } while (it->only_written);
  return it->domain == domain && it->name == name ? &*it : nullptr;
}

const Row* find_row_of_op(std::string_view op) {
  const Row* best = nullptr;
  for (const Row& r : sorted_rows()) {
    // ONNX's own domain comes first, the newest row of a domain last.
    if (r.op == op && !r.convert && (!best || best->domain == r.domain)) best = &r;
  }
  return best;
}

}  // namespace mote::onnx
