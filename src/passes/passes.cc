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
  MOTE_TRY(Inference(module).run());
  // What a pass leaves behind may be work for an earlier one.
  for (int round = 0, made = 1; round < kMaxRounds && made > 0; ++round) {
    made = 0;
    for (const Pass& p : kPasses) {
      if (contains(options.off, p.name) || (!options.only.empty() && !contains(options.only, p.name))) continue;
      int changes = p.run(module, ops);
      if (changes > 0 && options.report) options.report(p.name, changes);
      made += changes;
    }
  }
  return Inference(module).run();
}

}  // namespace mote
