#include "quant/prune.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "ir/infer.h"
#include "quant/calibrate.h"
#include "quant/schemes.h"
#include "quant/search.h"
#include "quant/spaces.h"
#include "quant/weights.h"

namespace mote::quant {
namespace {

constexpr int kSteps = 6;              // of the bisection
constexpr std::int64_t kMultiple = 4;  // channels are kept in such numbers where there are enough

struct Channel {
  std::size_t space;
  std::int64_t index;
  double share;  // of the mean norm in its space
};

class Pruner {
 public:
  Pruner(Module m, SampleSource* samples, const PruneOptions& options, const Link& link)
      : float_(std::move(m)), samples_(samples), options_(options), link_(link) {}

  Result<Pruned> run() {
    MOTE_TRY(check_not_quantized(float_));
    MOTE_TRY(simplify_graph(float_));
    MOTE_ASSIGN(layers_, find_layers(float_, names()));
    spaces_ = find_spaces(float_, layers_);
    std::erase_if(spaces_, [](const Space& s) {
      return s.channels < 2 * kMultiple || std::ranges::any_of(s.makers, [](const Layer* l) { return !l->can(); });
    });
    if (spaces_.empty())
      return unsupported("no channels can go: none is made and read by convolutions and products alone");
    MOTE_TRY(rank());
    if (samples_) {
      MOTE_ASSIGN(statistics_, calibrate(float_, *samples_, names(), link_, layers_));
    }
    double ratio = options_.ratio;
    if (options_.max_drop || options_.max_error) {
      MOTE_ASSIGN(ratio, find_ratio());
    }
    report_.ratio = ratio;
    MOTE_ASSIGN(Module made, without(ratio));
    if (samples_ && report_.met) {
      MOTE_ASSIGN(Agreement a, judge(made));
      score(a);
    }
    count(made);
    return Pruned{std::move(made), std::move(report_)};
  }

 private:
  QuantizeOptions names() const {
    QuantizeOptions o;
    o.include = options_.include;
    o.exclude = options_.exclude;
    o.threads = options_.threads;
    o.max_drop = options_.max_drop;
    o.max_error = options_.max_error;
    o.progress = options_.progress;
    return o;
  }

  Status rank() {
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      std::vector<double> norms(static_cast<std::size_t>(spaces_[s].channels), 0);
      for (const auto* list : {&spaces_[s].makers, &spaces_[s].depthwise}) {
        for (const Layer* l : *list) {
          MOTE_ASSIGN(Floats w, read_floats(float_, l->weights));
          Channels out(w.shape, l->axis);
          std::vector<double> squares(norms.size(), 0);
          double sum = 0;
          for (std::size_t i = 0; i < w.data.size(); ++i)
            squares[out(i)] += static_cast<double>(w.data[i]) * static_cast<double>(w.data[i]);
          for (double& q : squares) sum += q = std::sqrt(q);
          for (std::size_t c = 0; c < norms.size(); ++c) norms[c] += sum > 0 ? squares[c] / sum : 0;
        }
      }
      for (std::size_t c = 0; c < norms.size(); ++c) {
        order_.push_back({s, static_cast<std::int64_t>(c), norms[c] * static_cast<double>(norms.size())});
      }
    }
    std::ranges::stable_sort(order_, {}, &Channel::share);
    return {};
  }

  // Channels of every space that stay when `ratio` of all go.
  std::vector<std::vector<std::int64_t>> kept(double ratio) const {
    std::vector<std::set<std::int64_t>> gone(spaces_.size());
    std::size_t wanted = static_cast<std::size_t>(ratio * static_cast<double>(order_.size()) + 0.5), taken = 0;
    for (const Channel& c : order_) {
      if (taken >= wanted) break;
      std::int64_t most = spaces_[c.space].channels - std::max(kMultiple, spaces_[c.space].channels / 8);
      if (static_cast<std::int64_t>(gone[c.space].size()) >= most) continue;
      gone[c.space].insert(c.index);
      ++taken;
    }
    std::vector<std::vector<std::int64_t>> out(spaces_.size());
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      std::int64_t stay = spaces_[s].channels - static_cast<std::int64_t>(gone[s].size());
      std::int64_t rounded = std::min((stay + kMultiple - 1) / kMultiple * kMultiple, spaces_[s].channels);
      // The best of those that were to go come back.
      for (auto it = order_.rbegin(); it != order_.rend() && stay < rounded; ++it) {
        if (it->space == s && gone[s].erase(it->index) > 0) ++stay;
      }
      for (std::int64_t c = 0; c < spaces_[s].channels; ++c) {
        if (!gone[s].contains(c)) out[s].push_back(c);
      }
    }
    return out;
  }

