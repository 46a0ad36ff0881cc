// Rules: rewrites by the op of the node they start from, applied over all functions until none applies.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/graph.h"
#include "passes/match.h"

namespace mote::passes {

// Rewrites at node n; whether it did.
using Rewrite = std::function<bool(Graph& g, NodeId n)>;

struct Rule {
  std::string op;
  Rewrite apply;
};

// Rewrites a match; whether it did.
using OnMatch = std::function<bool(Graph& g, NodeId root, const Match& m)>;
// A rule that tries patterns in order.
Rule pattern_rule(std::vector<std::string_view> patterns, OnMatch then);

// How many rewrites were made.
int apply_rules(Module& module, const OpLookup& ops, const std::vector<Rule>& rules);

}  // namespace mote::passes
