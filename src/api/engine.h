// src/api: implements include/mote; the only place that names concrete backends and importers.
//
// Engine: from a file or bytes to a module, and from a module to a linked plan. What the public classes and our own
// tools share. libmote_runtime has of it what opened.cc defines, and stand-ins for preparing.h.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mote/convert.h"
#include "mote/model.h"
#include "plan/file.h"
#include "prepare/prepare.h"
#include "runtime/context.h"

namespace mote::api {

// The bytes of a mapped file, or of a caller.
Result<std::shared_ptr<const Source>> map_file(const std::string& path);
std::shared_ptr<const Source> borrow(std::span<const std::byte> bytes, std::string_view name);

enum class Format { kUnknown, kOnnx, kIrText, kMote, kTflite };
Format recognise(std::span<const std::byte> bytes);
// Whether they are a `.mote` file's.
bool is_prepared(std::span<const std::byte> bytes);

std::string_view name_of(Format format);
// `status` with the file as its place and, where nobody knew better, what can be done about such a file.
Status in_file(Status status, const std::string& name, Format format);
// What stands before the last '/', "." without one.
std::string folder_of(const std::string& path);

// Puts the signature called `name` ("": the first) before the others. Fails naming those there are.
template <class Signature>
Status prefer_signature(std::vector<Signature>& signatures, const std::string& name) {
  auto is_it = [&](const Signature& s) { return s.name == name; };
  auto it = name.empty() ? signatures.begin() : std::find_if(signatures.begin(), signatures.end(), is_it);
  if (it == signatures.end() && !name.empty()) {
    std::string names;
    for (const Signature& s : signatures) names += (names.empty() ? "" : ", ") + s.name;
    return invalid("the model has no signature '" + name + "'").hint("it has: " + names);
  }
  if (it != signatures.end()) std::rotate(signatures.begin(), it, it + 1);
  return {};
}

// The module in a file of any format but .mote, its first signature the one asked for. External data is looked for in
// `folder`, and refused where that is empty. `missing` collects operators that Mote lacks instead of failing. Of the
// options, ops, overrides, max_bytes and signature count. Errors begin with the source's name.
Result<Module> read_module(std::shared_ptr<const Source> source, const std::string& folder, const LoadOptions& options,
                           std::vector<std::string>* missing = nullptr);

// The module in a file of any format, also `.mote`.
Result<Module> read_source(const std::string& path, const LoadOptions& options);
// Writes a module as a file, whole or not at all.
Status write_module(const Module& module, const std::string& to, FileFormat format);

// Where the kernels of plans are found: the CPU's, references, and those of `ops`.
std::vector<const KernelProvider*> kernel_providers(const OpRegistry* ops);
Result<PrepareOptions> prepare_options(const LoadOptions& options);
// Tunes the plan where the options say so.
Status tune_plan(Plan& plan, const LoadOptions& options);
// The plan keeps the custom ops of `options` alive.
Result<std::shared_ptr<const LinkedPlan>> build(Module module, const LoadOptions& options);
Result<std::shared_ptr<const LinkedPlan>> link_plan(Plan plan, std::shared_ptr<const OpRegistry> ops);

// The verified module that the plans of a `.mote` file were made from.
Result<Module> module_of(const PlanFile& file, const OpRegistry* ops);
// The plan of a `.mote` file that suits this CPU best; where none does, its module is prepared again, and the log says
// so. Of the options, ops, target, reproducible, max_bytes and signature count.
Result<std::shared_ptr<const LinkedPlan>> open_plan(const std::shared_ptr<const Source>& source,
                                                    const LoadOptions& options = {});
// A prepared file's shapes, states and outputs are fixed: refuses options that would change them.
Status check_fixed(const LoadOptions& options, const std::string& name);
Status save_plans(std::span<const Plan* const> plans, const std::string& path, const Module* module = nullptr);

inline double ms_since(std::int64_t start) { return static_cast<double>(Stop::now_ns() - start) / 1e6; }

PlanInfo describe(const LinkedPlan& linked);
// A plan's view of its inputs or outputs.
std::vector<Port> ports(const Plan& plan, const PlanSignature& signature, bool inputs);
// Notes in the metadata how integer inputs and outputs of the main function are quantized, where its graph tells;
// set_quantization reads it.
void note_quantization(Module& module);
void set_quantization(const std::vector<std::pair<std::string, std::string>>& metadata, Port& port);

}  // namespace mote::api
