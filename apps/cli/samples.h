// Samples for calibration and scoring: a folder of images, .npz files, or a command that writes .npz records.
#pragma once

#include <memory>

#include "cli.h"
#include "mote/quantize.h"

namespace mote::cli {

struct SampleOptions {
  std::string images_dir, generator;
  std::vector<std::string> files;
  std::int64_t limit = 0;
  ImageOptions images;

  void add(CLI::App& app);
  bool empty() const { return images_dir.empty() && generator.empty() && files.empty(); }
  // Null where nothing was given. The model says what its inputs are; it must outlive the source.
  Result<std::unique_ptr<SampleSource>> open(const Model& model, const media::Limits& limits) const;
};

// "0.5%" or 0.005 as 0.005; nothing of an empty text.
Result<std::optional<double>> parse_drop(const std::string& text);
// What long work says of itself, on a terminal.
void show_progress(std::string_view stage, std::int64_t done, std::int64_t total);

}  // namespace mote::cli
