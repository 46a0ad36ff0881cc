// From one file format to another, and whether a file is sound.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mote/model.h"

namespace mote {

enum class FileFormat : std::uint8_t { kOnnx, kMote, kIr };

// By the ending of a file's name (.onnx, .mote, .ir); fails on any other.
Result<FileFormat> file_format(const std::string& path);

struct ConvertOptions {
  LoadOptions load;                  // what a prepared plan is made for
  std::vector<std::string> targets;  // .mote: "host", an instruction set, "aarch64", "all"; empty: host
  // What turns pixels or samples into the model's input becomes part of it: settings of images and of audio by name and
  // value, above those in the file's metadata. `source_size` is the size of images, "640x480"; empty: any.
  enum class Preprocessing : std::uint8_t { kNone, kImage, kAudio };
  Preprocessing preprocessing = Preprocessing::kNone;
  std::vector<std::pair<std::string, std::string>> settings;
  std::string source_size;
  bool keep_module = true;  // .mote: the module beside the plans, so that it can be prepared for other targets
};

// Reads `from`, whatever its format, and writes `to`. Nothing is left half-written: `to` appears whole or not at all.
// ONNX of 2 GB and more puts its weights into a second file, TO.data.
Status convert(const std::string& from, const std::string& to, FileFormat format, const ConvertOptions& options = {});

// Reads everything: structure, types, and for `.mote` files the hashes of all sections, weights included. Ok: the file
// is sound. The text says what was checked.
Result<std::string> verify_file(const std::string& path, const LoadOptions& options = {});

}  // namespace mote
