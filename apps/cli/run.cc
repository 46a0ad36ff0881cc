// mote run: a model's answer to images or arrays.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "cli.h"
#include "media/labels.h"
#include "media/npz.h"
#include "media/postprocess.h"
#include "media/preprocess.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  std::vector<std::string> images, input;
  std::string inputs, outputs, labels, until;
  std::vector<std::string> dump;
  int top = 5;
  std::map<std::string, std::string> preprocess;  // set_preprocess key -> value
  bool rgb = false, bgr = false;
};

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<std::vector<std::string>> find_labels(const Options& o, const Model& model) {
  if (o.labels.empty()) return media::labels_from_metadata(model.metadata());
  if (Result<std::vector<std::string>> set = media::label_set(o.labels); set.ok()) return set;
  MOTE_ASSIGN(std::string text, read_file(o.labels, 64 << 20));
  Result<std::vector<std::string>> parsed = media::parse_labels(text);
  if (!parsed.ok()) return std::move(parsed).status().at(o.labels);
  return parsed;
}

// The images as the model's only (or first float) input.
Result<media::Array> load_image_input(const Options& o, const Model& model) {
  const Port* port = nullptr;
  for (const Port& p : model.inputs()) {
    if (!p.state && !port) port = &p;
  }
  if (!port) return invalid("the model has no input that could take an image");
  media::ImageInput input;
  input.name = port->name;
  input.dtype = port->dtype;
  for (const std::string& d : port->shape) input.shape.push_back(parse_int(d).value_or(-1));
  MOTE_ASSIGN(media::Preprocess from_file, media::preprocess_from_metadata(model.metadata()));
  media::Preprocess asked;
  for (const auto& [key, value] : o.preprocess) {
    if (!value.empty()) MOTE_TRY(media::set_preprocess(asked, key, value));
  }
  if (o.rgb) MOTE_TRY(media::set_preprocess(asked, "channels", "rgb"));
  if (o.bgr) MOTE_TRY(media::set_preprocess(asked, "channels", "bgr"));
  std::vector<std::string> bytes;
  std::vector<media::ImageFile> files;
  bytes.reserve(o.images.size());
  for (const std::string& path : o.images) {
    MOTE_ASSIGN(std::string content, read_file(path, std::int64_t{1} << 32));
    bytes.push_back(std::move(content));
    files.push_back({path, std::as_bytes(std::span(bytes.back()))});
  }
  MOTE_ASSIGN(media::ImageBatch batch, media::load_images(files, input, media::overlay(from_file, asked)));
  for (const std::string& note : batch.notes) say(note);
  bool by_default = asked.empty() && from_file.empty();
  by_default ? say("images: " + batch.description + " (the file says nothing about its images)")
             : detail("images: " + batch.description);
  return std::move(batch.array);
}

std::string bar(double fraction) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * 160));
  std::string s;
  for (int i = 0; i < eighths / 8; ++i) s += "█";
  return s + kEighths[eighths % 8];
}

// The classes of every image, from the first output: [images, classes...].
Result<Json> classify(const Options& o, const Session& session, const std::vector<std::string>& labels) {
  const TensorView& v = session.output(0);
  std::int64_t images = static_cast<std::int64_t>(o.images.size());
  if (v.rank < 1 || v.count() % images != 0)
    return invalid("the first output is not one row of scores per image").hint("save it with --outputs FILE.npz");
  media::ArrayView whole("", v.dtype, v.shape(), {v.data, static_cast<std::size_t>(v.bytes())});
  MOTE_ASSIGN(std::vector<float> scores, media::to_floats(whole));
  std::size_t classes = scores.size() / static_cast<std::size_t>(images);
  Json list = Json::array();
  for (std::size_t i = 0; i < o.images.size(); ++i) {
    Json top = Json::array();
    for (const media::Class& c : media::top_k(std::span(scores).subspan(i * classes, classes), o.top)) {
      std::size_t index = static_cast<std::size_t>(c.index);
      top.push_back({{"index", c.index},
                     {"label", index < labels.size() ? labels[index] : ""},
                     {"score", c.score},
                     {"prob", c.prob}});
    }
    list.push_back({{"file", o.images[i]}, {"top", std::move(top)}});
  }
  return list;
}

