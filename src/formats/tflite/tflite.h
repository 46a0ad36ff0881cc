// TensorFlow Lite files (.tflite, LiteRT), version 3 of the format, read into a Module. They are not written.
//
// Reading translates and nothing else. The flatbuffer is verified before anything in it is read, then its indices,
// shapes and buffer sizes are. Constants are ranges of the file, of what follows the flatbuffer in it, or of external
// files; none is expanded, f16 and packed 4-bit weights included. Subgraphs become functions, variables (resource
// variables and is_variable tensors) become states, signatures become signatures. Layouts stay as they are:
// convolutions and pools say that channels come last. Nothing is opened here. Errors name the tensor or the operator;
// operators that Mote does not have are listed together.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/module.h"

namespace mote::tflite {

struct ImportLimits {
  std::size_t max_nodes = 1'000'000;   // that are made; also tables in the file, times four
  std::size_t max_functions = 20'000;  // bodies of control flow, one per place that calls them
  int max_depth = 32;                  // of subgraphs within subgraphs
};

struct ImportOptions {
  const OpLookup* ops = nullptr;  // required
  // Gives the bytes of an external file. `location` is as in the file, and has passed check_location.
  std::function<Result<std::shared_ptr<const Source>>(std::string_view location)> external_data;
  // The op that stands for a custom operator of that name (of domain "tflite"), or null. Attributes of its flexbuffer
  // options are passed by their own names; options in another form as the string attribute `custom_options`, where the
  // op has it.
  std::function<const Op*(std::string_view name)> custom_op;
  // Where set, what Mote lacks is listed here, as "operator ('tensor', ...)", instead of failing. The module then lacks
  // those nodes and serves only to be looked at.
  std::vector<std::string>* missing = nullptr;
  // The signature that is wanted. Where others lack something, they are left out, and the log says so.
  std::string signature;
  ImportLimits limits;
  std::size_t max_constants = std::size_t{1}
                              << 30;  // bytes of constants that have to be rewritten, strings for example
};

// Whether these bytes begin as such a file does.
bool is_tflite(std::span<const std::byte> bytes);

// One signature per SignatureDef, named by its key, its inputs and outputs by their aliases; "main" with the tensors'
// own names for a first subgraph that has none. Facts of the file are metadata: "tflite.description", "tflite.version",
// ...; labels and normalization are mote.labels and mote.image.*, scales of integer inputs and outputs
// mote.quantization.NAME.
Result<Module> import_tflite(std::shared_ptr<const Source> model, const ImportOptions& options);

}  // namespace mote::tflite
