#include "passes/passes.h"

#include <algorithm>

#include "base/text.h"
#include "ir/infer.h"
#include "passes/list.h"

namespace mote {
namespace {

constexpr Pass kPasses[] = {
#define MOTE_PASS(name, doc) {#name, doc, passes::name},
#include "passes/passes.inc"
#undef MOTE_PASS
};

constexpr int kMaxRounds = 4;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Status run_passes(Module& module, const OpLookup& ops, const PassOptions& options) {
  for (const auto* names : {&options.off, &options.only}) {
    for (const std::string& name : *names) {
      if (std::ranges::none_of(kPasses, [&](const Pass& p) { return p.name == name; })) {
        return invalid("no pass is named " + quoted(name));
      }
    }
  }
  if (!options.inferred) MOTE_TRY(Inference(module).run());
  // What a pass leaves behind may be work for an earlier one. A pass whose work nobody has changed has none.
  int made = 0, left[std::size(kPasses)];
  std::ranges::fill(left, -1);
  for (int round = 0, before = -1; round < kMaxRounds && before != made; ++round) {
    before = made;
    for (std::size_t i = 0; i < std::size(kPasses); ++i) {
      const Pass& p = kPasses[i];
      if (contains(options.off, p.name) || (!options.only.empty() && !contains(options.only, p.name))) continue;
      if (left[i] == made) continue;
      int changes = p.run(module, ops);
      if (changes > 0 && options.report) options.report(p.name, changes);
      left[i] = made += changes;
    }
  }
  return made > 0 ? Inference(module).run() : Status();
}

}  // namespace mote
