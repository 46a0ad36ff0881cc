// Options that several verbs share.
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/file.h"
#include "base/memory_info.h"
#include "base/text.h"
#include "cli.h"
#include "media/npy.h"
#include "media/npz.h"
#include "mote/system.h"

namespace mote::cli {

void ModelOptions::add(CLI::App& app, bool positional) {
  if (positional)
    app.add_option("MODEL", path, "model file: ONNX, TensorFlow Lite, .mote or Mote IR; recognised by content")
        ->required();
  app.add_option("--threads", threads, "threads to compute with; 0: all that the process may use")
      ->check(CLI::Range(0, 256));
  app.add_option("--shape", shapes, "NAME=1,3,224,224: the shape of an input")->take_all();
  app.add_option("--dim", dims, "SYMBOL=N: the extent of a named dimension")->take_all();
  app.add_option("--state", states, "INPUT=OUTPUT: an output of one run is an input of the next")->take_all();
  app.add_option("--state-capacity", state_capacity, "positions that growing states have room for from the start")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--signature", signature, "entry point, where the model has several");
  app.add_option(
         "--precision", precision,
         "f32, or bf16 or f16: what weights are rounded to; bf16 also the operands of products where that is faster; "
         "fastest: layers of a quantized model that this CPU is slower at in integers compute in f32")
      ->check(CLI::IsMember({"f32", "bf16", "f16", "fastest"}));
  app.add_option("--target", target, "host, reference, or an instruction set not above this CPU's");
  app.add_flag("--reproducible", reproducible, "the same bits on every CPU");
  app.add_option("--max-ram", max_ram, "refuse to use more memory than this, e.g. 64M");
  app.add_option("--deadline", deadline, "stop a run after this time, e.g. 20ms (exit code 1)");
  app.add_option("--seed", seed, "of random inputs and random ops");
  app.add_option("--plugin", plugins, "a shared library with custom ops")->take_all();
}

Status split_pair(const std::string& text, const char* flag, std::string& key, std::string& value) {
  std::size_t eq = text.rfind('=');
  if (eq == std::string::npos || eq == 0) return invalid(std::string(flag) + " expects NAME=VALUE, got '" + text + "'");
  key = text.substr(0, eq);
  value = text.substr(eq + 1);
  return {};
}

Result<LoadOptions> ModelOptions::load() const {
  LoadOptions o;
  std::string key, value;
  for (const std::string& s : shapes) {
    MOTE_TRY(split_pair(s, "--shape", key, value));
    std::vector<std::int64_t> shape;
    bool fine = true;
    if (!value.empty()) {
      split(value, ',', [&](std::string_view part) {
        std::optional<std::int64_t> v = parse_int(part);
        fine = fine && v && *v >= 0;
        shape.push_back(v.value_or(0));
      });
    }
    if (!fine) return invalid("--shape expects NAME=1,3,224,224, got '" + s + "'");
    o.shapes[key] = std::move(shape);
  }
  for (const std::string& s : dims) {
    MOTE_TRY(split_pair(s, "--dim", key, value));
    std::optional<std::int64_t> v = parse_int(value);
    if (!v || *v < 0) return invalid("--dim expects SYMBOL=N, got '" + s + "'");
    o.dims[key] = *v;
  }
  for (const std::string& s : states) {
    MOTE_TRY(split_pair(s, "--state", key, value));
    o.states[key] = value;
  }
  const bool rounds = precision == "bf16" || precision == "f16";
  if (rounds)
    say(concat("--precision ", precision, ": weights are rounded to it",
               precision == "bf16" ? ", and what they are multiplied with, where the CPU is faster at that" : ""));
  o.precision = precision == "bf16"      ? Precision::kBf16
                : precision == "f16"     ? Precision::kF16
                : precision == "fastest" ? Precision::kFastest
                                         : Precision::kF32;
  o.signature = signature;
  o.reproducible = reproducible;
  o.target = target;
  MOTE_ASSIGN(o.max_bytes, memory());
  if (!plugins.empty()) {
    auto registry = OpRegistry::create();
    for (const std::string& p : plugins) MOTE_TRY(registry->load_plugin(p));
    detail("custom ops: " + join(registry->names()));
    o.ops = std::move(registry);
  }
  return o;
}

Result<std::int64_t> ModelOptions::memory() const {
  // What the program takes before it has read anything, and the code it has yet to touch.
  static const std::int64_t program = peak_resident_bytes() + (std::int64_t{6} << 20);
  if (max_ram.empty()) return 0;
  std::optional<std::int64_t> bytes = parse_size(max_ram);
  if (!bytes || *bytes <= 0) return invalid("--max-ram expects a size such as 64M, got '" + max_ram + "'");
  if (*bytes > program) return *bytes - program;
  return Status(Code::kResourceExhausted,
                concat("the program alone takes ", human_bytes(program), ", --max-ram allows ", human_bytes(*bytes)))
      .hint("64M is 64 * 2^20 bytes, 64MB 64 * 10^6");
}

Result<Model> load_model(const std::string& path, const LoadOptions& options) {
  set_drop_code_early();
  Result<Model> model = Model::load(path, options);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  // Of the code that reads and prepares models nothing runs again: its place is the arena's.
  if (model.ok() && model->times().prepare_ms > 0) drop_code();
  return model;
}

Status ModelOptions::fits(const Model& model) const {
  MOTE_ASSIGN(std::int64_t bytes, memory());
  if (bytes == 0) return {};
  const PlanInfo plan = model.plan();
  const std::int64_t weights = static_cast<std::int64_t>(plan.weight_bytes), needed = weights + plan.arena_bytes;
  // What the program itself takes differs by some pages from one process to the next: whole MiB, and one more.
  if (!plan.assumed.empty() || needed <= bytes) return {};
  return Status(Code::kResourceExhausted,
                concat("weights of ", human_bytes(weights), " and an arena of ", human_bytes(plan.arena_bytes),
                       ", the least for this model, do not fit in --max-ram ", max_ram))
      .at(path)
      .hint(concat("it takes at least --max-ram ", ((*parse_size(max_ram) + needed - bytes) >> 20) + 2, "M"));
}

Result<SessionOptions> ModelOptions::session(const Model& model) const {
  MOTE_ASSIGN(std::int64_t bytes, memory());
  SessionOptions o;
  o.threads = threads;
  if (bytes > 0) {
    std::int64_t weights = static_cast<std::int64_t>(model.weight_bytes());
    if (weights >= bytes)
      return Status(Code::kResourceExhausted,
                    concat("weights of ", human_bytes(weights), " leave nothing of --max-ram ", max_ram))
          .at(path);
    MOTE_TRY(fits(model));
    o.max_bytes = bytes - weights;
  }
  o.seed = seed;
  o.state_capacity = state_capacity;
  return o;
}

Result<RunOptions> ModelOptions::run() const {
  RunOptions o;
  if (!deadline.empty()) {
    std::optional<std::int64_t> ns = parse_duration_ns(deadline);
    if (!ns || *ns <= 0) return invalid("--deadline expects a time such as 20ms, got '" + deadline + "'");
    o.deadline_ns = *ns;
  }
  return o;
}

Result<media::Limits> ModelOptions::limits() const {
  media::Limits l;
  MOTE_ASSIGN(std::int64_t bytes, memory());
  if (bytes > 0) l.max_bytes = bytes;
  return l;
}

namespace {

// "NAME=FILE", both of which may hold '=': the first '=' behind which a file is.
Status split_file(const std::string& text, std::string& name, std::string& path) {
  for (std::size_t eq = text.find('='); eq != std::string::npos; eq = text.find('=', eq + 1)) {
    if (eq == 0 || !FileMap::open(text.substr(eq + 1)).ok()) continue;
    name = text.substr(0, eq);
    path = text.substr(eq + 1);
    return {};
  }
  return split_pair(text, "--input", name, path);
}

}  // namespace

void ArrayOptions::add(CLI::App& app) {
  app.add_option("--inputs", npz, "inputs by name, or in_0, in_1 ... by position, as .npz");
  app.add_option("--input", named, "NAME=FILE.npy: one input")->take_all();
}

Result<std::vector<std::string>> ArrayOptions::names() const {
  std::vector<std::string> names;
  for (const std::string& s : named) {
    std::string path;
    MOTE_TRY(split_file(s, names.emplace_back(), path));
  }
  return names;
}

Result<std::vector<media::Array>> ArrayOptions::read(const media::Limits& limits) const {
  std::vector<media::Array> arrays;
  if (!npz.empty()) {
    MOTE_ASSIGN(FileMap file, FileMap::open(npz));
    Result<std::vector<media::Array>> read = media::read_npz(file.bytes(), limits);
    if (!read.ok()) return std::move(read).status().at(npz);
    arrays = *std::move(read);
  }
  for (const std::string& s : named) {
    std::string name, path;
    MOTE_TRY(split_file(s, name, path));
    MOTE_ASSIGN(FileMap file, FileMap::open(path));
    Result<media::Array> array = media::read_npy(file.bytes(), limits);
    if (!array.ok()) return std::move(array).status().at(path);
    array->name = name;
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

}  // namespace mote::cli
