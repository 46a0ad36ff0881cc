// In the place of engine.cc in libmote_runtime.
#include "api/preparing.h"
#include "base/cpu.h"
#include "base/text.h"

namespace mote::api {

Result<std::shared_ptr<const LinkedPlan>> prepare_source(std::shared_ptr<const Source> source, const std::string&,
                                                         const LoadOptions&, LoadTimes&) {
  return unsupported("this build runs prepared models (.mote) only")
      .at(source->name)
      .hint(concat("mote convert ", source->name, " -o MODEL.mote --target ", name_of(active_cpu().best())));
}

Result<std::shared_ptr<const LinkedPlan>> prepare_again(const PlanFile& file, const std::string& name,
                                                        const LoadOptions& options) {
  bool any = options.target.empty() || options.target == "host";
  std::string wanted = any ? std::string(name_of(active_cpu().best())) : options.target;
  return unsupported(concat("the file holds plans for ", join(file.targets()), " and none for ", wanted,
                            ", and this build runs what is prepared only"))
      .hint(concat("mote convert ", name, " -o MODEL.mote --target ", wanted));
}

Status save_plan(const LinkedPlan&, const std::string& path) {
  return unsupported("this build does not write plans").at(path).hint("mote convert MODEL -o MODEL.mote");
}

}  // namespace mote::api
