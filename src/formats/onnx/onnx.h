// ONNX files, opset 1 to 28, read into a Module and written from one.
//
// Reading translates and nothing else: a row of ops.inc per operator, a function beside it for older or harder forms.
// Model-local functions are inlined, subgraphs become functions with explicit captures, Scan and SequenceMap become
// loops. Constants are ranges of the file or of its external data: the module keeps both sources, copies nothing large.
// No file is opened here. Errors name the byte offset or the node; operators that Mote does not have are listed
// together, with the nodes that use them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/proto.h"
#include "ir/module.h"

namespace mote::onnx {

inline constexpr int kNewestOpset = 28;

struct ImportOptions {
  const OpLookup* ops = nullptr;  // required
  // Gives the bytes of an external data file. `location` is relative, as in the file, and has passed check_location.
  std::function<Result<std::shared_ptr<const Source>>(std::string_view location)> external_data;
  // The op that stands for an operator outside ONNX's domains, or null. Its attributes are passed by their own names.
  std::function<const Op*(std::string_view domain, std::string_view name)> custom_op;
  // Where set, what Mote lacks is listed here, as "operator ('node', ...)", instead of failing. The module then lacks
  // those nodes and serves only to be looked at.
  std::vector<std::string>* missing = nullptr;
  // Graph inputs whose initializers are left aside, so that the caller gives them. Names of anything else mean nothing.
  std::vector<std::string> overrides;
  ParseLimits limits;                    // of the file; max_nodes also bounds what inlining functions makes of it
  std::size_t max_constants = 1u << 30;  // bytes of constants that have to be rewritten, sparse ones for example
};

// The module's `main` function has the graph's inputs (of those that have an initializer, only overrides) and outputs,
// by name. File-level facts are metadata: "onnx.opset", "onnx.opset.DOMAIN", "onnx.ir_version", "onnx.producer_name",
// ...
Result<Module> import_onnx(std::shared_ptr<const Source> model, const ImportOptions& options);

struct ExportOptions {
  // Where constants go that do not fit in the file (2 GB): an external data file of this name, next to the model.
  // `write_external` appends the bytes to it and gives their offset. Without it such a module is refused.
  std::string external_name;
  std::function<Result<std::uint64_t>(std::span<const std::byte> bytes)> write_external;
  std::size_t external_above = 1024;             // bytes; smaller constants stay in the file
  std::size_t max_bytes = std::size_t{1} << 31;  // of the file
};

// The default signature of the module as an ONNX file that gives the same answers: opset 18 or what its operators need.
// Names, metadata, symbolic dimensions and bodies are kept; states become metadata ("mote.state.INPUT"). Fails, listing
// them, on ops that ONNX does not have.
Result<std::string> export_onnx(const Module& module, const ExportOptions& options = {});

}  // namespace mote::onnx
