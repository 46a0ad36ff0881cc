// mote compare: two models, a model on two targets, or a model and the right answers.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "difference.h"
#include "media/npz.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  ImageOptions images;
  ArrayOptions arrays;
  std::string other, golden;
  Tolerance tolerance;
  bool layers = false;
};

// The values of all steps in one run, by name. What runs several times has "name#2" and so on.
struct Layer {
  std::string name, op;
  DType dtype = DType::none;
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};
struct Layers {
  std::vector<Layer> list;
  std::map<std::string, std::size_t> index;
};

struct Side {
  std::vector<media::Array> outputs;
  std::vector<Layers> layers;  // per run
};

void record_layers(Session& session, Layers& into) {
  session.set_step_hook([&into, counts = std::map<std::string, int>()](const StepResult& step) mutable -> Status {
    for (const StepResult::Output& out : step.outputs) {
      if (!out.view.data || out.name.empty()) continue;
      std::string name(out.name);
      if (int n = ++counts[name]; n > 1) name += "#" + std::to_string(n);
      std::vector<double> values = to_doubles(out.view);
      if (values.empty()) continue;
      // A copy into another layout has its value's name; the last one counts.
      auto [it, is_new] = into.index.emplace(name, into.list.size());
      if (is_new) into.list.emplace_back();
      into.list[it->second] = {name,
                               std::string(step.op),
                               out.view.dtype,
                               {out.view.dims, out.view.dims + out.view.rank},
                               std::move(values)};
    }
    return {};
  });
}

Result<Side> run_side(const Options& o, const std::string& path, const std::string& target) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(load.overrides, o.arrays.names());
  MOTE_ASSIGN(RunOptions run, o.model.run());
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  load.target = target;
  if (target == "reference") load.optimise = false;
  progress("running " + path + " ...");
  MOTE_ASSIGN(Model model, load_model(path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session(model));
  MOTE_ASSIGN(Session session, model.session(with));
  MOTE_ASSIGN(std::vector<media::Array> arrays, o.arrays.read(limits));
  std::vector<media::Array> batches;
  if (!o.images.files.empty()) {
    MOTE_ASSIGN(batches, o.images.batches(model, session.inputs(), arrays, limits));
    arrays.emplace_back();
  }
  Side side;
  std::vector<std::vector<media::Array>> results;
  side.layers.resize(std::max<std::size_t>(batches.size(), 1));
  for (std::size_t b = 0; b < side.layers.size(); ++b) {
    if (!batches.empty()) arrays.back() = std::move(batches[b]);
    MOTE_TRY(bind_inputs(session, arrays));
    if (o.layers) record_layers(session, side.layers[b]);
    MOTE_TRY(session.run(run));
    MOTE_ASSIGN(auto outputs, output_arrays(session));
    results.push_back(std::move(outputs));
  }
  MOTE_ASSIGN(side.outputs, joined_outputs(std::move(results)));
  return side;
}

Result<std::vector<media::Array>> read_golden(const Options& o) {
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  MOTE_ASSIGN(FileMap file, FileMap::open(o.golden));
  Result<std::vector<media::Array>> arrays = media::read_npz(file.bytes(), limits);
  if (!arrays.ok()) return std::move(arrays).status().at(o.golden);
  return arrays;
}

struct Row {
  std::string name, op;
  Difference difference;
};

// Every array of `right` has its output: by name, or as out_0, out_1 ... by position.
Result<std::vector<Row>> compare_outputs(const Options& o, const std::vector<media::Array>& got,
                                         const std::vector<media::Array>& right, const std::string& right_name) {
  std::vector<Row> rows;
  for (const media::Array& want : right) {
    auto it = std::find_if(got.begin(), got.end(), [&](const media::Array& a) { return a.name == want.name; });
    if (it == got.end() && want.name.starts_with("out_")) {
      auto position = parse_int(std::string_view(want.name).substr(4));
      if (position && *position >= 0 && *position < static_cast<std::int64_t>(got.size())) it = got.begin() + *position;
    }
    if (it == got.end()) {
      std::vector<std::string> names;
      for (const media::Array& a : got) names.push_back("'" + a.name + "'");
      return invalid("the model gives no output named " + mote::quoted(want.name))
          .at(right_name)
          .hint("its outputs are: " + join(names));
    }
    rows.push_back({it->name, "", difference(*it, want, o.tolerance)});
  }
  if (rows.empty()) return invalid("there is nothing to compare with").at(right_name);
  return rows;
}

