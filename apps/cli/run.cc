// mote run: a model's answer to images or arrays.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "media/labels.h"
#include "media/npz.h"
#include "media/numbers.h"
#include "media/postprocess.h"
#include "mote/hooks.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  ImageOptions images;
  ArrayOptions arrays;
  std::string outputs, labels, until;
  std::vector<std::string> dump;
  int top = 5, steps = 1;
};

Result<std::vector<std::string>> find_labels(const Options& o, const Model& model) {
  if (o.labels.empty()) return media::labels_from_metadata(model.metadata());
  if (Result<std::vector<std::string>> set = media::label_set(o.labels); set.ok()) return set;
  Result<std::string> text = read_file(o.labels, 64 << 20);
  if (!text.ok())
    return std::move(text).status().hint("--labels takes a file with one name per line, or imagenet, or digits");
  Result<std::vector<std::string>> parsed = media::parse_labels(*text);
  if (!parsed.ok()) return std::move(parsed).status().at(o.labels);
  return parsed;
}

// A bar of up to 20 columns, in eighths.
std::string bar(double fraction) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * 160));
  std::string s;
  for (int i = 0; i < eighths / 8; ++i) s += "█";
  s += kEighths[eighths % 8];
  s.append(static_cast<std::size_t>(20 - eighths / 8 - (eighths % 8 != 0)), ' ');
  return s;
}

// Whether an output is one row of scores for each of `images`: [images, classes], further axes of extent 1.
bool is_classes(const media::Array& a, std::int64_t images) {
  if (a.shape.empty() || a.dtype == DType::string || a.dtype == DType::boolean) return false;
  std::int64_t count = 1, most = 1;
  for (std::int64_t d : a.shape) {
    count *= d;
    most = std::max(most, d);
  }
  if (images == 1) return count == most && count > 1;
  return a.shape[0] == images && count > images &&
         std::count(a.shape.begin() + 1, a.shape.end(), 1) == static_cast<int>(a.shape.size()) - 2;
}

// The best classes of every image, from the first output.
Result<Json> classify(const Options& o, const media::Array& output, const Port& port,
                      const std::vector<std::string>& labels) {
  std::size_t images = o.images.files.size();
  MOTE_ASSIGN(std::vector<float> scores, media::to_floats(output, {port.scale, port.zero_point}));
  std::size_t classes = scores.size() / images;
  if (!labels.empty() && labels.size() != classes)
    say(concat("there are ", labels.size(), " labels for ", classes, " classes"));
  Json list = Json::array();
  for (std::size_t i = 0; i < images; ++i) {
    Json top = Json::array();
    for (const media::Class& c : media::top_k(std::span(scores).subspan(i * classes, classes), o.top, port.scale)) {
      std::size_t index = static_cast<std::size_t>(c.index);
      top.push_back({{"index", c.index},
                     {"label", index < labels.size() ? labels[index] : ""},
                     {"score", c.score},
                     {"prob", c.prob}});
    }
    list.push_back({{"file", o.images.files[i]}, {"top", std::move(top)}});
  }
  return list;
}

void print_classes(const Json& images) {
  for (const Json& image : images) {
    std::printf("%s\n", image["file"].get<std::string>().c_str());
    for (const Json& c : image["top"]) {
      std::string label = c["label"].get<std::string>();
      if (label.empty()) label = "class " + c["index"].dump();
      double prob = c["prob"].get<double>();
      std::printf("  %6.2f %%  %s%s%s  %s\n", 100 * prob, globals.colour ? "\033[32m" : "", bar(prob).c_str(),
                  globals.colour ? "\033[0m" : "", label.c_str());
    }
  }
}

// A few elements by value; the range of many.
std::string summary(const media::Array& a) {
  if (a.dtype == DType::string) return a.strings.size() <= 8 ? list_text(a.strings) : "";
  std::int64_t count = 1;
  for (std::int64_t d : a.shape) count *= d;
  if (!media::is_number(a.dtype) || bits_of(a.dtype) < 8 || count == 0) return "";
  double low = 0, high = 0, sum = 0;
  std::vector<std::string> few;
  for (std::int64_t i = 0; i < count; ++i) {
    double v = media::load_number(a.dtype, a.data.data(), i);
    low = i == 0 ? v : std::min(low, v);
    high = i == 0 ? v : std::max(high, v);
    sum += v;
    if (i < 8) few.push_back(is_float(a.dtype) ? to_text(static_cast<float>(v)) : to_text(v));
  }
  if (count <= 8) return list_text(few);
  auto text = [](double v) { return to_text(static_cast<float>(v)); };
  return "from " + text(low) + " to " + text(high) + ", mean " + text(sum / static_cast<double>(count));
}

struct Answer {
  std::vector<media::Array> outputs;
  Json images;
  LoadTimes times;
  double run_ms = 0;
  std::int64_t arena_bytes = 0;
  std::uint64_t weight_bytes = 0;
};

