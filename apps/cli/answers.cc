#include "answers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "base/text.h"
#include "media/detect.h"
#include "media/draw.h"
#include "media/labels.h"
#include "media/postprocess.h"
#include "media/segment.h"

namespace mote::cli {

void AnswerOptions::add(CLI::App& app) {
  app.add_option("--labels", labels,
                 "a file with one name per line, or imagenet, or digits; default: what the model says");
  app.add_option("--top", top, "how many classes to print")->check(CLI::Range(1, 1000000));
  app.add_option("--detect", detect,
                 "the outputs are boxes: tflite, torchvision, ssd, yolo5, yolo8 or yolo-nms, where their shapes do not "
                 "tell");
  app.add_flag("--segment", segment, "the first output that fits is a map of classes");
  app.add_option("--draw", draw, "write the picture with what was found on it: .png or .ppm");
  app.add_option("--threshold", threshold, "leave boxes below this score out")->check(CLI::Range(0.0, 1.0));
  app.add_option("--iou", iou, "of overlapping boxes of a class the better one stays")->check(CLI::Range(0.0, 1.0));
  app.add_option("--boxes", most, "how many boxes to give")->check(CLI::Range(1, 1000000));
  app.add_flag("--background", background, "with --detect ssd: the first class is the background");
  app.add_option("--alpha", alpha, "how much of a class's colour --draw puts over a pixel")
      ->check(CLI::Range(0.0, 1.0));
}

Result<std::vector<std::string>> AnswerOptions::find_labels(const Model& model) const {
  if (labels.empty()) return media::labels_from_metadata(model.metadata());
  if (Result<std::vector<std::string>> set = media::label_set(labels); set.ok()) return set;
  Result<std::string> text = read_file(labels, 64 << 20);
  if (!text.ok())
    return std::move(text).status().hint("--labels takes a file with one name per line, or imagenet, or digits");
  Result<std::vector<std::string>> parsed = media::parse_labels(*text);
  if (!parsed.ok()) return std::move(parsed).status().at(labels);
  return parsed;
}

std::vector<media::Array> outputs_for(const std::vector<media::Array>& outputs, std::int64_t index,
                                      std::int64_t count) {
  if (count == 1) return outputs;
  std::vector<media::Array> out;
  for (const media::Array& a : outputs) {
    if (a.shape.empty() || a.shape[0] != count || a.dtype == DType::string || bits_of(a.dtype) < 8) continue;
    media::Array row{a.name, a.dtype, a.shape, {}, {}};
    row.shape[0] = 1;
    const auto bytes = static_cast<std::ptrdiff_t>(a.data.size()) / count;
    row.data.assign(a.data.begin() + index * bytes, a.data.begin() + (index + 1) * bytes);
    out.push_back(std::move(row));
  }
  return out;
}

namespace {

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

// One row of scores: a single extent is not 1.
bool is_classes(const media::Array& a) {
  if (a.shape.empty() || a.dtype == DType::string || a.dtype == DType::boolean) return false;
  std::int64_t count = 1, most = 1;
  for (std::int64_t d : a.shape) {
    count *= d;
    most = std::max(most, d);
  }
  return count == most && count > 1;
}

media::Quantization quantization_of(const media::Array& a, const std::vector<Port>& ports) {
  for (const Port& p : ports) {
    if (p.name == a.name) return {p.scale, p.zero_point};
  }
  return {};
}

std::string label_of(std::int64_t index, const std::vector<std::string>& labels) {
  const auto at = static_cast<std::size_t>(index);
  return index >= 0 && at < labels.size() ? labels[at] : std::string();
}

Status write_picture(const std::string& path, const media::Image& image) {
  std::vector<std::byte> bytes;
  if (path.ends_with(".ppm")) {
    bytes = media::encode_pnm(image);
  } else if (path.ends_with(".png")) {
    MOTE_ASSIGN(bytes, media::encode_png(image));
  } else {
    return invalid("the name says no format of pictures that is written").at(path).hint("end it with .png or .ppm");
  }
  MOTE_ASSIGN(FileWriter file, FileWriter::create(path));
  MOTE_TRY(file.write(bytes));
  return file.commit();
}

// The picture of `subject` with what `paint` puts on it.
template <class Paint>
Status draw_on(const AnswerOptions& o, const Subject& subject, const media::Limits& limits, Paint paint) {
  if (o.draw.empty()) return {};
  MOTE_ASSIGN(FileMap file, FileMap::open(subject.file));
  auto image = media::decode_image(file.bytes(), limits);
  if (!image.ok()) return std::move(image).status().at(subject.file);
  paint(*image);
  return write_picture(o.draw, *image);
}

Result<Json> give_classes(const AnswerOptions& o, const Subject& subject, const media::Array& output,
                          const media::Quantization& quantization, const std::vector<std::string>& labels,
                          const media::Limits& limits) {
  MOTE_ASSIGN(std::vector<float> scores, media::to_floats(output, quantization));
  if (!labels.empty() && labels.size() != scores.size())
    say(concat("there are ", labels.size(), " labels for ", scores.size(), " classes"));
  Json top = Json::array();
  std::vector<std::string> lines;
  for (const media::Class& c : media::top_k(scores, o.top, quantization.scale)) {
    const std::string label = label_of(c.index, labels);
    top.push_back({{"index", c.index}, {"label", label}, {"score", c.score}, {"prob", c.prob}});
    lines.push_back(concat(label.empty() ? concat("class ", c.index) : label, " ", std::lround(100 * c.prob), " %"));
  }
  if (subject.placement) {
    MOTE_TRY(draw_on(o, subject, limits, [&](media::Image& image) {
      const int scale = std::max(1, std::min(image.width, image.height) / 300), row = 9 * scale;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const int y = static_cast<int>(i) * row;
        media::fill_rectangle(image, 0, y, media::text_width(lines[i], scale) + 2 * scale, row, {0, 0, 0});
        media::draw_text(image, scale, y + scale, scale, lines[i], {255, 255, 255});
      }
    }));
  }
  return Json{{"file", subject.file}, {"top", std::move(top)}};
}

Result<Json> give_boxes(const AnswerOptions& o, const Subject& subject, std::span<const media::Array> outputs,
                        const std::vector<Port>& ports, media::DetectionSettings settings,
                        const std::vector<std::string>& labels, const media::Limits& limits) {
  std::vector<media::Quantization> quantization;
  for (const media::Array& a : outputs) quantization.push_back(quantization_of(a, ports));
  MOTE_ASSIGN(std::vector<media::Box> boxes,
              media::find_boxes(outputs, quantization, settings, *subject.placement, limits));
  Json list = Json::array();
  for (const media::Box& b : boxes) {
    list.push_back({{"index", b.index},
                    {"label", label_of(b.index, labels)},
                    {"score", b.score},
                    {"box", {b.left, b.top, b.right, b.bottom}}});
  }
  MOTE_TRY(draw_on(o, subject, limits, [&](media::Image& image) { media::draw_boxes(image, boxes, labels); }));
  return Json{{"file", subject.file}, {"layout", media::name_of(settings.layout)}, {"boxes", std::move(list)}};
}

// The share of each class, and the map in runs of equal classes, row by row.
Result<Json> give_map(const AnswerOptions& o, const Subject& subject, const media::Array& output,
                      const media::Quantization& quantization, const std::vector<std::string>& labels,
                      const media::Limits& limits) {
  MOTE_ASSIGN(media::ClassMap map, media::find_classes(output, quantization, *subject.placement, limits));
  std::map<std::int32_t, std::int64_t> counts;
  Json runs = Json::array();
  std::int64_t length = 0;
  for (std::size_t i = 0; i < map.classes.size(); ++i) {
    ++counts[map.classes[i]];
    ++length;
    if (i + 1 < map.classes.size() && map.classes[i + 1] == map.classes[i]) continue;
    if (globals.json) runs.push_back({map.classes[i], length});
    length = 0;
  }
  Json classes = Json::array();
  for (const auto& [index, count] : counts) {
    classes.push_back({{"index", index},
                       {"label", label_of(index, labels)},
                       {"share", static_cast<double>(count) / static_cast<double>(map.classes.size())}});
  }
  MOTE_TRY(draw_on(o, subject, limits, [&](media::Image& image) { media::draw_classes(image, map.classes, o.alpha); }));
  return Json{{"file", subject.file},
              {"classes", std::move(classes)},
              {"mask", {{"width", map.width}, {"height", map.height}, {"runs", std::move(runs)}}}};
}

}  // namespace

