#include "values.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "formats/onnx/types.h"
#include "ops/element.h"

namespace mote::conformance {
namespace {

constexpr double kRelative = 1e-3, kAbsolute = 1e-7;

std::string format(const char* pattern, auto... args) {
  char text[200];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string s = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) s += (i ? "," : "") + std::to_string(shape[i]);
  return s + "]";
}

TensorView view_of(const TestValue& v) {
  return TensorView::of(const_cast<std::byte*>(v.bytes.data()), v.dtype, v.shape);  // NOLINT: only read
}

double element(const TensorView& v, std::int64_t i) {
  if (v.dtype == DType::boolean) return static_cast<double>(v.data[i] != std::byte{0});
  return is_float(v.dtype) ? load_f64(v, i) : static_cast<double>(load_i64(v, i));
}

bool close(double expected, double got) {
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got);
  if (std::isinf(expected) || std::isinf(got)) return expected == got;
  return std::fabs(expected - got) <= kAbsolute + kRelative * std::fabs(got);
}

std::string numbers_differ(const TestValue& expected, const TestValue& got) {
  TensorView a = view_of(expected), b = view_of(got);
  std::int64_t n = a.count(), bad = 0, first = -1;
  for (std::int64_t i = 0; i < n; ++i) {
    if (close(element(a, i), element(b, i))) continue;
    if (first < 0) first = i;
    ++bad;
  }
  if (bad == 0) return {};
  return format("%lld of %lld elements differ, first at %lld: expected %.9g, got %.9g", static_cast<long long>(bad),
                static_cast<long long>(n), static_cast<long long>(first), element(a, first), element(b, first));
}

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments(const TestValue& v) {
  TensorView t = view_of(v);
  double n = static_cast<double>(t.count()), sum = 0, squares = 0;
  for (std::int64_t i = 0; i < t.count(); ++i) sum += element(t, i);
  for (std::int64_t i = 0; i < t.count(); ++i) squares += std::pow(element(t, i) - sum / n, 2);
  return n == 0 ? Moments() : Moments{sum / n, std::sqrt(squares / n)};
}

std::string moments_differ(const TestValue& expected, const TestValue& got) {
  Moments a = moments(expected), b = moments(got);
  double n = static_cast<double>(view_of(expected).count());
  // Five standard errors, of a spread that both samples only estimate.
  double spread = std::max(a.deviation, b.deviation), allowed = 5 * spread / std::sqrt(std::max(n, 1.0)) + 1e-3;
  if (n == 0 || (std::fabs(a.mean - b.mean) <= 2 * allowed && std::fabs(a.deviation - b.deviation) <= 2 * allowed)) {
    return {};
  }
  return format("another distribution: mean %.4g and deviation %.4g expected, got %.4g and %.4g", a.mean, a.deviation,
                b.mean, b.deviation);
}

bool complex_close(const TestValue& expected, const TestValue& got) { return expected.bytes == got.bytes; }

Result<TestValue> list_value(const onnx::SequenceProto& s, const std::shared_ptr<const Source>& file,
                             const onnx::TypeProto& type);

Result<TestValue> proto_value(const onnx::TensorProto& t, const std::shared_ptr<const Source>& file) {
  auto none = [](std::string_view) -> Result<std::shared_ptr<const Source>> { return invalid("external test data"); };
  MOTE_ASSIGN(Constant c, onnx::constant_of(t, file, none));
  return tensor_value(c);
}

Result<TestValue> list_value(const onnx::SequenceProto& s, const std::shared_ptr<const Source>& file,
                             const onnx::TypeProto& type) {
  bool is_optional = type.kind == onnx::TypeProto::Kind::kOptional;
  TestValue list;
  list.kind = TestValue::Kind::kList;
  for (const onnx::TensorProto& t : s.tensors) {
    MOTE_ASSIGN(TestValue v, proto_value(t, file));
    list.items.push_back(std::move(v));
  }
  for (const onnx::SequenceProto& e : s.elements) {
    if (!type.elem) return invalid("test data of another type than the model states");
    MOTE_ASSIGN(TestValue v, list_value(e, file, *type.elem));
    list.items.push_back(std::move(v));
  }
  if (!is_optional) return list;
  if (!list.items.empty()) return std::move(list.items[0]);
  list.kind = TestValue::Kind::kNothing;
  return list;
}

}  // namespace

std::string TestValue::describe() const {
  if (kind == Kind::kNothing) return "nothing";
  if (kind == Kind::kList) return "a sequence of " + std::to_string(items.size());
  return std::string(name_of(dtype)) + shape_text(shape);
}

Result<std::vector<std::byte>> read_file(const std::string& path) {
  std::FILE* f = std::fopen(path.c_str(), "rb");
  if (!f) return Status(Code::kNotFound, "cannot open it").at(path);
  std::vector<std::byte> bytes;
  std::byte buffer[1 << 16];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, f)) > 0;) bytes.insert(bytes.end(), buffer, buffer + n);
  std::fclose(f);
  return bytes;
}

Result<TestValue> tensor_value(const Constant& c) {
  TestValue v;
  v.dtype = c.stored_dtype;
  v.shape = c.stored_shape;
  if (c.encoding == Encoding::kStrings) {
    MOTE_ASSIGN(v.strings, onnx::strings_of(c));
  } else {
    v.bytes.assign(c.stored().begin(), c.stored().end());
  }
  return v;
}

Result<TestValue> read_value(const std::string& path, const onnx::TypeProto& type) {
  MOTE_ASSIGN(std::vector<std::byte> bytes, read_file(path));
  auto file = std::make_shared<const BufferSource>(std::move(bytes));
  onnx::ParseLimits limits;
  if (type.kind == onnx::TypeProto::Kind::kTensor || type.kind == onnx::TypeProto::Kind::kNone) {
    onnx::TensorProto t;
    MOTE_TRY(onnx::parse_tensor(file->bytes(), limits, t));
    return proto_value(t, file);
  }
  onnx::SequenceProto s;
  MOTE_TRY(onnx::parse_sequence(file->bytes(), limits, s));
  return list_value(s, file, type);
}

std::string difference(const TestValue& expected, const TestValue& got, bool loose) {
  if (expected.kind != got.kind) return "expected " + expected.describe() + ", got " + got.describe();
  if (expected.kind == TestValue::Kind::kNothing) return {};
  if (expected.kind == TestValue::Kind::kList) {
    if (expected.items.size() != got.items.size()) return "expected " + expected.describe() + ", got " + got.describe();
    for (std::size_t i = 0; i < expected.items.size(); ++i) {
      if (std::string d = difference(expected.items[i], got.items[i], loose); !d.empty()) {
        return "element " + std::to_string(i) + ": " + d;
      }
    }
    return {};
  }
  if (expected.dtype != got.dtype || expected.shape != got.shape) {
    return "expected " + expected.describe() + ", got " + got.describe();
  }
  if (expected.dtype == DType::string) return expected.strings == got.strings ? "" : "strings differ";
  if (expected.dtype == DType::c64 || expected.dtype == DType::c128) {
    return complex_close(expected, got) ? "" : "complex numbers differ";
  }
  return loose ? moments_differ(expected, got) : numbers_differ(expected, got);
}

}  // namespace mote::conformance
