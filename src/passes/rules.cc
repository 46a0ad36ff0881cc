#include "passes/rules.h"

#include <algorithm>
#include <cassert>
#include <unordered_map>

namespace mote::passes {
namespace {

constexpr int kMaxSweeps = 32;

}  // namespace

Rule pattern_rule(std::vector<std::string_view> texts, OnMatch then) {
  std::string op(texts[0].substr(0, texts[0].find('(')));
  // Parsed with the first node of that op: most networks have none.
  return {op, [texts = std::move(texts), op, patterns = std::vector<Pattern>(), then = std::move(then)](
                  Graph& g, NodeId n) mutable {
            if (patterns.empty()) patterns = std::vector<Pattern>(texts.begin(), texts.end());
            for (const Pattern& p : patterns) {
              assert(p.valid() && p.op() == op);
              if (std::optional<Match> m = p.match(g, n); m && then(g, n, *m)) return true;
            }
            return false;
          }};
}

int apply_rules(Module& module, const OpLookup& ops, const std::vector<Rule>& rules) {
  std::unordered_map<const Op*, std::vector<const Rewrite*>> by_op;
  for (const Rule& r : rules) {
    if (const Op* op = ops.find(r.op)) by_op[op].push_back(&r.apply);
  }
  int total = 0;
  for (std::size_t f = 0; f < module.functions.size(); ++f) {
    if (std::ranges::none_of(module.functions[f].nodes, [&](const Node& n) { return by_op.contains(n.op); })) continue;
    Graph g(module, static_cast<FunctionId>(f), ops);
    int before = -1;
    for (int sweep = 0; sweep < kMaxSweeps && before != total; ++sweep) {
      before = total;
      for (NodeId n = g.first(); n != kNone; n = g.next(n)) {
        auto it = by_op.find(g.node(n).op);
        if (it == by_op.end()) continue;
        for (const Rewrite* r : it->second) {
          if (!g.alive(n)) break;
          if ((*r)(g, n)) ++total;
        }
      }
    }
    g.finish();
  }
  return total;
}

}  // namespace mote::passes
