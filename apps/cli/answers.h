// What a model's outputs say about one picture or sound: its best classes, boxes, or a class for every pixel.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli.h"
#include "media/preprocess.h"

namespace mote::cli {

struct AnswerOptions {
  std::string labels, detect, draw;
  int top = 5, most = 100;
  bool segment = false, background = false;
  float threshold = 0.5f, iou = 0.5f, alpha = 0.5f;

  void add(CLI::App& app);
  // The classes' names: of --labels, else what the model says, else none.
  Result<std::vector<std::string>> find_labels(const Model& model) const;
};

// The file an answer is about, and where its picture lies in the input; null for a sound.
struct Subject {
  std::string file;
  const media::Placement* placement = nullptr;
};

// The outputs for one file of the `count` that a run had: its row of those that have one for each.
std::vector<media::Array> outputs_for(const std::vector<media::Array>& outputs, std::int64_t index, std::int64_t count);

// {"file", "top"}, {"file", "boxes"} or {"file", "classes", "mask"}; only {"file"} where the outputs are none of these.
// Draws the answer where --draw says so.
Result<Json> answer(const AnswerOptions& o, const Subject& subject, std::span<const media::Array> outputs,
                    const std::vector<Port>& ports, const std::vector<std::string>& labels,
                    const media::Limits& limits);
void print_answers(const Json& answers);

}  // namespace mote::cli
