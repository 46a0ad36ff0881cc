// What is in a model file, without preparing it to run.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mote/model.h"

namespace mote {

struct ModelInfo {
  struct State {
    std::string input, output;
  };
  struct Signature {
    std::string name;
    std::vector<Port> inputs, outputs;
    std::vector<State> states;
  };
  struct Symbol {
    std::string name;
    std::int64_t min = 0, max = 0;
  };
  struct Node {
    std::string name, op;
    std::vector<std::string> outputs;
  };
  template <class T>
  using Counts = std::vector<std::pair<std::string, T>>;  // most first

  std::string format;  // "ONNX", ".mote", "Mote IR text"
  std::string name;
  std::vector<std::string> targets;  // .mote: what it is prepared for
  std::vector<Signature> signatures;
  std::vector<Symbol> symbols;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::int64_t parameters = 0, parameter_bytes = 0;  // elements of the constants of rank 1 and more; as stored
  std::string macs;                                  // multiply-adds of one run: a number, or a formula over symbols
  std::int64_t nodes = 0;                            // of all functions
  std::vector<Node> graph;                           // of the main one
  Counts<std::int64_t> ops;                          // nodes by op, those of bodies included
  Counts<std::int64_t> dtypes;                       // values by dtype
  // "op 'x' (node 'n')": what this build cannot run. Empty: the model runs.
  std::vector<std::string> missing;
  // The same for nodes that have no fast kernel and run by reference loops.
  std::vector<std::string> slow;
};

// Reads the model, infers its types and asks every backend. Of `options`, shapes, dims, states, target and ops count.
// Fails where the file is broken; operators that Mote lacks are no failure.
Result<ModelInfo> inspect(const std::string& path, const LoadOptions& options = {});

}  // namespace mote