Result<Json> answer(const AnswerOptions& o, const Subject& subject, std::span<const media::Array> outputs,
                    const std::vector<Port>& ports, const std::vector<std::string>& labels,
                    const media::Limits& limits) {
  const bool picture = subject.placement != nullptr;
  if (!picture && (o.segment || !o.detect.empty() || !o.draw.empty()))
    return invalid("--detect, --segment and --draw are for pictures").at(subject.file);
  media::DetectionSettings settings{media::DetectionLayout::kNone, o.threshold, o.iou, o.background, o.most};
  if (!o.detect.empty()) {
    MOTE_ASSIGN(settings.layout, media::detection_layout(o.detect));
  }
  if (outputs.empty()) return Json{{"file", subject.file}};
  const bool asked = o.segment || !o.detect.empty();
  if (!asked && is_classes(outputs[0])) {
    return give_classes(o, subject, outputs[0], quantization_of(outputs[0], ports), labels, limits);
  }
  if (picture && !o.segment) {
    if (settings.layout == media::DetectionLayout::kNone) settings.layout = media::recognise_detection(outputs);
    if (settings.layout != media::DetectionLayout::kNone)
      return give_boxes(o, subject, outputs, ports, settings, labels, limits);
  }
  for (const media::Array& a : outputs) {
    if (!picture || !media::is_segmentation(a, subject.placement->input)) continue;
    return give_map(o, subject, a, quantization_of(a, ports), labels, limits);
  }
  if (o.segment) return invalid("no output is a map of classes of the input's shape").at(subject.file);
  if (!o.draw.empty()) {
    return invalid("the outputs are neither scores nor boxes nor a map of classes, so that there is nothing to draw")
        .hint("--detect says how boxes are laid out");
  }
  return Json{{"file", subject.file}};
}

