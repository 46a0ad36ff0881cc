// src/api: implements include/mote; the only place that names concrete backends and importers.
//
// Engine: from a file or bytes to a module, and from a module to a linked plan. What the public classes and our own
// tools share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mote/model.h"
#include "prepare/prepare.h"
#include "runtime/context.h"

namespace mote::api {

// The bytes of a mapped file, or of a caller.
Result<std::shared_ptr<const Source>> map_file(const std::string& path);
std::shared_ptr<const Source> borrow(std::span<const std::byte> bytes, std::string_view name);

enum class Format { kUnknown, kOnnx, kIrText, kMote };
Format recognise(std::span<const std::byte> bytes);

std::string_view name_of(Format format);
// What stands before the last '/', "." without one.
std::string folder_of(const std::string& path);

struct ReadOptions {
  std::string folder;                           // where external data lies; empty: it is refused
  const OpRegistry* ops = nullptr;              // custom ops
  std::vector<std::string>* missing = nullptr;  // collects operators that Mote lacks instead of failing
  std::int64_t max_bytes = 0;                   // 0: no limit
};
// The module in a file of any format but .mote. Errors begin with the source's name.
Result<Module> read_module(std::shared_ptr<const Source> source, const ReadOptions& options);

Result<PrepareOptions> prepare_options(const LoadOptions& options);
// The plan keeps the custom ops of `options` alive.
Result<std::shared_ptr<const LinkedPlan>> build(Module module, const LoadOptions& options);
Result<std::shared_ptr<const LinkedPlan>> link_plan(Plan plan, std::shared_ptr<const OpRegistry> ops);

// The plan of a `.mote` file that suits this CPU best.
Result<std::shared_ptr<const LinkedPlan>> open_plan(const std::shared_ptr<const Source>& source,
                                                    std::shared_ptr<const OpRegistry> ops = nullptr);
// A prepared file's shapes, states and outputs are fixed: refuses options that would change them.
Status check_fixed(const LoadOptions& options, const std::string& name);
Status save_plans(std::span<const Plan* const> plans, const std::string& path);
Status save_plan(const LinkedPlan& linked, const std::string& path);

PlanInfo describe(const LinkedPlan& linked);
// A plan's view of its inputs or outputs.
std::vector<Port> ports(const Plan& plan, const PlanSignature& signature, bool inputs);
// Notes in the metadata how integer inputs and outputs of the main function are quantized, where its graph tells;
// set_quantization reads it.
void note_quantization(Module& module);
void set_quantization(const std::vector<std::pair<std::string, std::string>>& metadata, Port& port);

}  // namespace mote::api