Json to_json(const Answer& a) {
  Json out;
  if (!a.images.is_null()) out["images"] = a.images;
  Json list = Json::array();
  for (const media::Array& v : a.outputs)
    list.push_back({{"name", v.name}, {"dtype", name_of(v.dtype)}, {"shape", v.shape}});
  out["outputs"] = std::move(list);
  out["load_ms"] = a.times.load_ms;
  out["prepare_ms"] = a.times.prepare_ms;
  out["run_ms"] = a.run_ms;
  out["arena_bytes"] = a.arena_bytes;
  out["weight_bytes"] = a.weight_bytes;
  out["peak_rss_mb"] = peak_rss_mb();
  return out;
}

void print(const Answer& a) {
  if (!a.images.is_null()) {
    print_classes(a.images);
  } else {
    Table table({"output", "type", "shape", "values"});
    for (const media::Array& v : a.outputs)
      table.add({v.name, std::string(name_of(v.dtype)), shape_text(v.shape), summary(v)});
    table.print();
  }
  say(concat("load ", fixed(a.times.load_ms, 1), " ms, prepare ", fixed(a.times.prepare_ms, 1), " ms, run ",
             fixed(a.run_ms, 2), " ms"));
  double arena = static_cast<double>(a.arena_bytes), weights = static_cast<double>(a.weight_bytes);
  detail(concat("planned memory ", megabytes(arena + weights), ": arena ", megabytes(arena), ", weights ",
                megabytes(weights), "; measured peak ", megabytes(static_cast<double>(peak_allocated_bytes())),
                " in buffers, ", fixed(peak_rss_mb(), 1), " MB in the whole process"));
}

// One run per batch of images, or one run.
Status run_batches(const Options& o, const Model& model, Session& session, Answer& a) {
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  MOTE_ASSIGN(RunOptions run, o.model.run());
  MOTE_ASSIGN(std::vector<media::Array> arrays, o.arrays.read(limits));
  std::vector<media::Array> batches;
  if (!o.images.files.empty()) {
    MOTE_ASSIGN(batches, o.images.batches(model, session.inputs(), arrays, limits));
    arrays.emplace_back();
  }
  std::vector<std::vector<media::Array>> results;
  for (std::size_t b = 0; b < std::max<std::size_t>(batches.size(), 1); ++b) {
    if (!batches.empty()) arrays.back() = std::move(batches[b]);
    MOTE_TRY(bind_inputs(session, arrays));
    double start = now_ms();
    for (int step = 0; step < o.steps; ++step) MOTE_TRY(session.run(run));
    a.run_ms += now_ms() - start;
    MOTE_ASSIGN(auto outputs, output_arrays(session));
    results.push_back(std::move(outputs));
  }
  MOTE_ASSIGN(a.outputs, joined_outputs(std::move(results)));
  return {};
}

Result<int> run(const Options& o) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(load.overrides, o.arrays.names());
  load.extra_outputs = o.dump;
  if (!o.until.empty()) load.outputs.push_back(o.until);
  MOTE_ASSIGN(Model model, load_model(o.model.path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session(model));
  MOTE_ASSIGN(Session session, model.session(with));
  std::vector<std::string> labels;
  if (!o.images.files.empty()) {
    MOTE_ASSIGN(labels, find_labels(o, model));
  } else if (!o.labels.empty()) {
    say("--labels names the classes of images, and there is no --image");
  }
  Answer a;
  MOTE_TRY(run_batches(o, model, session, a));
  a.times = model.times();
  a.arena_bytes = session.arena_bytes();
  a.weight_bytes = model.weight_bytes();
  if (!o.outputs.empty()) {
    std::vector<media::ArrayView> views(a.outputs.begin(), a.outputs.end());
    MOTE_TRY(media::write_npz_file(o.outputs, views));
  }
  std::int64_t images = static_cast<std::int64_t>(o.images.files.size());
  if (images > 0 && o.until.empty()) {
    if (!a.outputs.empty() && is_classes(a.outputs[0], images)) {
      MOTE_ASSIGN(a.images, classify(o, a.outputs[0], session.outputs()[0], labels));
    } else {
      say("the first output is not one row of scores per image; --outputs FILE.npz saves it");
    }
  }
  globals.json ? print_json(to_json(a)) : print(a);
  return 0;
}

}  // namespace

void register_run(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "run", "run a model on images or arrays",
                            "mote run mobilenet.onnx --image cat.jpg --labels imagenet --resize 256 --crop 224");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  o->images.add(*verb);
  o->arrays.add(*verb);
  verb->add_option("--outputs", o->outputs, "write every output to this .npz, under its own name");
  verb->add_option("--labels", o->labels,
                   "a file with one name per line, or imagenet, or digits; default: what the model says");
  verb->add_option("--top", o->top, "how many classes to print")->check(CLI::Range(1, 1000000));
  verb->add_option("--steps", o->steps, "run this often with the same inputs, carrying states; gives the last results")
      ->check(CLI::PositiveNumber);
  verb->add_option("--until", o->until, "run no further than this node, and give its results");
  verb->add_option("--dump", o->dump, "give these nodes' results as well")->take_all();
  set_action(*verb, exit_code, [o] { return run(*o); });
}

}  // namespace mote::cli
