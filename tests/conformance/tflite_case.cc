#include "tflite_case.h"

#include <cmath>
#include <cstdio>
#include <map>

#include "api/engine.h"
#include "media/npz.h"
#include "ops/element.h"
#include "run_model.h"

namespace mote::conformance {
namespace {

struct Run {
  std::vector<TestValue> inputs, outputs;
};

TestValue value_of(media::Array array) {
  TestValue v;
  v.dtype = array.dtype;
  v.shape = std::move(array.shape);
  v.bytes = std::move(array.data);
  v.strings = std::move(array.strings);
  return v;
}

Result<std::vector<Run>> read_runs(const std::string& path) {
  MOTE_ASSIGN(std::vector<std::byte> file, read_file(path));
  MOTE_ASSIGN(std::vector<media::Array> arrays, media::read_npz(file));
  std::vector<Run> runs(1);  // one without inputs and outputs has no arrays
  for (media::Array& a : arrays) {
    int run = 0, k = 0;
    char kind[4] = {};
    if (std::sscanf(a.name.c_str(), "%d/%3[a-z]/%d", &run, kind, &k) != 3 || run < 0 || k < 0 || run > 1000 ||
        k > 1000) {
      return invalid("array '" + a.name + "' is not named as RUN/in/K or RUN/out/K");
    }
    if (runs.size() <= static_cast<std::size_t>(run)) runs.resize(static_cast<std::size_t>(run) + 1);
    std::vector<TestValue>& list = kind == std::string("in") ? runs[static_cast<std::size_t>(run)].inputs
                                                             : runs[static_cast<std::size_t>(run)].outputs;
    if (list.size() <= static_cast<std::size_t>(k)) list.resize(static_cast<std::size_t>(k) + 1);
    list[static_cast<std::size_t>(k)] = value_of(std::move(a));
  }
  return runs;
}

// The floats of a float or complex tensor.
std::vector<double> floats_of(const TestValue& v) {
  std::vector<double> out;
  DType part = v.dtype == DType::c64 ? DType::f32 : v.dtype == DType::c128 ? DType::f64 : v.dtype;
  std::vector<std::int64_t> count{static_cast<std::int64_t>(v.bytes.size()) * 8 / bits_of(part)};
  TensorView t = TensorView::of(const_cast<std::byte*>(v.bytes.data()), part, count);  // NOLINT: only read
  for (std::int64_t i = 0; i < count[0]; ++i) out.push_back(load_f64(t, i));
  return out;
}

bool is_real(DType t) { return is_float(t) || t == DType::c64 || t == DType::c128; }

std::string floats_differ(const TestValue& expected, const TestValue& got) {
  std::vector<double> a = floats_of(expected), b = floats_of(got);
  double largest = 0, relative = expected.dtype == DType::f16 ? 1e-3 : 1e-5, worst = 0;
  for (double v : a) largest = std::isfinite(v) ? std::max(largest, std::fabs(v)) : largest;
  std::size_t bad = 0, first = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    bool both_finite = std::isfinite(a[i]) && std::isfinite(b[i]);
    bool same = both_finite ? std::fabs(a[i] - b[i]) <= relative * largest
                            : (std::isnan(a[i]) && std::isnan(b[i])) || a[i] == b[i];
    if (both_finite && largest > 0) worst = std::max(worst, std::fabs(a[i] - b[i]) / largest);
    if (!same && bad++ == 0) first = i;
  }
  if (bad == 0) return {};
  char text[200];
  std::snprintf(text, sizeof text,
                "%zu of %zu floats differ, by up to %.2g of the largest; at %zu: expected %.9g, got %.9g", bad,
                a.size(), worst, first, a[first], b[first]);
  return text;
}

std::string integers_differ(const TestValue& expected, const TestValue& got) {
  std::vector<std::int64_t> count{static_cast<std::int64_t>(expected.bytes.size()) * 8 / bits_of(expected.dtype)};
  auto at = [&](const TestValue& v, std::int64_t i) {
    TensorView t = TensorView::of(const_cast<std::byte*>(v.bytes.data()), v.dtype, count);  // NOLINT: only read
    return v.dtype == DType::boolean ? std::int64_t{t.data[i] != std::byte{0}} : load_i64(t, i);
  };
  std::int64_t bad = 0, first = 0, worst = 0;
  for (std::int64_t i = 0; i < count[0]; ++i) {
    std::int64_t a = at(expected, i), b = at(got, i);
    if (a == b) continue;
    if (bad++ == 0) first = i;
    worst = std::max(worst, static_cast<std::int64_t>(std::fabs(static_cast<double>(a) - static_cast<double>(b))));
  }
  if (bad == 0) return {};
  return std::to_string(bad) + " of " + std::to_string(count[0]) + " integers differ, by up to " +
         std::to_string(worst) + "; at " + std::to_string(first) + ": expected " + std::to_string(at(expected, first)) +
         ", got " + std::to_string(at(got, first));
}

// LiteRT hands out packed integers one a byte.
TestValue unpacked(TestValue v) {
  if (v.dtype != DType::i4 && v.dtype != DType::i2) return v;
  std::int64_t n = 1;
  for (std::int64_t d : v.shape) n *= d;
  TensorView t = TensorView::of(v.bytes.data(), v.dtype, v.shape);
  std::vector<std::byte> wide;
  for (std::int64_t i = 0; i < n; ++i) wide.push_back(static_cast<std::byte>(load_i64(t, i)));
  v.bytes = std::move(wide);
  v.dtype = DType::i8;
  return v;
}

std::string differs(const TestValue& expected, const TestValue& got) {
  if (got.kind != TestValue::Kind::kTensor || expected.dtype != got.dtype || expected.shape != got.shape) {
    return "expected " + expected.describe() + ", got " + got.describe();
  }
  if (expected.dtype == DType::string) return expected.strings == got.strings ? "" : "strings differ";
  return is_real(expected.dtype) ? floats_differ(expected, got) : integers_differ(expected, got);
}

// One run with the given inputs; states bind themselves.
Status check_run(Context& context, const Run& run) {
  std::size_t next = 0;
  for (int i = 0; i < context.input_count(); ++i) {
    if (context.is_state_input(i)) continue;
    if (next == run.inputs.size()) return invalid("the plan has more inputs than the file");
    Status s = bind_input(context, i, run.inputs[next++]);
    if (!s.ok()) return std::move(s).at("input " + std::to_string(next - 1));
  }
  if (next != run.inputs.size()) return invalid("the plan has fewer inputs than the file");
  MOTE_TRY(context.run());
  std::size_t k = 0;
  for (int i = 0; i < context.output_count(); ++i) {
    if (context.is_state_output(i)) continue;
    if (k == run.outputs.size()) return invalid("gives more outputs than expected");
    std::string d = differs(run.outputs[k], unpacked(output_of(context, i)));
    if (!d.empty()) return invalid(std::move(d)).at("output " + std::to_string(k));
    ++k;
  }
  return k == run.outputs.size() ? Status() : invalid("gives fewer outputs than expected");
}

}  // namespace

Status run_tflite_case(const Case& c, const std::string& column) {
  MOTE_ASSIGN(std::vector<std::byte> bytes, read_file(c.model));
  MOTE_ASSIGN(Module module, api::read_module(std::make_shared<const BufferSource>(std::move(bytes)), {}, {}));
  if (column == "import") return {};
  MOTE_ASSIGN(std::vector<Run> runs, read_runs(c.arrays));
  MOTE_ASSIGN(std::unique_ptr<Context> context, make_context(std::move(module), column));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Status s = check_run(*context, runs[i]);
    if (!s.ok()) return runs.size() > 1 ? std::move(s).at("run " + std::to_string(i)) : std::move(s);
  }
  return {};
}

}  // namespace mote::conformance
