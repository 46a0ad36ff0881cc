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

// The module that a file holds.
Result<Module> read_module(std::shared_ptr<const Source> source, const std::string& folder);

Result<PrepareOptions> prepare_options(const LoadOptions& options);
Result<std::shared_ptr<const LinkedPlan>> build(Module module, const LoadOptions& options);

// The plan of a `.mote` file that suits this CPU best.
Result<std::shared_ptr<const LinkedPlan>> open_plan(const std::shared_ptr<const Source>& source);
Status save_plan(const LinkedPlan& linked, const std::string& path);

PlanInfo describe(const LinkedPlan& linked);

}  // namespace mote::api