void print_answers(const Json& answers) {
  const char *green = globals.colour ? "\033[32m" : "", *plain = globals.colour ? "\033[0m" : "";
  const auto name = [](const Json& c) {
    std::string label = c["label"].get<std::string>();
    return label.empty() ? "class " + c["index"].dump() : label;
  };
  for (const Json& a : answers) {
    std::printf("%s\n", a["file"].get<std::string>().c_str());
    for (const Json& c : a.value("top", Json::array())) {
      double prob = c["prob"].get<double>();
      std::printf("  %6.2f %%  %s%s%s  %s\n", 100 * prob, green, bar(prob).c_str(), plain, name(c).c_str());
    }
    for (const Json& b : a.value("boxes", Json::array())) {
      const Json& box = b["box"];
      std::printf("  %6.2f %%  %-24s %7.1f %7.1f %7.1f %7.1f\n", 100 * b["score"].get<double>(), name(b).c_str(),
                  box[0].get<double>(), box[1].get<double>(), box[2].get<double>(), box[3].get<double>());
    }
    if (a.contains("boxes") && a["boxes"].empty()) std::printf("  nothing found\n");
    for (const Json& c : a.value("classes", Json::array())) {
      double share = c["share"].get<double>();
      std::printf("  %6.2f %%  %s%s%s  %s\n", 100 * share, green, bar(share).c_str(), plain, name(c).c_str());
    }
  }
}

}  // namespace mote::cli
