// What takes importers, passes and claims. engine.cc does it; libmote_runtime, which runs `.mote` files only, has
// runtime_only.cc in its place, where each fails and says what to do with a full build.
#pragma once

#include "api/engine.h"

namespace mote::api {

// From a file of any format but .mote to a linked plan. Adds to `times`.
Result<std::shared_ptr<const LinkedPlan>> prepare_source(std::shared_ptr<const Source> source,
                                                         const std::string& folder, const LoadOptions& options,
                                                         LoadTimes& times);
// A plan for this CPU from the module in a `.mote` file, none of whose plans suits it.
Result<std::shared_ptr<const LinkedPlan>> prepare_again(const PlanFile& file, const std::string& name,
                                                        const LoadOptions& options);
Status save_plan(const LinkedPlan& linked, const std::string& path);

}  // namespace mote::api
