// The entry points of a file. A variable is a state of the module, which all of them share.
#include <algorithm>

#include "base/text.h"
#include "formats/tflite/importer.h"

namespace mote::tflite {
namespace {

flatbuffers::uoffset_t at(std::int64_t i) { return static_cast<flatbuffers::uoffset_t>(i); }

}  // namespace

std::vector<Importer::Entry> Importer::entries() const {
  std::vector<Entry> out;
  const auto* defs = tflite_.model().signature_defs();
  for (std::size_t i = 0; i < size_of(defs); ++i) {
    const fbs::SignatureDef* def = defs->Get(at(static_cast<std::int64_t>(i)));
    std::string name(text_of(def->signature_key()));
    out.push_back({name.empty() ? concat("signature_", i) : std::move(name),
                   static_cast<std::int32_t>(def->subgraph_index()), def});
  }
  if (std::none_of(out.begin(), out.end(), [](const Entry& e) { return e.subgraph == 0; }))
    out.insert(out.begin(), {"main", 0, nullptr});
  return out;
}

Status Importer::signature(const std::string& name, std::int32_t index, const fbs::SignatureDef* def) {
  const fbs::SubGraph& graph = tflite_.subgraph(index);
  Frame frame;
  MOTE_ASSIGN(frame.function, add_function(name));
  Signature out{name, frame.function, {}};
  auto alias = [&](const auto* maps, std::int32_t tensor) -> std::string {
    for (std::size_t k = 0; k < size_of(maps); ++k) {
      const fbs::TensorMap* m = maps->Get(at(static_cast<std::int64_t>(k)));
      if (m->tensor_index() == static_cast<std::uint32_t>(tensor) && !text_of(m->name()).empty()) {
        return std::string(text_of(m->name()));
      }
    }
    return std::string(text_of(graph.tensors()->Get(at(tensor))->name()));
  };
  std::vector<Argument> arguments;
  std::set<std::string> taken;
  for (std::int32_t tensor : ints_of(graph.inputs())) {
    const fbs::Tensor& t = *graph.tensors()->Get(at(tensor));
    std::string port = alias(def ? def->inputs() : nullptr, tensor), base = port.empty() ? "input" : port;
    port = base;
    for (int k = 2; !taken.insert(port).second; ++k) port = concat(base, "_", k);
    Result<Type> type = input_type(t, port);
    if (!type.ok()) return std::move(type).status().at(concat("input ", quoted(port)));
    arguments.push_back({add_input(frame.function, port, *std::move(type)), {}});
    MOTE_TRY(note_quantization(t, port));
  }
  MOTE_ASSIGN(std::set<VariableId> used, variables_of(index, {}));
  std::int32_t position = static_cast<std::int32_t>(arguments.size());
  for (VariableId v : used) {
    ValueId state = add_input(frame.function, variable(v).name, variable(v).type);
    MOTE_ASSIGN(frame.variables[v], less_start(frame, v, state));
    out.states.push_back({variable(v).name, position++, kNone});
  }
  MOTE_ASSIGN(std::vector<Argument> results, inline_subgraph(frame, index, std::move(arguments), ""));
  std::vector<ValueId> outputs;
  std::vector<std::int32_t> tensors;
  for (std::int64_t t : ints_of(graph.outputs())) tensors.push_back(static_cast<std::int32_t>(t));
  for (std::size_t i = 0; i < results.size(); ++i) {
    std::string port = alias(def ? def->outputs() : nullptr, tensors[i]);
    if (results[i].value == kNone) return unsupported(concat("output ", quoted(port), " is a resource"));
    MOTE_ASSIGN(ValueId v, as_output(frame, results[i].value, outputs, port));
    if (!port.empty()) value(frame.function, v).name = port;
    outputs.push_back(v);
    MOTE_TRY(note_quantization(*graph.tensors()->Get(at(tensors[i])), port));
  }
  std::size_t k = 0;
  for (VariableId id : used) {
    std::string port = variable(id).name + "/next";
    MOTE_ASSIGN(ValueId next, less_start(frame, id, frame.variables[id]));
    MOTE_ASSIGN(ValueId v, as_output(frame, next, outputs, port));
    value(frame.function, v).name = port;
    out.states[k++].output = static_cast<std::int32_t>(outputs.size());
    outputs.push_back(v);
  }
  fn(frame.function).outputs = std::move(outputs);
  module_.signatures.push_back(std::move(out));
  return {};
}

}  // namespace mote::tflite