// The values that both sides have, in the order of `a`.
std::vector<Row> compare_layers(const Options& o, const Side& a, const Side& b) {
  std::vector<Row> rows;
  for (std::size_t r = 0; r < std::min(a.layers.size(), b.layers.size()); ++r) {
    for (const Layer& x : a.layers[r].list) {
      auto it = b.layers[r].index.find(x.name);
      if (it == b.layers[r].index.end()) continue;
      const Layer& y = b.layers[r].list[it->second];
      if (x.shape != y.shape) continue;
      rows.push_back({r == 0 ? x.name : concat(x.name, " (run ", r + 1, ")"), x.op,
                      difference(x.values, y.values, y.dtype, o.tolerance)});
    }
  }
  return rows;
}

Json to_json(const std::vector<Row>& rows, const char* key) {
  Json list = Json::array();
  for (const Row& r : rows) {
    Json row = {{key, r.name}};
    if (!r.op.empty()) row["op"] = r.op;
    const Difference& d = r.difference;
    row.update(
        {{"max_abs", d.max_abs}, {"mean_abs", d.mean_abs}, {"max_ulp", d.max_ulp}, {"cosine", d.cosine}, {"ok", d.ok}});
    if (!d.reason.empty()) row["reason"] = d.reason;
    list.push_back(std::move(row));
  }
  return list;
}

void print(const std::vector<Row>& rows, const char* title) {
  Table table({title, "max abs", "mean abs", "max ulp", "cosine", "ok"}, {false, true, true, true, true});
  for (const Row& r : rows) {
    const Difference& d = r.difference;
    const char *red = globals.colour && !d.ok ? "\033[31m" : "", *off = globals.colour && !d.ok ? "\033[0m" : "";
    std::string verdict = d.ok ? "yes" : concat(red, "NO", off, d.reason.empty() ? "" : " ", d.reason);
    table.add({clean_text(r.name, 80), scientific(d.max_abs), scientific(d.mean_abs), fixed(d.max_ulp, 0),
               fixed(d.cosine, 8), verdict});
  }
  table.print();
}

Result<int> compare(const Options& o) {
  bool with_golden = !o.golden.empty();
  if (with_golden && !o.other.empty()) return invalid("give either a second model or --golden, not both");
  if (!with_golden && o.other.empty() && o.model.target.empty()) {
    return invalid("there is nothing to compare with")
        .hint("give a second model, or --golden FILE.npz, or --target reference");
  }
  if (o.layers && with_golden)
    return invalid("--layers compares two models, or two targets").hint("leave out --golden, add --target reference");
  if (o.arrays.empty() && o.images.files.empty())
    return invalid("no inputs were given").hint("give --inputs FILE.npz or --image FILE");
  MOTE_ASSIGN(Side a, run_side(o, o.model.path, with_golden ? o.model.target : ""));
  std::vector<Row> rows, layers;
  if (with_golden) {
    MOTE_ASSIGN(std::vector<media::Array> right, read_golden(o));
    MOTE_ASSIGN(rows, compare_outputs(o, a.outputs, right, o.golden));
  } else {
    const std::string& path = o.other.empty() ? o.model.path : o.other;
    MOTE_ASSIGN(Side b, run_side(o, path, o.model.target));
    MOTE_ASSIGN(rows, compare_outputs(o, a.outputs, b.outputs, path));
    layers = compare_layers(o, a, b);
  }
  bool ok = std::all_of(rows.begin(), rows.end(), [](const Row& r) { return r.difference.ok; });
  progress("");
  if (globals.json) {
    Json out = {
        {"ok", ok}, {"rtol", o.tolerance.rtol}, {"atol", o.tolerance.atol}, {"outputs", to_json(rows, "output")}};
    if (o.layers) out["layers"] = to_json(layers, "layer");
    print_json(out);
  } else {
    if (o.layers) {
      print(layers, "layer");
      std::printf("\n");
    }
    print(rows, "output");
    say(concat(ok ? "within" : "BEYOND", " rtol ", o.tolerance.rtol, ", atol ", o.tolerance.atol));
  }
  return ok ? 0 : 1;
}

}  // namespace

void register_compare(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "compare", "compare a model's answers with another's, or with the right ones",
                            "mote compare model.onnx --inputs in.npz --golden out.npz --rtol 1e-3");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  verb->add_option("MODEL_B", o->other, "the model to compare with; --target then says where it runs");
  o->arrays.add(*verb);
  o->images.add(*verb);
  verb->add_option("--golden", o->golden, "the right answers by output name, or out_0, out_1 ... by position, as .npz");
  verb->add_option("--rtol", o->tolerance.rtol, "relative tolerance")->check(CLI::NonNegativeNumber);
  verb->add_option("--atol", o->tolerance.atol, "absolute tolerance")->check(CLI::NonNegativeNumber);
  verb->add_flag("--layers", o->layers, "compare the values that both have, step by step");
  set_action(*verb, exit_code, [o] { return compare(*o); });
}

}  // namespace mote::cli
