// mote quantize: a float model in fewer bits.
#include "mote/quantize.h"

#include <cstdio>

#include "base/text.h"
#include "cli.h"
#include "cpu_model.h"
#include "quantize_report.h"
#include "samples.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  SampleOptions samples;
  std::string out, scheme = "static", activations = "u8", calibration = "minmax", max_drop, report;
  double max_error = 0, smooth = 0;
  bool symmetric = false, per_tensor = false;
  QuantizeOptions with;
};

const std::map<std::string, QuantizeScheme> kSchemes = {{"static", QuantizeScheme::kStatic},
                                                        {"dynamic", QuantizeScheme::kDynamic},
                                                        {"weight-only-8", QuantizeScheme::kWeightOnly8},
                                                        {"weight-only-4", QuantizeScheme::kWeightOnly4},
                                                        {"f16", QuantizeScheme::kF16}};
const std::map<std::string, DType> kActivations = {{"u8", DType::u8}, {"s8", DType::i8}, {"s16", DType::i16}};
const std::map<std::string, Calibration> kCalibrations = {{"minmax", Calibration::kMinMax},
                                                          {"percentile", Calibration::kPercentile},
                                                          {"entropy", Calibration::kEntropy},
                                                          {"mse", Calibration::kMse}};

template <class Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> out;
  for (const auto& [k, v] : map) out.push_back(k);
  return out;
}

void print_report(const Options& o, const QuantizeReport& r) {
  std::int64_t done = 0;
  for (const LayerReport& l : r.layers) done += l.quantized;
  std::printf("%s: %lld of %zu layers\n", r.scheme.c_str(), static_cast<long long>(done), r.layers.size());
  Table table({"", "before", "after"}, {false, true, true});
  table.add({"weights", megabytes(static_cast<double>(r.bytes_before)), megabytes(static_cast<double>(r.bytes_after))});
  if (r.accuracy_before)
    table.add({concat("right of ", r.labelled), fixed(*r.accuracy_before * 100, 2) + " %",
               fixed(*r.accuracy_after * 100, 2) + " %"});
  if (r.ms_before) table.add({"ms a run", fixed(*r.ms_before, 3), fixed(*r.ms_after, 3)});
  if (r.error) table.add({concat("cosine distance, ", r.samples, " samples"), "0", scientific(*r.error)});
  table.print();
  for (const LayerReport& l : r.layers) {
    if (!l.quantized) std::printf("f32: %s (%s): %s\n", l.name.c_str(), l.op.c_str(), l.why.c_str());
  }
  if (!r.verdict.empty()) say(r.verdict);
  if (r.met) say("wrote " + o.out);
}

Result<int> quantize_model(Options& o) {
  MOTE_ASSIGN(FileFormat format, file_format(o.out));
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  load.target.clear();
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  QuantizeOptions& with = o.with;
  with.load = load;
  with.threads = o.model.threads;
  with.scheme = kSchemes.at(o.scheme);
  with.activations = kActivations.at(o.activations);
  with.calibration = kCalibrations.at(o.calibration);
  with.symmetric = o.symmetric;
  with.per_channel = !o.per_tensor;
  with.progress = show_progress;
  with.smooth = o.smooth;
  if (o.max_error > 0) with.max_error = o.max_error;
  MOTE_ASSIGN(with.max_drop, parse_drop(o.max_drop));
  if (!o.model.target.empty()) {
    MOTE_ASSIGN(with.target, cpu_model(o.model.target));
  }
  with.sensitivity = !o.report.empty() && !o.samples.empty();
  std::optional<Model> model;
  std::unique_ptr<SampleSource> samples;
  if (!o.samples.empty()) {
    MOTE_ASSIGN(model, load_model(o.model.path, load));
    MOTE_ASSIGN(samples, o.samples.open(*model, limits));
  }
  Result<QuantizeReport> report = quantize(o.model.path, o.out, format, samples.get(), with);
  progress("");
  if (!report.ok()) return std::move(report).status();
  if (!o.report.empty()) MOTE_TRY(write_report(o.report, *report, o.model.path, o.out));
  if (globals.json) {
    Json json = report_json(*report);
    json["output"] = report->met ? Json(o.out) : Json(nullptr);
    print_json(json);
  } else {
    print_report(o, *report);
  }
  return report->met ? 0 : 1;
}

}  // namespace

void register_quantize(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "quantize", "make a float model small and fast, in integers",
                            "mote quantize model.onnx -o small.onnx --images photos/");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_option("-o,--output", o->out, "what to write: .onnx, .mote or .ir")->required();
  verb->add_option("--scheme", o->scheme, "static, dynamic, weight-only-8, weight-only-4 or f16")
      ->check(CLI::IsMember(keys(kSchemes)));
  verb->add_option("--activations", o->activations, "u8, s8 or s16")->check(CLI::IsMember(keys(kActivations)));
  verb->add_flag("--symmetric", o->symmetric, "the zero point of activations in the middle");
  verb->add_flag("--per-tensor", o->per_tensor, "one scale for all weights of a layer instead of one per channel");
  verb->add_option("--weight-bits", o->with.weight_bits, "8, or 7 for engines whose 8-bit products saturate")
      ->check(CLI::Range(4, 8));
  verb->add_option("--block", o->with.block, "weight-only-4: weights that share a scale")->check(CLI::Range(16, 256));
  verb->add_option("--calibration", o->calibration, "minmax, percentile, entropy or mse")
      ->check(CLI::IsMember(keys(kCalibrations)));
  verb->add_option("--percentile", o->with.percentile, "how much of the values the range holds, in per cent")
      ->check(CLI::Range(50.0, 100.0));
  verb->add_option("--include", o->with.include, "NODE or OP: quantize only these")->take_all();
  verb->add_option("--exclude", o->with.exclude, "NODE or OP: leave these in f32")->take_all();
  verb->add_flag("--bias-correction", o->with.bias_correction, "take the mean error of rounded weights out of biases");
  verb->add_flag("--equalize", o->with.equalize, "give consecutive layers alike ranges in every channel");
  verb->add_option("--smooth", o->smooth,
                   "SmoothQuant: how much of the range of activations goes into weights, e.g. 0.5")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_flag("--gptq", o->with.gptq, "weight-only-4: later weights make up for what earlier ones lose");
  auto* drop = verb->add_option("--max-drop", o->max_drop, "0.5%: how much accuracy may be lost; needs labels");
  verb->add_option("--max-error", o->max_error, "the largest cosine distance of the outputs")
      ->check(CLI::PositiveNumber)
      ->excludes(drop);
  verb->add_flag("--measure", o->with.measure, "leave layers in f32 where this CPU is not faster in 8 bits");
  verb->add_option("--report", o->report, "write what became of every layer, as .html with plots or as .json");
  verb->get_option("--target")
      ->description("a CPU to quantize for, by its cost model: " + join(known_cpus()) + ", or FILE.toml");
  o->samples.add(*verb);
  set_action(*verb, exit_code, [o] { return quantize_model(*o); });
}

}  // namespace mote::cli
