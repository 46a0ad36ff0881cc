// Load a model, prepare it, run it.
//
//   mote::Result<mote::Model> model = mote::Model::load("mobilenet.onnx");
//   if (!model.ok()) return fail(model.status());
//   mote::Result<mote::Session> session = model->session();
//   session->set_input("image", mote::view(pixels, {1, 3, 224, 224}));   // std::vector<float>, not copied
//   if (mote::Status s = session->run(); !s.ok()) return fail(s);
//   std::span<const float> scores = session->output<float>(0);
//
// A Model is a prepared plan: immutable, cheap to copy, shared by any number of sessions and threads. A Session is what
// one caller runs; use each from one thread at a time. Formats are recognised by content, not by name.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mote/dtype.h"
#include "mote/status.h"
#include "mote/tensor.h"

namespace mote {

class OpRegistry;  // mote/custom.h

// kBf16, kF16: constant weights are rounded to 16 bits; kernels compute in f32. kFastest: layers of a quantized model
// that the CPU is slower at in integers, by a cost model, compute in f32, and hand f32 to each other.
enum class Precision : std::uint8_t { kF32, kBf16, kF16, kFastest };

struct LoadOptions {
  std::map<std::string, std::vector<std::int64_t>> shapes;  // input name -> shape, where the file leaves it open
  std::map<std::string, std::int64_t> dims;                 // symbol -> extent
  std::map<std::string, std::string> states;                // input name -> output name that is fed back to it
  Precision precision = Precision::kF32;
  bool reproducible = false;  // the same bits on every CPU, at some cost
  bool optimise = true;       // false: run the graph as written
  // Measure how steps are best cut on this machine; no bit changes. Answers are kept in $MOTE_TUNE_CACHE, by default
  // mote/tuning in the user's cache folder. Takes a few seconds per model the first time.
  bool tune = false;
  std::string target;                      // "": this CPU; an ISA's name ("avx2"); "reference"
  std::string signature;                   // the entry point, where the file has several; "": its first
  std::int64_t max_bytes = 0;              // memory for loading and preparing, weights included; 0: no limit
  std::vector<std::string> outputs;        // nodes or values to give out instead of the model's outputs
  std::vector<std::string> extra_outputs;  // nodes or values to give out as well
  std::vector<std::string> overrides;     // inputs with a default value in the file that are given at every run instead
  std::shared_ptr<const OpRegistry> ops;  // custom ops, kept alive by the model
};

// An input or output. `shape` is as text, since extents may be symbols: {"N", "3", "224", "224"}; empty for a scalar.
struct Port {
  enum class Kind : std::uint8_t { kTensor, kList, kOptional };
  std::string name;
  Kind kind = Kind::kTensor;
  DType dtype = DType::none;
  bool known_rank = true;
  std::vector<std::string> shape;
  bool state = false;  // carried by the session, not bound by the caller
  // value = (stored - zero_point) * scale, where the graph says so of an integer input or output; scale 0: it does not.
  float scale = 0;
  std::int32_t zero_point = 0;
};

// One step of the plan, for people. Steps of a body follow the step that runs it, one level deeper.
struct StepInfo {
  std::string name, op, kernel, why, numerics;
  std::string function;  // "" for the main function's
  int depth = 0;
  DType dtype = DType::none;               // of its first output, like what follows
  std::vector<std::string> shape, layout;  // layout: its axes from outermost to innermost; empty: row-major
  std::string bytes;                       // a formula where symbolic
  std::string place;                       // "arena+4096", "output 0", "heap"
  bool late = false;
};

// Where a value lies in the main function's arena, and while which of its steps (first to last) it is needed.
struct MemoryBlock {
  std::string name;
  std::int64_t offset = 0, bytes = 0;
  int first = 0, last = 0;
};

struct PlanInfo {
  std::string target, arena;  // arena: bytes, or a formula
  std::vector<StepInfo> steps;
  std::vector<MemoryBlock> memory;
  std::int64_t arena_bytes = 0;                               // of `memory`
  std::vector<std::pair<std::string, std::int64_t>> assumed;  // extents that `memory` stands for, where it is symbolic
  std::uint64_t weight_bytes = 0, macs = 0;
};

// What loading cost.
struct LoadTimes {
  double load_ms = 0, prepare_ms = 0;
};

struct RunOptions {
  std::int64_t deadline_ns = 0;  // from the call on; 0: none
  const std::atomic<bool>* cancel = nullptr;
};

struct SessionOptions {
  int threads = 0;             // 0: all that the process may use
  std::int64_t max_bytes = 0;  // arena, states, outputs; 0: no limit
  std::uint64_t seed = 0;
  std::string signature;  // "": the model's first, which LoadOptions::signature chooses
  // Positions that growing states have room for from the start, so that runs up to there take no memory. 0: room
  // doubles when it is needed, unless the model states how far its symbol may go.
  std::int64_t state_capacity = 0;
};

// The time one step took in the last profiled run.
struct StepTiming {
  std::string name, op, kernel;
  std::int64_t start_ns = 0, duration_ns = 0;
  std::vector<std::int64_t> shape;
  std::int64_t macs = 0;   // multiply-adds by the definition of the op; 0 where the plan does not know
  std::int64_t bytes = 0;  // of what it reads and writes, each operand once
};

// What a step has just computed. Views may be strided; data is null for lists and absent values.
struct StepResult {
  struct Output {
    std::string_view name;
    TensorView view;
  };
  std::string_view name, op, kernel;
  std::span<const Output> outputs;
};

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  int input_index(std::string_view name) const;  // -1 when there is none
  int output_index(std::string_view name) const;

