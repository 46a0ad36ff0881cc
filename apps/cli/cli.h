// The mote program: one file per verb. A verb adds its options to CLI11 and returns what runs when it was chosen.
//
// Contract for scripts: stdout carries the result only, or one JSON object with --json; messages go to stderr; exit
// code 0 fine, 1 the answer is negative or the deadline passed, 2 bad input, usage or memory limit.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/array.h"
#include "mote/model.h"

namespace mote::cli {

using Json = nlohmann::ordered_json;

struct Globals {
  bool json = false, quiet = false, terminal = false, colour = false;
  int verbose = 0;
};
extern Globals globals;

// What every verb that loads a model takes.
struct ModelOptions {
  std::string path;
  int threads = 0;
  std::vector<std::string> shapes, dims, states;
  std::string signature, precision = "f32", target, max_ram, deadline;
  bool reproducible = false;
  std::uint64_t seed = 0;

  void add(CLI::App& app, bool positional = true);
  Result<LoadOptions> load() const;
  Result<SessionOptions> session() const;
  Result<RunOptions> run() const;
};

// A verb: `register_<verb>` adds a subcommand whose callback stores the exit code.
using Register = void (*)(CLI::App& app, int& exit_code);
void register_run(CLI::App& app, int& exit_code);
void register_bench(CLI::App& app, int& exit_code);
void register_plan(CLI::App& app, int& exit_code);

// Prints a failure (as JSON with --json) and gives the exit code for it.
int fail(const Status& status);
void print_json(const Json& json);
// To stderr, unless --quiet; only with -v for the second.
void say(const std::string& message);
void detail(const std::string& message);

// A session's inputs from arrays: by name, or as in_0, in_1 ... by position. The arrays must outlive the run. Fails
// naming an input without an array and an array without an input.
Status bind_inputs(Session& session, std::vector<media::Array>& arrays);
// Seeded normal floats, integers 0 or 1, for every input; symbolic extents count 1.
Result<std::vector<media::Array>> random_inputs(const std::vector<Port>& ports, std::uint64_t seed);
Result<std::vector<media::Array>> read_arrays(const std::string& npz, const std::vector<std::string>& named);
// The outputs in order, lists as name.0, name.1 ..., absent optionals left out.
Result<std::vector<media::Array>> output_arrays(const Session& session);

std::string shape_text(std::span<const std::int64_t> dims);

}  // namespace mote::cli
