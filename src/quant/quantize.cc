#include "quant/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "ir/infer.h"
#include "quant/blocks.h"
#include "quant/calibrate.h"
#include "quant/cost.h"
#include "quant/schemes.h"
#include "quant/search.h"
#include "quant/tighten.h"

namespace mote::quant {
namespace {

std::int64_t stored_bytes(const Constant& c) { return static_cast<std::int64_t>(c.size); }

// Of the constants that something reads.
std::int64_t constant_bytes(const Module& m) {
  std::vector<bool> used(m.constants.size(), false);
  for (const Function& f : m.functions) {
    auto read = [&](ValueId v) {
      if (ConstantId c = constant_of(f, v); c != kNone) used[at(c)] = true;
    };
    for (const Node& n : f.nodes) std::ranges::for_each(n.inputs, read);
    std::ranges::for_each(f.outputs, read);
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < used.size(); ++i) sum += used[i] ? stored_bytes(m.constants[i]) : 0;
  return sum;
}

std::string_view name_of(QuantizeScheme s) {
  constexpr std::string_view kNames[] = {"static", "dynamic", "weight-only-8", "weight-only-4", "f16"};
  return kNames[static_cast<int>(s)];
}

class Quantizer {
 public:
  Quantizer(Module m, SampleSource* samples, const QuantizeOptions& options, const Link& link)
      : float_(std::move(m)), samples_(samples), options_(options), link_(link) {}

  Result<Outcome> run() {
    MOTE_TRY(check());
    report_.scheme = name_of(options_.scheme);
    report_.bytes_before = constant_bytes(float_);
    MOTE_TRY(simplify_graph(float_));
    MOTE_TRY(tighten_weights());
    MOTE_ASSIGN(layers_, find_layers(float_, options_));
    Chosen chosen = possible();
    if (chosen.empty()) {
      std::string why = layers_.empty() ? "it has no node with weights" : layers_[0].name + ": " + layers_[0].stays;
      return unsupported("there is nothing to quantize by this scheme").hint(why);
    }
    MOTE_TRY(see_samples(chosen));
    MOTE_TRY(keep_fast(chosen));
    if (!chosen.empty()) {
      MOTE_TRY(choose(chosen));
    } else {
      report_.met = false;
      report_.verdict =
          "no layer is faster in 8 bits: nothing was written; --scheme weight-only-8 makes the file smaller";
    }
    MOTE_ASSIGN(Module quantized, made(chosen));
    if (options_.measure && report_.met) MOTE_TRY(time_whole(quantized));
    fill(chosen, quantized);
    return Outcome{std::move(quantized), std::move(report_)};
  }

 private:
  bool is_static() const { return options_.scheme == QuantizeScheme::kStatic; }
  bool bounded() const { return options_.max_drop || options_.max_error; }

  Status check() {
    MOTE_TRY(check_not_quantized(float_));
    if (!samples_ && is_static())
      return invalid("a static scheme needs samples to calibrate with")
          .hint("--images DIR, --inputs FILE.npz or --generator CMD; or --scheme dynamic, which needs none");
    bool needs = bounded() || options_.measure || options_.target || options_.gptq || options_.smooth > 0;
    if (!samples_ && needs)
      return invalid("bounds, measurements and what tightens ranges need samples")
          .hint("--images DIR, --inputs FILE.npz or --generator CMD");
    if ((options_.measure || options_.target) && !is_static())
      return invalid("layers are timed in the static scheme only").hint("--scheme static");
    if (options_.measure && options_.target)
      return invalid("what this CPU takes says nothing about " + options_.target->name)
          .hint("--measure without --target, or --target by its cost model alone");
    return {};
  }

  Status tighten_weights() {
    if (options_.equalize) equalize(float_);
    if (options_.smooth <= 0) return {};
    MOTE_ASSIGN(std::vector<Layer> layers, find_layers(float_, options_));
    MOTE_ASSIGN(Statistics seen, calibrate(float_, *samples_, options_, link_, layers));
    return smooth(float_, layers, seen, options_.smooth);
  }

  Chosen possible() const {
    Chosen out;
    for (const Layer& l : layers_) {
      if (l.can()) out.push_back(&l);
    }
    return out;
  }

