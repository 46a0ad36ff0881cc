#include "quant/search.h"

#include <algorithm>

namespace mote::quant {
namespace {

constexpr std::int64_t kProbe = 64;  // samples that order the layers

}  // namespace

bool meets(const Agreement& a, const QuantizeOptions& options) {
  if (options.max_error && a.error() > *options.max_error) return false;
  // Counted in samples, so that the bound itself is within.
  double lost = static_cast<double>(a.right_a - a.right_b);
  return !options.max_drop || lost <= *options.max_drop * static_cast<double>(a.labelled) + 1e-9;
}

Result<std::map<NodeId, Sensitivity>> sensitivities(const Chosen& all, const Judge& judge,
                                                    const QuantizeOptions& options) {
  std::map<NodeId, Sensitivity> out;
  for (const Layer* l : all) {
    if (options.progress)
      options.progress("layers alone", static_cast<std::int64_t>(out.size()) + 1,
                       static_cast<std::int64_t>(all.size()));
    MOTE_ASSIGN(Agreement a, judge({l}, kProbe));
    Sensitivity s;
    s.error = a.error();
    if (a.labelled > 0) s.drop = a.accuracy_a() - a.accuracy_b();
    out[l->node] = s;
  }
  return out;
}

Result<Found> search(const Chosen& all, const Judge& judge, const QuantizeOptions& options) {
  Found found;
  found.chosen = all;
  MOTE_ASSIGN(found.agreement, judge(all, 0));
  if (options.max_drop && found.agreement.labelled == 0)
    return invalid("--max-drop needs samples with labels")
        .hint("images in a folder for each class, an array labels, or --max-error");
  if (meets(found.agreement, options)) return found;
  MOTE_ASSIGN(found.alone, sensitivities(all, judge, options));
  Chosen order = all;
  std::ranges::stable_sort(
      order, [&](const Layer* a, const Layer* b) { return found.alone[a->node].error < found.alone[b->node].error; });
  // The first `kept` of the order are quantized. `low` is known to do, `high` not to.
  std::size_t low = 0, high = order.size();
  Agreement of_low, of_high = found.agreement;
  while (high - low > 1) {
    std::size_t middle = (low + high) / 2;
    Chosen some(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(middle));
    if (options.progress)
      options.progress("searching, layers", static_cast<std::int64_t>(middle), static_cast<std::int64_t>(order.size()));
    MOTE_ASSIGN(Agreement a, judge(some, 0));
    bool fine = meets(a, options);
    (fine ? low : high) = middle;
    (fine ? of_low : of_high) = a;
  }
  found.met = low > 0;
  std::size_t kept = found.met ? low : high;
  found.agreement = found.met ? of_low : of_high;
  found.chosen.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
  std::ranges::sort(found.chosen, {}, [](const Layer* l) { return l->node; });
  return found;
}

}  // namespace mote::quant
