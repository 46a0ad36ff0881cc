// A model run once, through the column's path.
#pragma once

#include "values.h"

namespace mote::conformance {

struct NamedValue {
  std::string name;
  TestValue value;
};

// `inputs` by the names of the graph's inputs. Gives the outputs in the graph's order.
Result<std::vector<TestValue>> run_model(const std::shared_ptr<const Source>& file,
                                         const std::vector<NamedValue>& inputs, const std::string& column);

// The module of a file, its types inferred.
Result<Module> load_module(const std::shared_ptr<const Source>& file);

}  // namespace mote::conformance