  Status see_samples(const Chosen& chosen) {
    if (is_static()) {
      std::span<const Layer> by_channel;
      if (options_.bias_correction) by_channel = layers_;
      MOTE_ASSIGN(statistics_, calibrate(float_, *samples_, options_, link_, by_channel));
      report_.samples = statistics_.samples;
    }
    if (options_.scheme == QuantizeScheme::kWeightOnly4 && options_.gptq) {
      MOTE_ASSIGN(moments_, moments(float_, chosen, *samples_, options_, link_));
    }
    return {};
  }

  // Leaves layers in f32 that are so much slower in integers that f32 gains with the conversions around it.
  Status keep_fast(Chosen& chosen) {
    if (!options_.measure && !options_.target) return {};
    MOTE_ASSIGN(Module fixed, with_shapes_of(float_, *samples_));
    MOTE_ASSIGN(std::vector<Layer> of_fixed, find_layers(fixed, options_));
    Chosen fast;
    for (const Layer* l : chosen) {
      if (options_.progress)
        options_.progress("timing layers", static_cast<std::int64_t>(costs_.size()) + 1,
                          static_cast<std::int64_t>(chosen.size()));
      auto same = std::ranges::find(of_fixed, l->node, &Layer::node);
      if (same == of_fixed.end()) return internal_error("a layer is gone");
      LayerCost cost;
      if (options_.target) {
        cost = estimate(fixed, *same, *options_.target);
      } else {
        MOTE_ASSIGN(cost, measure(fixed, *same, options_, link_));
      }
      costs_[l->node] = cost;
      const CpuModel* cpu = options_.target ? &*options_.target : model_of(active_cpu());
      const double around = cpu ? estimate_around(fixed, *same, *cpu) : 0;
      if (cost.int8_us < cost.f32_us + around) {
        fast.push_back(l);
      } else {
        reasons_[l->node] = concat("8 bits take ", rounded(cost.int8_us), " us, f32 ", rounded(cost.f32_us),
                                   " us and conversions around it ", rounded(around), " us",
                                   options_.target ? ", by the model of " + options_.target->name : "");
      }
    }
    chosen = std::move(fast);
    return {};
  }

  static std::string rounded(double us) { return to_text(std::round(us * 100) / 100); }

  Status choose(Chosen& chosen) {
    if (!samples_) return {};
    MOTE_ASSIGN(Runner reference, Runner::create(float_, link_, options_.threads));
    Judge judge = [&](const Chosen& some, std::int64_t most) -> Result<Agreement> {
      MOTE_ASSIGN(Module m, made(some));
      MOTE_ASSIGN(Runner runner, Runner::create(std::move(m), link_, options_.threads));
      return agreement(reference, runner, *samples_, most);
    };
    Found found;
    if (bounded()) {
      MOTE_ASSIGN(found, search(chosen, judge, options_));
    } else {
      found.chosen = chosen;
      if (options_.progress) options_.progress("comparing", 0, 0);
      MOTE_ASSIGN(found.agreement, judge(chosen, 0));
    }
    if (options_.sensitivity && found.alone.empty()) {
      MOTE_ASSIGN(found.alone, sensitivities(chosen, judge, options_));
    }
    alone_ = found.alone;
    for (const Layer* l : chosen) {
      if (std::ranges::find(found.chosen, l) != found.chosen.end()) continue;
      reasons_[l->node] = concat("among the most sensitive: alone in ", report_.scheme,
                                 " it makes a cosine distance of ", to_text(static_cast<float>(alone_[l->node].error)));
    }
    chosen = found.chosen;
    score(found.agreement, found.met);
    return {};
  }

  void score(const Agreement& a, bool met) {
    report_.samples = a.samples;
    report_.error = a.error();
    report_.worst_error = a.worst_error;
    report_.labelled = a.labelled;
    if (a.labelled > 0) {
      report_.accuracy_before = a.accuracy_a();
      report_.accuracy_after = a.accuracy_b();
    }
    report_.met = met;
    if (met) return;
    std::string got = options_.max_drop
                          ? concat("accuracy drops by ", (a.accuracy_a() - a.accuracy_b()) * 100, " points")
                          : concat("the cosine distance is ", a.error());
    report_.verdict = "the bound cannot be met: with a single layer quantized " + got + "; nothing was written";
  }

