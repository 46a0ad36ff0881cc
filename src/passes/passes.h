// src/passes: rewrites of a module that hold for every target. Each pass is a file of its own, which says at its head
// what it finds and what it makes of it.
//
// A pass keeps results, up to a reassociation of floats that its file states; it keeps signatures, metadata and the
// names of outputs, never computes anything twice, and leaves alone what it cannot prove: unknown ranks, symbolic
// extents that may differ, values that somebody else reads. Run twice, it changes nothing the second time.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/module.h"

namespace mote {

struct PassOptions {
  std::vector<std::string> off;   // names of passes that do not run
  std::vector<std::string> only;  // when not empty: names of those that do
  bool inferred = false;          // the types are those of inference already
  // Hears of every pass that changed something, and how often.
  std::function<void(std::string_view pass, int changes)> report;
};

struct Pass {
  std::string_view name;
  std::string_view doc;
  // How many changes it made. The module's types are those of inference.
  int (*run)(Module& module, const OpLookup& ops);
};

// In the order they run in.
std::span<const Pass> all_passes();

// Infers types, runs the passes until none changes anything, and infers again where one did. Fails on unknown names in
// the options and where inference does.
Status run_passes(Module& module, const OpLookup& ops, const PassOptions& options = {});

}  // namespace mote
