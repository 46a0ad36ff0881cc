// mote prune: a model with fewer channels.
#include <cstdio>

#include "base/text.h"
#include "cli.h"
#include "mote/quantize.h"
#include "samples.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  SampleOptions samples;
  std::string out, pattern = "channels", max_drop;
  double max_error = 0;
  PruneOptions with;
};

Json report_json(const Options& o, const PruneReport& r) {
  Json layers = Json::array();
  for (const PruneReport::Layer& l : r.layers)
    layers.push_back({{"name", l.name}, {"channels_before", l.channels_before}, {"channels_after", l.channels_after}});
  auto number = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"output", r.met ? Json(o.out) : Json(nullptr)},
          {"met", r.met},
          {"verdict", r.verdict},
          {"ratio", r.ratio},
          {"samples", r.samples},
          {"error", number(r.error)},
          {"labelled", r.labelled},
          {"accuracy_before", number(r.accuracy_before)},
          {"accuracy_after", number(r.accuracy_after)},
          {"bytes_before", r.bytes_before},
          {"bytes_after", r.bytes_after},
          {"macs_before", r.macs_before},
          {"macs_after", r.macs_after},
          {"layers", std::move(layers)}};
}

void print_report(const Options& o, const PruneReport& r) {
  Table table({"", "before", "after"}, {false, true, true});
  table.add({"weights", megabytes(static_cast<double>(r.bytes_before)), megabytes(static_cast<double>(r.bytes_after))});
  table.add({"multiply-adds", grouped(r.macs_before), grouped(r.macs_after)});
  if (r.accuracy_before)
    table.add({concat("right of ", r.labelled), fixed(*r.accuracy_before * 100, 2) + " %",
               fixed(*r.accuracy_after * 100, 2) + " %"});
  if (r.error) table.add({concat("cosine distance, ", r.samples, " samples"), "0", scientific(*r.error)});
  table.print();
  for (const PruneReport::Layer& l : r.layers) {
    if (l.channels_after != l.channels_before)
      std::printf("%s: %lld of %lld channels\n", l.name.c_str(), static_cast<long long>(l.channels_after),
                  static_cast<long long>(l.channels_before));
  }
  if (!r.verdict.empty()) say(r.verdict);
  if (r.met) say("wrote " + o.out);
}

Result<int> prune_model(Options& o) {
  if (o.pattern != "channels") {
    return unsupported("no kernel of Mote skips single weights that are 0: a " + o.pattern +
                       " pattern would make the model worse and no faster")
        .hint("--pattern channels makes the graph itself smaller");
  }
  MOTE_ASSIGN(FileFormat format, file_format(o.out));
  MOTE_ASSIGN(o.with.load, o.model.load());
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  o.with.threads = o.model.threads;
  o.with.progress = show_progress;
  MOTE_ASSIGN(o.with.max_drop, parse_drop(o.max_drop));
  if (o.max_error > 0) o.with.max_error = o.max_error;
  std::optional<Model> model;
  std::unique_ptr<SampleSource> samples;
  if (!o.samples.empty()) {
    MOTE_ASSIGN(model, load_model(o.model.path, o.with.load));
    MOTE_ASSIGN(samples, o.samples.open(*model, limits));
  }
  Result<PruneReport> report = prune(o.model.path, o.out, format, samples.get(), o.with);
  progress("");
  if (!report.ok()) return std::move(report).status();
  if (globals.json) {
    print_json(report_json(o, *report));
  } else {
    print_report(o, *report);
  }
  return report->met ? 0 : 1;
}

}  // namespace

void register_prune(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "prune", "remove channels that matter little, so that a model is smaller and faster",
                            "mote prune model.onnx -o small.onnx --images photos/ --max-drop 0.5%");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_option("-o,--output", o->out, "what to write: .onnx, .mote or .ir")->required();
  verb->add_option("--ratio", o->with.ratio, "the share of the channels that can go which goes")
      ->check(CLI::Range(0.0, 0.9));
  verb->add_option("--pattern", o->pattern, "channels; 2:4 and unstructured are refused, since they are not faster")
      ->check(CLI::IsMember({"channels", "2:4", "unstructured"}));
  verb->add_option("--include", o->with.include, "NODE or OP: only these lose channels")->take_all();
  verb->add_option("--exclude", o->with.exclude, "NODE or OP: these keep their channels")->take_all();
  auto* drop =
      verb->add_option("--max-drop", o->max_drop, "0.5%: remove as many as cost no more accuracy; needs labels");
  verb->add_option("--max-error", o->max_error, "remove as many as keep the cosine distance of the outputs below")
      ->check(CLI::PositiveNumber)
      ->excludes(drop);
  o->samples.add(*verb);
  set_action(*verb, exit_code, [o] { return prune_model(*o); });
}

}  // namespace mote::cli
