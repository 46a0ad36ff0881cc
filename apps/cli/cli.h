// The mote program: one file per verb. A verb adds its options to CLI11 and returns what runs when it was chosen.
//
// Contract for scripts: stdout carries the result only, or one JSON object with --json; messages go to stderr; exit
// code 0 fine, 1 the answer is negative or the deadline passed, 2 bad input, usage or memory limit.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/array.h"
#include "media/features.h"
#include "media/preprocess.h"
#include "mote/custom.h"
#include "mote/model.h"

namespace mote::cli {

using Json = nlohmann::ordered_json;

struct Globals {
  bool json = false, quiet = false;
  bool progress = false;                      // stderr is a terminal
  bool colour = false, error_colour = false;  // stdout, stderr
  int verbose = 0;
};
extern Globals globals;

// Of --tune, which several verbs have.
inline constexpr const char* kTuneHelp =
    "measure on this machine how steps are best cut into tiles; no bit of an answer changes, and what was found is "
    "kept "
    "in $MOTE_TUNE_CACHE or the user's cache folder";

// ---- output

// Prints a failure (as JSON with --json) and gives the exit code for it.
int fail(const Status& status);
void print_json(const Json& json);
// To stderr, unless --quiet; only with -v for the second.
void say(const std::string& message);
void detail(const std::string& message);
// A line on a terminal's stderr that the next one replaces; "" clears it.
void progress(const std::string& message);

// Columns as wide as their widest cell; numbers (as `right` says) to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> head, std::vector<bool> right = {});
  void add(std::vector<std::string> row);
  void print() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

std::string fixed(double v, int digits);  // "12.345"
std::string scientific(double v);         // "1.2e-06", "0"
std::string megabytes(double bytes);      // "12.3 MB"
std::string grouped(std::int64_t v);      // "31,946"
std::string shape_text(std::span<const std::int64_t> dims);
std::string shape_text(const Port& port);                      // "[N,3,224,224]", "[?]"
std::string list_text(const std::vector<std::string>& parts);  // "[a,b]"
double now_ms();
double peak_rss_mb();

// ---- options

// What every verb that loads a model takes.
struct ModelOptions {
  std::string path;
  int threads = 0;
  std::int64_t state_capacity = 0;
  std::vector<std::string> shapes, dims, states, plugins;
  std::string signature, precision = "f32", target, max_ram, deadline;
  bool reproducible = false;
  std::uint64_t seed = 0;

  void add(CLI::App& app, bool positional = true);
  Result<LoadOptions> load() const;
  // Of a loaded model: what its weights leave of --max-ram is for the session.
  Result<SessionOptions> session(const Model& model) const;
  Result<RunOptions> run() const;
  Result<media::Limits> limits() const;

 private:
  // Bytes of --max-ram beside what the program itself takes; 0: no limit.
  Result<std::int64_t> memory() const;
  // Whether the weights and the arena of the plan do; fails naming the least --max-ram that they would take.
  Status fits(const Model& model) const;
};

// The model, without what reading and preparing it left behind in the heap.
Result<Model> load_model(const std::string& path, const LoadOptions& options);

// Images as a model's input.
struct ImageOptions {
  std::vector<std::string> files;
  std::map<std::string, std::string> settings;  // key of media::set_preprocess -> value
  bool rgb = false, bgr = false;

  void add(CLI::App& app, bool with_files = true);
  // The files as arrays for one of `ports`, cut into as many batches as its first extent asks for.
  // `placements` gets one for every file.
  Result<std::vector<media::Array>> batches(const Model& model, const std::vector<Port>& ports,
                                            const std::vector<media::Array>& given, const media::Limits& limits,
                                            std::vector<media::Placement>* placements = nullptr) const;
  // What the options say, without the model.
  Result<media::Preprocess> asked() const;
};

// Sounds as a model's input.
struct AudioOptions {
  std::vector<std::string> files;
  std::map<std::string, std::string> settings;  // key of media::set_feature -> value

  void add(CLI::App& app, bool with_files = true);
  // One array for each file, for one of `ports`.
  Result<std::vector<media::Array>> batches(const Model& model, const std::vector<Port>& ports,
                                            const std::vector<media::Array>& given, const media::Limits& limits) const;
  Result<media::FeatureSettings> asked() const;
};

// Arrays as a model's inputs.
struct ArrayOptions {
  std::string npz;
  std::vector<std::string> named;

  void add(CLI::App& app);
  bool empty() const { return npz.empty() && named.empty(); }
  // The names that --input gives: inputs that the file has values for are then inputs all the same.
  Result<std::vector<std::string>> names() const;
  Result<std::vector<media::Array>> read(const media::Limits& limits) const;
};

// "NAME=VALUE" at the last '='.
Status split_pair(const std::string& text, const char* flag, std::string& key, std::string& value);

// ---- verbs

// `register_<verb>` adds a subcommand whose callback stores the exit code.
using Register = void (*)(CLI::App& app, int& exit_code);
void register_run(CLI::App& app, int& exit_code);
void register_inspect(CLI::App& app, int& exit_code);
void register_plan(CLI::App& app, int& exit_code);
void register_bench(CLI::App& app, int& exit_code);
void register_profile(CLI::App& app, int& exit_code);
void register_compare(CLI::App& app, int& exit_code);
void register_convert(CLI::App& app, int& exit_code);
void register_quantize(CLI::App& app, int& exit_code);
void register_prune(CLI::App& app, int& exit_code);
void register_verify(CLI::App& app, int& exit_code);
void register_ops(CLI::App& app, int& exit_code);
void register_doctor(CLI::App& app, int& exit_code);

// A subcommand; what it does gives the exit code.
CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& what, const std::string& example);
void set_action(CLI::App& verb, int& exit_code, std::function<Result<int>()> action);

// ---- arrays

// A session's inputs from arrays: by name, or as in_0, in_1 ... by position. The arrays must outlive the run. Fails
// naming an input without an array and an array without an input.
Status bind_inputs(Session& session, std::vector<media::Array>& arrays);
// Whether an array of that name is for an input of the session.
bool takes_input(const Session& session, std::string_view name);
// Seeded normal floats, integers 0 or 1, for every input; symbolic extents count 1.
Result<std::vector<media::Array>> random_inputs(const std::vector<Port>& ports, std::uint64_t seed,
                                                const media::Limits& limits);
// The outputs in order, lists as name.0, name.1 ..., absent optionals left out.
Result<std::vector<media::Array>> output_arrays(const Session& session);
// The outputs of several runs as one each, one behind the other along the first axis.
Result<std::vector<media::Array>> joined_outputs(std::vector<std::vector<media::Array>> runs);
// What extents the symbols of the ports have, given the arrays.
std::map<std::string, std::vector<std::int64_t>> shapes_of(const std::vector<Port>& ports,
                                                           const std::vector<media::Array>& arrays);

}  // namespace mote::cli
