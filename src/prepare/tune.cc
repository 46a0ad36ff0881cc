#include "prepare/tune.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "base/cpu.h"
#include "base/text.h"
#include "base/thread_pool.h"
#include "kernels/tiling.h"
#include "plan/hash.h"
#include "prepare/tune_cache.h"
#include "runtime/context.h"

namespace mote {
namespace {

using kernels::kTilingCount;

constexpr std::int64_t kBudgetNs = 1'500'000'000;  // for measuring the steps, and as much to judge all departures
constexpr int kLeastRounds = 5, kMostRounds = 60;
// What part of the usual time a choice may take to be clearly faster, and what the gain must be worth.
constexpr double kClearly = 0.95;
constexpr std::int64_t kLeastGainNs = 300;

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

PlanFunction& entry_of(Plan& plan) { return plan.functions[at(plan.signatures.front().function)]; }

// The steps of the entry point that have a choice, and where their params hold it.
struct Choice {
  std::size_t step, offset;
  std::uint64_t key;
};

void set_tiling(PlanFunction& f, const Choice& c, std::int32_t tiling) {
  std::memcpy(f.steps[c.step].params.data() + c.offset, &tiling, sizeof tiling);
}

// What the answer depends on: the machine, the kernel, its params but for the choice, and how its operands lie.
std::uint64_t key_of(const PlanFunction& f, const Step& step, const Kernel& kernel, int threads) {
  std::string text = concat(host_cpu().model, "|", name_of(active_cpu().best()), "|", threads, "|", kernel.name, "|",
                            kernel.version, "|");
  std::vector<std::byte> params = step.params;
  std::memset(params.data() + kernel.tiling, 0, sizeof(std::int32_t));
  text.append(reinterpret_cast<const char*>(params.data()), params.size());
  for (const auto* list : {&step.inputs, &step.outputs}) {
    for (std::int32_t v : *list) {
      if (v == kNone) {
        text += "|-";
        continue;
      }
      const PlanValue& value = f.values[at(v)];
      text += concat("|", name_of(value.dtype));
      for (Extent e : value.dims) text += concat(",", e);
      for (std::uint8_t axis : value.perm) text += concat("p", static_cast<int>(axis));
      for (Extent e : value.strides) text += concat("s", e);
    }
  }
  return hash64(std::as_bytes(std::span(text)));
}

std::vector<Choice> choices_of(const LinkedPlan& linked, int threads) {
  std::vector<Choice> out;
  const PlanFunction& f = linked.plan.functions[at(linked.plan.signatures.front().function)];
  for (std::size_t i = 0; i < f.steps.size(); ++i) {
    const Step& s = f.steps[i];
    if (s.kind != Step::Kind::kKernel || s.late) continue;
    const Kernel& k = *linked.kernels[at(s.kernel)];
    if (k.tiling == 0 || s.params.size() < k.tiling + sizeof(std::int32_t)) continue;
    out.push_back({i, k.tiling, key_of(f, s, k, threads)});
  }
  return out;
}

// A plan made ready to run on inputs of its own, with the times of its steps.
class Runner {
 public:
  static Result<std::unique_ptr<Runner>> make(Plan plan, const TuneOptions& options) {
    auto r = std::make_unique<Runner>();
    MOTE_ASSIGN(auto linked, options.link(std::move(plan)));
    ContextOptions with;
    with.threads = options.threads;
    MOTE_ASSIGN(r->context_, Context::create(std::move(linked), with));
    MOTE_TRY(r->bind());
    return r;
  }

  // One run; its steps' times so far become the least of theirs and those.
  Status run(std::vector<std::int64_t>& least) {
    times_.clear();
    context_->set_profile(&times_);
    MOTE_TRY(context_->run());
    const PlanSignature& signature = context_->linked().plan.signatures.front();
    const std::vector<Step>& steps = context_->linked().plan.functions[at(signature.function)].steps;
    least.resize(steps.size(), std::numeric_limits<std::int64_t>::max());
    for (const StepTime& t : times_) {
      if (t.step < steps.data() || t.step >= steps.data() + steps.size()) continue;  // of a body
      std::int64_t& now = least[static_cast<std::size_t>(t.step - steps.data())];
      now = std::min(now, t.duration_ns);
    }
    return {};
  }
  // One run without a profile: nanoseconds.
  Result<std::int64_t> run_whole() {
    context_->set_profile(nullptr);
    const std::int64_t start = Stop::now_ns();
    MOTE_TRY(context_->run());
    return Stop::now_ns() - start;
  }

 private:
  // Floats between -1 and 1, and zeros, which are an index into anything.
  Status bind() {
    for (int i = 0; i < context_->input_count(); ++i) {
      if (context_->is_state_input(i)) continue;
      const PlanValue& in = context_->input_info(i);
      const auto refuse = [&](const char* why) {
        return invalid(concat("input ", quoted(in.name), why)).hint("fix its extents with --shape or --dim to tune");
      };
      if (in.kind != Type::Kind::kTensor || in.dtype == DType::string) return refuse(" is no tensor of numbers");
      if (in.rank < 0) return refuse(" has no fixed rank");
      if (std::ranges::any_of(in.dims, [](Extent e) { return e < 0; }))
        return refuse(" has extents that are not fixed");
      TensorView view = TensorView::of(nullptr, in.dtype, in.dims);
      std::vector<std::byte>& bytes = inputs_.emplace_back(static_cast<std::size_t>(view.bytes()));
      if (in.dtype == DType::f32) {
        std::uint32_t state = 1;
        for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
          state = state * 1664525u + 1013904223u;
          const float v = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31f;
          std::memcpy(bytes.data() + at, &v, 4);
        }
      }
      view.data = bytes.data();
      MOTE_TRY(context_->set_input(i, view));
    }
    return {};
  }

