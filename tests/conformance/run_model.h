// A model run once, through the column's path.
#pragma once

#include "runtime/context.h"
#include "values.h"

namespace mote::conformance {

struct NamedValue {
  std::string name;
  TestValue value;
};

// `inputs` by the names of the graph's inputs. Gives the outputs in the graph's order.
Result<std::vector<TestValue>> run_model(const std::shared_ptr<const Source>& file,
                                         const std::vector<NamedValue>& inputs, const std::string& column);

// A context of the module's plan, with the column's passes and way.
Result<std::unique_ptr<Context>> make_context(Module module, const std::string& column);
// Binds input i of a context. `v` must stay alive during the run.
Status bind_input(Context& context, int i, const TestValue& v);
TestValue output_of(const Context& context, int i);

// The module of a file, its types inferred.
Result<Module> load_module(const std::shared_ptr<const Source>& file);

}  // namespace mote::conformance