  Status time_whole(const Module& quantized) {
    if (options_.progress) options_.progress("timing the model", 0, 0);
    MOTE_ASSIGN(auto times, measure_models(float_, quantized, *samples_, link_, options_.threads));
    report_.ms_before = times.first;
    report_.ms_after = times.second;
    if (times.second < times.first) return {};
    report_.met = false;
    report_.verdict = concat("a run takes ", times.second, " ms in 8 bits and ", times.first,
                             " ms in f32: nothing was written; --scheme weight-only-8 makes the file smaller");
    return {};
  }

  // The module with `chosen` quantized.
  Result<Module> made(const Chosen& chosen) {
    Module m = float_;
    switch (options_.scheme) {
      case QuantizeScheme::kStatic:
        MOTE_TRY(make_static(m, chosen, statistics_, options_));
        break;
      case QuantizeScheme::kDynamic:
        MOTE_TRY(make_dynamic(m, chosen, options_));
        break;
      case QuantizeScheme::kWeightOnly8:
        MOTE_TRY(make_weight_only_8(m, chosen, options_));
        break;
      case QuantizeScheme::kWeightOnly4:
        MOTE_TRY(make_weight_only_4(m, chosen, moments_, options_));
        break;
      case QuantizeScheme::kF16:
        MOTE_TRY(make_f16(m, chosen));
        break;
    }
    bool newer = options_.activations == DType::i16 || options_.scheme == QuantizeScheme::kWeightOnly4;
    if (newer) raise_opset(m, 21);
    MOTE_TRY(Inference(m).run());
    return m;
  }

  // 16 bits and blocks came with ONNX's opset 21.
  static void raise_opset(Module& m, int least) {
    for (auto& [key, value] : m.metadata) {
      if (key != "onnx.opset") continue;
      if (parse_int(value).value_or(0) < least) value = std::to_string(least);
      return;
    }
    m.metadata.emplace_back("onnx.opset", std::to_string(least));
  }

  // Bytes of a layer's weights as this scheme stores them.
  std::int64_t bytes_after(const Layer& l, std::int64_t before) const {
    std::int64_t weights = before / 4;
    switch (options_.scheme) {
      case QuantizeScheme::kF16:
        return weights * 2;
      case QuantizeScheme::kWeightOnly4:
        return weights / 2 + weights / options_.block * 9 / 2;
      default:
        return weights + 4 * (options_.per_channel ? l.channels : 1);
    }
  }

  void fill(const Chosen& chosen, const Module& quantized) {
    report_.bytes_after = constant_bytes(quantized);
    for (const Layer& l : layers_) {
      LayerReport row;
      row.name = l.name;
      row.op = main_function(float_).nodes[at(l.node)].op->name;
      row.quantized = std::ranges::find(chosen, &l) != chosen.end();
      row.why = reasons_.contains(l.node) && !row.quantized ? reasons_[l.node] : l.stays;
      row.macs = l.macs;
      for (std::size_t i : l.weight_inputs) {
        ConstantId c = constant_of(main_function(float_), input_of(main_function(float_).nodes[at(l.node)], i));
        if (c != kNone) row.bytes_before += stored_bytes(float_.constants[at(c)]);
      }
      row.bytes_after = row.quantized ? bytes_after(l, row.bytes_before) : row.bytes_before;
      if (auto it = alone_.find(l.node); it != alone_.end()) {
        row.error = it->second.error;
        row.drop = it->second.drop;
      }
      if (auto it = costs_.find(l.node); it != costs_.end()) {
        row.us_before = it->second.f32_us;
        row.us_after = it->second.int8_us;
      }
      report_.layers.push_back(std::move(row));
    }
  }

  Module float_;
  SampleSource* samples_;
  const QuantizeOptions& options_;
  const Link& link_;
  std::vector<Layer> layers_;
  Statistics statistics_;
  Moments moments_;
  std::map<NodeId, LayerCost> costs_;
  std::map<NodeId, std::string> reasons_;
  std::map<NodeId, Sensitivity> alone_;
  QuantizeReport report_;
};

}  // namespace

Result<Outcome> quantize(Module m, SampleSource* samples, const QuantizeOptions& options, const Link& link) {
  return Quantizer(std::move(m), samples, options, link).run();
}

}  // namespace mote::quant