void print_classes(const Json& images) {
  for (const Json& image : images) {
    std::printf("%s\n", image["file"].get<std::string>().c_str());
    for (const Json& c : image["top"]) {
      std::string label = c["label"].get<std::string>();
      if (label.empty()) label = "class " + c["index"].dump();
      std::printf("  %6.2f %%  %-20s %s\n", 100 * c["prob"].get<double>(), bar(c["prob"].get<double>()).c_str(),
                  label.c_str());
    }
  }
}

Json describe(const std::vector<media::Array>& arrays) {
  Json list = Json::array();
  for (const media::Array& a : arrays)
    list.push_back({{"name", a.name}, {"dtype", name_of(a.dtype)}, {"shape", a.shape}});
  return list;
}

Status run(const Options& o, Json& out) {
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  for (const std::string& name : o.dump) load.extra_outputs.push_back(name);
  if (!o.until.empty()) load.extra_outputs.push_back(o.until);
  MOTE_ASSIGN(Model model, Model::load(o.model.path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session());
  MOTE_ASSIGN(Session session, model.session(with));
  MOTE_ASSIGN(std::vector<media::Array> arrays, read_arrays(o.inputs, o.input));
  if (!o.images.empty()) {
    MOTE_ASSIGN(media::Array image, load_image_input(o, model));
    arrays.push_back(std::move(image));
  }
  MOTE_TRY(bind_inputs(session, arrays));
  MOTE_ASSIGN(RunOptions limits, o.model.run());
  double start = now_ms();
  MOTE_TRY(session.run(limits));
  double run_ms = now_ms() - start;

  MOTE_ASSIGN(std::vector<media::Array> results, output_arrays(session));
  if (!o.outputs.empty()) {
    std::vector<media::ArrayView> views(results.begin(), results.end());
    MOTE_TRY(media::write_npz_file(o.outputs, views));
  }
  if (!o.images.empty()) {
    MOTE_ASSIGN(std::vector<std::string> labels, find_labels(o, model));
    MOTE_ASSIGN(out["images"], classify(o, session, labels));
  }
  out["outputs"] = describe(results);
  out["load_ms"] = model.times().load_ms;
  out["prepare_ms"] = model.times().prepare_ms;
  out["run_ms"] = run_ms;
  return {};
}

void print(const Json& out) {
  if (out.contains("images")) {
    print_classes(out["images"]);
  } else {
    for (const Json& a : out["outputs"]) {
      std::printf("%-24s %-6s %s\n", a["name"].get<std::string>().c_str(), a["dtype"].get<std::string>().c_str(),
                  a["shape"].dump().c_str());
    }
  }
  char times[120];
  std::snprintf(times, sizeof times, "load %.1f ms, prepare %.1f ms, run %.2f ms", out["load_ms"].get<double>(),
                out["prepare_ms"].get<double>(), out["run_ms"].get<double>());
  say(times);
}

}  // namespace

void register_run(CLI::App& app, int& exit_code) {
  auto* sub = app.add_subcommand("run", "run a model on images or arrays");
  auto o = std::make_shared<Options>();
  o->model.add(*sub);
  sub->add_option("--image", o->images, "JPEG, PNG, BMP or PPM files; several are batched")->take_all();
  sub->add_option("--input", o->input, "NAME=FILE.npy")->take_all();
  sub->add_option("--inputs", o->inputs, "arrays by input name, or in_0, in_1 ... by position");
  sub->add_option("--outputs", o->outputs, "write every output to this .npz");
  sub->add_option("--labels", o->labels, "a file with one name per line, or imagenet, or digits");
  sub->add_option("--top", o->top, "how many classes to print")->check(CLI::PositiveNumber);
  sub->add_option("--until", o->until, "give out this node's result as well");
  sub->add_option("--dump", o->dump, "give out these nodes' results as well")->take_all();
  for (const char* key : {"resize", "crop", "mean", "std", "scale", "layout", "filter"}) {
    sub->add_option(std::string("--") + key, o->preprocess[key], "image preparation: see the documentation");
  }
  sub->add_flag("--rgb", o->rgb, "channels in the order red, green, blue");
  sub->add_flag("--bgr", o->bgr, "channels in the order blue, green, red");
  sub->footer("Example: mote run mobilenet.onnx --image cat.jpg --labels imagenet --resize 256 --crop 224");
  sub->callback([o, &exit_code] {
    Json out;
    if (Status s = run(*o, out); !s.ok()) {
      exit_code = fail(s);
    } else if (globals.json) {
      print_json(out);
    } else {
      print(out);
    }
  });
}

}  // namespace mote::cli
