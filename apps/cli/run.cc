// mote run: a model's answer to images, audio or arrays.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "answers.h"
#include "base/text.h"
#include "media/npz.h"
#include "media/numbers.h"
#include "mote/hooks.h"

namespace mote::cli {
namespace {

struct Options {
  ModelOptions model;
  ImageOptions images;
  AudioOptions audio;
  ArrayOptions arrays;
  AnswerOptions answers;
  std::string outputs, until;
  std::vector<std::string> dump, before;
  int steps = 1;

  const std::vector<std::string>& files() const { return audio.files.empty() ? images.files : audio.files; }
};

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
  Json files;  // one answer for each
  bool sounds = false;
  LoadTimes times;
  double run_ms = 0;
  std::int64_t arena_bytes = 0;
  std::uint64_t weight_bytes = 0;
};

Json to_json(const Answer& a) {
  Json out;
  if (!a.files.is_null()) out[a.sounds ? "audio" : "images"] = a.files;
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
  if (!a.files.is_null()) {
    print_answers(a.files);
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

// The model's inputs that files give, one for each run.
Result<std::vector<media::Array>> file_inputs(const Options& o, const Model& model, const Session& session,
                                              const std::vector<media::Array>& arrays, const media::Limits& limits,
                                              std::vector<media::Placement>& placements) {
  if (o.audio.files.empty()) return o.images.batches(model, session.inputs(), arrays, limits, &placements);
  AudioOptions audio = o.audio;
  for (const char* shared : {"mean", "std"}) audio.settings[shared] = o.images.settings.at(shared);
  return audio.batches(model, session.inputs(), arrays, limits);
}

// Answers for the files of run `b`; none where the outputs say nothing about single files.
Status give_answers(const Options& o, const Session& session, const std::vector<media::Array>& outputs,
                    const std::vector<std::string>& labels, std::span<const media::Placement> placements,
                    std::size_t first, std::size_t count, const media::Limits& limits, Json& list) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t file = first + i;
    const Subject subject{o.files()[file], file < placements.size() ? &placements[file] : nullptr};
    std::vector<media::Array> own =
        outputs_for(outputs, static_cast<std::int64_t>(i), static_cast<std::int64_t>(count));
    MOTE_ASSIGN(Json one, answer(o.answers, subject, own, session.outputs(), labels, limits));
    list.push_back(std::move(one));
  }
  return {};
}

// Runs the signatures that come before, with the arrays that are theirs. Those that are not the session's as well go.
Status run_before(const Options& o, const RunOptions& run, const Session& session, std::vector<media::Array>& arrays) {
  std::vector<bool> taken(arrays.size(), false);
  for (const std::string& name : o.before) {
    MOTE_ASSIGN(Session before, session.sibling(name));
    std::vector<media::Array> own;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      if (!takes_input(before, arrays[i].name)) continue;
      own.push_back(arrays[i]);
      taken[i] = true;
    }
    Status status = bind_inputs(before, own);
    if (status.ok()) status = before.run(run);
    if (!status.ok()) return std::move(status).at("signature " + mote::quoted(name));
  }
  std::vector<media::Array> left;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!taken[i] || takes_input(session, arrays[i].name)) left.push_back(std::move(arrays[i]));
  }
  arrays = std::move(left);
  return {};
}