  // `w` with these positions of an axis alone; each stands for `repeat` in a row.
  static Floats sliced(const Floats& w, int axis, const std::vector<std::int64_t>& keep, std::int64_t repeat) {
    Floats out;
    out.shape = w.shape;
    out.shape[at(axis)] = static_cast<std::int64_t>(keep.size()) * repeat;
    std::size_t inner = static_cast<std::size_t>(repeat), outer = 1;
    for (std::size_t i = 0; i < w.shape.size(); ++i) {
      if (static_cast<int>(i) < axis) outer *= static_cast<std::size_t>(w.shape[i]);
      if (static_cast<int>(i) > axis) inner *= static_cast<std::size_t>(w.shape[i]);
    }
    std::size_t row = w.data.size() / std::max<std::size_t>(outer, 1);
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::int64_t c : keep) {
        auto from = w.data.begin() + static_cast<std::ptrdiff_t>(o * row + static_cast<std::size_t>(c) * inner);
        out.data.insert(out.data.end(), from, from + static_cast<std::ptrdiff_t>(inner));
      }
    }
    return out;
  }

  // What goes on average from the channels of `x` that are gone, into the biases of a reader.
  void leave_behind(const Layer& l, const Floats& w, const std::vector<std::int64_t>& keep, std::int64_t repeat,
                    Floats& bias) {
    auto it = statistics_.means.find(l.x);
    if (it == statistics_.means.end()) return;
    int axis = l.kind == Layer::Kind::kConv ? 1 : 1 - l.axis;
    Channels in(w.shape, axis), out(w.shape, l.axis);
    std::vector<bool> stays(in.extent(), false);
    for (std::int64_t c : keep) {
      for (std::int64_t r = 0; r < repeat; ++r) stays[static_cast<std::size_t>(c * repeat + r)] = true;
    }
    if (it->second.size() != in.extent()) return;
    for (std::size_t i = 0; i < w.data.size(); ++i) {
      if (stays[in(i)]) continue;
      bias.data[out(i)] += static_cast<float>(static_cast<double>(w.data[i]) * it->second[in(i)]);
    }
  }

  Result<Module> without(double ratio) {
    std::vector<std::vector<std::int64_t>> keep = kept(ratio);
    std::map<const Layer*, Floats> weights, biases;
    auto load = [&](const Layer* l) -> Status {
      if (weights.contains(l)) return {};
      MOTE_ASSIGN(weights[l], read_floats(float_, l->weights));
      if (l->bias != kNone) {
        MOTE_ASSIGN(biases[l], read_floats(float_, l->bias));
      } else if (samples_ && l->kind != Layer::Kind::kMatmul) {
        biases[l] = {{l->channels}, std::vector<float>(static_cast<std::size_t>(l->channels), 0.0f)};
      }
      return {};
    };
    // Readers first: means are counted by the channels as they were.
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      for (const Space::Reader& r : spaces_[s].readers) {
        MOTE_TRY(load(r.layer));
        auto b = biases.find(r.layer);
        bool whole = b != biases.end() && static_cast<std::int64_t>(b->second.data.size()) == r.layer->channels;
        if (whole) leave_behind(*r.layer, weights[r.layer], keep[s], r.repeat, b->second);
        int axis = r.layer->kind == Layer::Kind::kConv ? 1 : 1 - r.layer->axis;
        weights[r.layer] = sliced(weights[r.layer], axis, keep[s], r.repeat);
      }
    }
    Module m = float_;
    Function& f = main_function(m);
    for (std::size_t s = 0; s < spaces_.size(); ++s) {
      std::int64_t left = static_cast<std::int64_t>(keep[s].size());
      for (const auto* list : {&spaces_[s].makers, &spaces_[s].depthwise}) {
        for (const Layer* l : *list) {
          MOTE_TRY(load(l));
          weights[l] = sliced(weights[l], l->axis, keep[s], 1);
          auto b = biases.find(l);
          if (b != biases.end() && static_cast<std::int64_t>(b->second.data.size()) == spaces_[s].channels)
            b->second = sliced(b->second, static_cast<int>(b->second.shape.size()) - 1, keep[s], 1);
          if (l->group != 1) f.nodes[at(l->node)].attrs.set("group", left);
        }
      }
    }
    for (auto& [l, w] : weights) {
      Node& n = f.nodes[at(l->node)];
      n.inputs[1] = value_of(m, f, add_floats(m, m.constants[at(l->weights)].name, w));
      auto b = biases.find(l);
      if (b == biases.end()) continue;
      std::string name = l->bias != kNone ? m.constants[at(l->bias)].name : l->name + "_bias";
      n.inputs.resize(std::max<std::size_t>(n.inputs.size(), 3), kNone);
      n.inputs[2] = value_of(m, f, add_floats(m, name, b->second));
    }
    MOTE_TRY(fix_shapes(m));
    return m;
  }

  // Types behind the layers are other ones now; reshapes that state the number of channels ask for the rest instead.
  Status fix_shapes(Module& m) {
    Function& f = main_function(m);
    std::set<ValueId> outputs(f.outputs.begin(), f.outputs.end());
    for (Node& n : f.nodes) {
      for (ValueId v : n.outputs) {
        if (v != kNone && !outputs.contains(v)) f.values[at(v)].type = Type::tensor(DType::none);
      }
      if (n.op->name != "reshape") continue;
      ConstantId c = constant_of(f, n.inputs[1]);
      std::optional<std::vector<std::int64_t>> to = c == kNone ? std::nullopt : small_ints(m.constants[at(c)]);
      bool open = to && std::ranges::find(*to, -1) != to->end();
      if (!to || to->size() != 2 || (open && (*to)[1] == -1)) continue;
      (*to)[1] = -1;
      if ((*to)[0] == -1) (*to)[0] = 0;  // as it was
      ConstantId made =
          m.add_constant(n.name + "_shape", DType::i64, {2}, to_bytes(std::span<const std::int64_t>(*to)));
      n.inputs[1] = value_of(m, f, made);
    }
    return Inference(m).run();
  }

  Result<Agreement> judge(const Module& made) {
    MOTE_ASSIGN(Runner a, Runner::create(float_, link_, options_.threads));
    MOTE_ASSIGN(Runner b, Runner::create(made, link_, options_.threads));
    return agreement(a, b, *samples_, 0);
  }

  Result<double> find_ratio() {
    if (!samples_)
      return invalid("a bound needs samples").hint("--images DIR, --inputs FILE.npz or --generator CMD; or --ratio");
    double low = 0, high = 0.9;
    QuantizeOptions bounds = names();
    for (int i = 0; i < kSteps; ++i) {
      double middle = i == 0 ? options_.ratio : (low + high) / 2;
      if (options_.progress) options_.progress("searching, step", i + 1, kSteps);
      MOTE_ASSIGN(Module made, without(middle));
      MOTE_ASSIGN(Agreement a, judge(made));
      if (options_.max_drop && a.labelled == 0)
        return invalid("--max-drop needs samples with labels")
            .hint("images in a folder for each class, an array labels, or --max-error");
      bool fine = meets(a, bounds);
      (fine ? low : high) = middle;
      if (!fine) score(a);
    }
    report_.met = low > 0;
    if (!report_.met)
      report_.verdict = concat("the bound cannot be met: removing ", std::round(high * 1000) / 10,
                               " % of the channels goes beyond it; nothing was written");
    return low > 0 ? low : high;
  }

  void score(const Agreement& a) {
    report_.samples = a.samples;
    report_.error = a.error();
    report_.labelled = a.labelled;
    if (a.labelled == 0) return;
    report_.accuracy_before = a.accuracy_a();
    report_.accuracy_after = a.accuracy_b();
  }

  void count(const Module& made) {
    Result<std::vector<Layer>> after = find_layers(made, {});
    for (const Layer& l : layers_) {
      PruneReport::Layer row;
      row.name = l.name;
      row.channels_before = row.channels_after = l.channels;
      report_.macs_before += l.macs;
      if (l.weights != kNone) report_.bytes_before += static_cast<std::int64_t>(float_.constants[at(l.weights)].size);
      if (after.ok()) {
        auto it = std::ranges::find(*after, l.node, &Layer::node);
        if (it != after->end()) {
          row.channels_after = it->channels;
          report_.macs_after += it->macs;
          if (it->weights != kNone)
            report_.bytes_after += static_cast<std::int64_t>(made.constants[at(it->weights)].size);
        }
      }
      report_.layers.push_back(std::move(row));
    }
  }

  Module float_;
  SampleSource* samples_;
  const PruneOptions& options_;
  const Link& link_;
  std::vector<Layer> layers_;
  std::vector<Space> spaces_;
  std::vector<Channel> order_;  // least first
  Statistics statistics_;
  PruneReport report_;
};

}  // namespace

Result<Pruned> prune(Module m, SampleSource* samples, const PruneOptions& options, const Link& link) {
  return Pruner(std::move(m), samples, options, link).run();
}

}  // namespace mote::quant