  // Binds memory of the caller, dense row-major, which must live and not change during run(). No copy.
  Status set_input(int i, const TensorView& tensor);
  Status set_input(std::string_view name, const TensorView& tensor);
  Status set_input_list(int i, std::span<const TensorView> items);
  Status set_input_absent(int i);
  Status set_input_strings(int i, std::span<const std::int64_t> shape, std::span<const std::string> elements);
  // The result is written straight to the caller's memory.
  Status set_output(int i, const TensorView& tensor);

  Status run(const RunOptions& options = {});

  // Valid until the next run; dense and row-major. Asking for the output of a growing state copies it. Empty data where
  // the memory limit leaves no room for that copy.
  const TensorView& output(int i) const;
  template <class T>
  std::span<const T> output(int i) const {
    const TensorView& v = output(i);
    return {v.as<T>(), static_cast<std::size_t>(v.count())};
  }
  bool output_present(int i) const;
  std::vector<TensorView> output_list(int i) const;
  std::vector<std::string> output_strings(const TensorView& v) const;

  // A session of another signature with the states of this one: what either changes, both see. They share threads and
  // memory limit too, and are used by one thread at a time; results are valid until any of them runs again.
  Result<Session> sibling(std::string_view signature) const;
  // States, those of siblings too, back to how they began.
  Status reset_states();
  // What values take: the planned arena, with the results that the session keeps, and values whose size a run decided.
  std::int64_t arena_bytes() const;
  void enable_profile(bool on);
  // Timings of the last run; empty unless enabled.
  std::vector<StepTiming> profile() const;
  // Called after every step; an error ends the run. For dumps and comparisons.
  void set_step_hook(std::function<Status(const StepResult&)> hook);

  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

class Model {
 public:
  // A file: ONNX, TensorFlow Lite, .mote, Mote IR text. Its external data is looked for in its folder only.
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});
  // Bytes that must outlive the model. `name` stands for the file in messages.
  static Result<Model> load(std::span<const std::byte> bytes, std::string_view name, const LoadOptions& options = {});

  Result<Session> session(const SessionOptions& options = {}) const;
  // The prepared plan as a `.mote` file, which loads without preparing again. Nothing is left of it on failure.
  Status save(const std::string& path) const;

  const std::vector<Port>& inputs() const;
  const std::vector<Port>& outputs() const;
  const std::vector<std::string>& signatures() const;
  // The file's own metadata, and Mote's under "mote.*" (labels, mean, std, layout).
  const std::vector<std::pair<std::string, std::string>>& metadata() const;
  std::string metadata(std::string_view key) const;  // "" when absent
  const std::string& target() const;                 // what it was prepared for
  std::uint64_t weight_bytes() const;                // as packed
  PlanInfo plan() const;
  LoadTimes times() const;

  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

// A view of the caller's vector or span as a tensor.
template <class Range>
TensorView view(Range& range, std::initializer_list<std::int64_t> shape) {
  using T = std::remove_cv_t<std::remove_reference_t<decltype(*range.data())>>;
  DType t = DType::none;
  if constexpr (std::is_same_v<T, float>) t = DType::f32;
  if constexpr (std::is_same_v<T, double>) t = DType::f64;
  if constexpr (std::is_same_v<T, bool>) t = DType::boolean;
  if constexpr (std::is_same_v<T, std::int8_t>) t = DType::i8;
  if constexpr (std::is_same_v<T, std::int16_t>) t = DType::i16;
  if constexpr (std::is_same_v<T, std::int32_t>) t = DType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) t = DType::i64;
  if constexpr (std::is_same_v<T, std::uint8_t>) t = DType::u8;
  if constexpr (std::is_same_v<T, std::uint16_t>) t = DType::u16;
  if constexpr (std::is_same_v<T, std::uint32_t>) t = DType::u32;
  if constexpr (std::is_same_v<T, std::uint64_t>) t = DType::u64;
  std::vector<std::int64_t> dims(shape);
  return TensorView::of(reinterpret_cast<std::byte*>(const_cast<T*>(range.data())), t, dims);
}

}  // namespace mote