  std::unique_ptr<Context> context_;
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<StepTime> times_;
};

// Measures all choices by running the plan with every tiling in turns: per choice the best one, and how it compares.
struct Verdict {
  std::int32_t tiling = 0;
  double ratio = 1;
};

Result<std::vector<Verdict>> measure(const Plan& plan, std::span<const Choice> open, const TuneOptions& options) {
  std::array<std::unique_ptr<Runner>, kTilingCount> runners;
  std::array<std::vector<std::int64_t>, kTilingCount> least;
  for (std::int32_t t = 0; t < kTilingCount; ++t) {
    Plan variant = plan;
    for (const Choice& c : open) set_tiling(entry_of(variant), c, t);
    MOTE_ASSIGN(runners[at(t)], Runner::make(std::move(variant), options));
    MOTE_TRY(runners[at(t)]->run_whole().status());
  }
  const std::int64_t end = Stop::now_ns() + kBudgetNs;
  for (int round = 0; round < kLeastRounds || (round < kMostRounds && Stop::now_ns() < end); ++round) {
    for (std::size_t t = 0; t < runners.size(); ++t) MOTE_TRY(runners[t]->run(least[t]));
  }
  std::vector<Verdict> out;
  for (const Choice& c : open) {
    Verdict v;
    const std::int64_t usual = least[0][c.step];
    for (std::int32_t t = 1; t < kTilingCount; ++t) {
      const std::int64_t time = least[at(t)][c.step];
      const double ratio = static_cast<double>(time) / static_cast<double>(std::max<std::int64_t>(usual, 1));
      if (ratio < kClearly && usual - time >= kLeastGainNs && ratio < v.ratio) v = {t, ratio};
    }
    out.push_back(v);
  }
  return out;
}

// Whether `tuned` runs faster than `usual`, as whole plans.
Result<bool> is_faster(const Plan& usual, const Plan& tuned, const TuneOptions& options) {
  MOTE_ASSIGN(std::unique_ptr<Runner> a, Runner::make(usual, options));
  MOTE_ASSIGN(std::unique_ptr<Runner> b, Runner::make(tuned, options));
  std::int64_t least[2] = {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()};
  const std::int64_t end = Stop::now_ns() + kBudgetNs;
  for (int round = 0; round < 2 * kLeastRounds || (round < 4 * kMostRounds && Stop::now_ns() < end); ++round) {
    int which = 0;
    for (Runner* r : {a.get(), b.get()}) {
      MOTE_ASSIGN(std::int64_t time, r->run_whole());
      least[which] = std::min(least[which], time);
      ++which;
    }
  }
  return least[1] < least[0];
}

}  // namespace

Result<TuneReport> tune(Plan& plan, const TuneOptions& options) {
  MOTE_ASSIGN(std::shared_ptr<const LinkedPlan> linked, options.link(plan));
  const int threads = options.threads > 0 ? options.threads : allowed_threads();
  const std::vector<Choice> choices = choices_of(*linked, threads);
  linked.reset();
  TuneCache cache;
  if (!options.cache.empty()) {
    MOTE_ASSIGN(cache, TuneCache::read(options.cache));
  }
  TuneReport report;
  report.steps = static_cast<int>(choices.size());
  std::vector<Choice> open;
  for (const Choice& c : choices) {
    if (!cache.answers.contains(c.key)) open.push_back(c);
  }
  report.known = report.steps - static_cast<int>(open.size());
  std::map<std::uint64_t, double> ratios;
  if (!open.empty()) {
    MOTE_ASSIGN(std::vector<Verdict> verdicts, measure(plan, open, options));
    Plan tuned = plan;
    bool departs = false;
    for (std::size_t i = 0; i < open.size(); ++i) {
      set_tiling(entry_of(tuned), open[i], verdicts[i].tiling);
      departs = departs || verdicts[i].tiling != 0;
    }
    bool keep = false;
    if (departs) {
      MOTE_ASSIGN(keep, is_faster(plan, tuned, options));
    }
    TuneCache found;
    for (std::size_t i = 0; i < open.size(); ++i) {
      found.answers[open[i].key] = keep ? verdicts[i].tiling : 0;
      ratios[open[i].key] = verdicts[i].ratio;
    }
    cache.answers.insert(found.answers.begin(), found.answers.end());
    if (!options.cache.empty()) MOTE_TRY(found.write(options.cache));
  }
  PlanFunction& f = entry_of(plan);
  for (const Choice& c : choices) {
    const std::int32_t tiling = cache.answers[c.key];
    set_tiling(f, c, tiling);
    if (tiling == 0) continue;
    ++report.departed;
    std::string& why = f.steps[c.step].why;
    why += concat(", tuned: ", kernels::kTilingNames[tiling]);
    auto ratio = ratios.find(c.key);
    why += ratio == ratios.end() ? std::string(" (as measured before)")
                                 : concat(" (", static_cast<int>(ratio->second * 100 + 0.5), "% of the usual time)");
  }
  return report;
}

}  // namespace mote