// One run per batch of images or sound, or one run.
Status run_batches(const Options& o, const Model& model, Session& session, const std::vector<std::string>& labels,
                   Answer& a) {
  MOTE_ASSIGN(media::Limits limits, o.model.limits());
  MOTE_ASSIGN(RunOptions run, o.model.run());
  MOTE_ASSIGN(std::vector<media::Array> arrays, o.arrays.read(limits));
  MOTE_TRY(run_before(o, run, session, arrays));
  std::vector<media::Array> batches;
  std::vector<media::Placement> placements;
  if (!o.files().empty()) {
    MOTE_ASSIGN(batches, file_inputs(o, model, session, arrays, limits, placements));
    arrays.emplace_back();
  }
  const std::size_t runs = std::max<std::size_t>(batches.size(), 1), at_once = o.files().size() / runs;
  Json answers = Json::array();
  std::vector<std::vector<media::Array>> results;
  for (std::size_t b = 0; b < runs; ++b) {
    if (!batches.empty()) arrays.back() = std::move(batches[b]);
    MOTE_TRY(bind_inputs(session, arrays));
    double start = now_ms();
    for (int step = 0; step < o.steps; ++step) MOTE_TRY(session.run(run));
    a.run_ms += now_ms() - start;
    MOTE_ASSIGN(auto outputs, output_arrays(session));
    if (o.until.empty()) {
      MOTE_TRY(give_answers(o, session, outputs, labels, placements, b * at_once, at_once, limits, answers));
    }
    results.push_back(std::move(outputs));
  }
  const bool any = std::any_of(answers.begin(), answers.end(), [](const Json& one) { return one.size() > 1; });
  if (any) a.files = std::move(answers);
  if (!any && !answers.empty()) {
    say("the outputs are neither a row of scores per file nor boxes nor a map of classes; --outputs FILE.npz saves "
        "them");
  }
  MOTE_ASSIGN(a.outputs, joined_outputs(std::move(results)));
  return {};
}

// Options that exclude each other.
Status check(const Options& o) {
  if (!o.images.files.empty() && !o.audio.files.empty()) return invalid("--image and --audio are for one input each");
  if (!o.answers.draw.empty() && o.images.files.size() != 1)
    return invalid("--draw needs one --image").hint("run once for each picture");
  if (!o.answers.labels.empty() && o.files().empty())
    say("--labels names the classes of images and sounds, and there is no --image and no --audio");
  return {};
}

Result<int> run(const Options& o) {
  MOTE_TRY(check(o));
  MOTE_ASSIGN(LoadOptions load, o.model.load());
  MOTE_ASSIGN(load.overrides, o.arrays.names());
  load.extra_outputs = o.dump;
  if (!o.until.empty()) load.outputs.push_back(o.until);
  MOTE_ASSIGN(Model model, load_model(o.model.path, load));
  MOTE_ASSIGN(SessionOptions with, o.model.session(model));
  MOTE_ASSIGN(Session session, model.session(with));
  std::vector<std::string> labels;
  if (!o.files().empty()) {
    MOTE_ASSIGN(labels, o.answers.find_labels(model));
  }
  Answer a;
  a.sounds = !o.audio.files.empty();
  MOTE_TRY(run_batches(o, model, session, labels, a));
  a.times = model.times();
  a.arena_bytes = session.arena_bytes();
  a.weight_bytes = model.weight_bytes();
  if (!o.outputs.empty()) {
    std::vector<media::ArrayView> views(a.outputs.begin(), a.outputs.end());
    MOTE_TRY(media::write_npz_file(o.outputs, views));
  }
  globals.json ? print_json(to_json(a)) : print(a);
  return 0;
}

}  // namespace

void register_run(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "run", "run a model on images, audio or arrays",
                            "mote run mobilenet.onnx --image cat.jpg --labels imagenet --resize 256 --crop 224");
  auto o = std::make_shared<Options>();
  o->model.add(*verb);
  o->images.add(*verb);
  o->audio.add(*verb);
  o->answers.add(*verb);
  o->arrays.add(*verb);
  verb->add_option("--outputs", o->outputs, "write every output to this .npz, under its own name");
  verb->add_option("--steps", o->steps, "run this often with the same inputs, carrying states; gives the last results")
      ->check(CLI::PositiveNumber);
  verb->add_option("--before", o->before,
                   "run these signatures first, in this order: they share variables with the one that is run")
      ->take_all();
  verb->add_option("--until", o->until, "run no further than this node, and give its results");
  verb->add_option("--dump", o->dump, "give these nodes' results as well")->take_all();
  set_action(*verb, exit_code, [o] { return run(*o); });
}

}  // namespace mote::cli
