#include "run_case.h"

#include <filesystem>

#include "formats/onnx/types.h"
#include "run_model.h"
#include "tflite_case.h"

namespace mote::conformance {
namespace {

struct Loaded {
  std::shared_ptr<const Source> file;
  onnx::ModelProto proto;
  std::vector<const onnx::ValueInfoProto*> inputs;  // without those that have an initializer
  bool is_random = false;
};

bool has_random(const std::vector<onnx::NodeProto>& nodes) {
  for (const onnx::NodeProto& n : nodes) {
    if (n.op_type.starts_with("Random") || n.op_type == "Bernoulli" || n.op_type == "Multinomial") return true;
    if (n.op_type == "Dropout" && n.inputs.size() > 2) return true;
    for (const onnx::AttributeProto& a : n.attributes) {
      if (a.g && has_random(a.g->nodes)) return true;
    }
  }
  return false;
}

Result<Loaded> load(const Case& c) {
  Loaded l;
  MOTE_ASSIGN(std::vector<std::byte> bytes, read_file(c.model));
  l.file = std::make_shared<const BufferSource>(std::move(bytes));
  MOTE_TRY(onnx::parse_model(l.file->bytes(), {}, l.proto));
  for (const onnx::ValueInfoProto& v : l.proto.graph.inputs) {
    bool initialized = false;
    for (const onnx::TensorProto& t : l.proto.graph.initializers) initialized = initialized || t.name == v.name;
    if (!initialized) l.inputs.push_back(&v);
  }
  l.is_random = has_random(l.proto.graph.nodes);
  return l;
}

// arange(n) / n, shaped as the input.
Result<TestValue> light_input(const onnx::ValueInfoProto& v) {
  TestValue t;
  t.dtype = DType::f32;
  std::int64_t n = 1;
  for (const onnx::DimProto& d : *v.type.shape) {
    t.shape.push_back(d.value.value_or(1));
    n *= t.shape.back();
  }
  std::vector<float> data(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    data[static_cast<std::size_t>(i)] = static_cast<float>(static_cast<double>(i) / static_cast<double>(n));
  t.bytes = to_bytes(std::span<const float>(data));
  return t;
}

Result<std::vector<NamedValue>> read_inputs(const Loaded& l, const std::string& folder) {
  std::vector<NamedValue> inputs;
  for (std::size_t i = 0; i < l.inputs.size(); ++i) {
    std::string path = folder + "/input_" + std::to_string(i) + ".pb";
    if (!std::filesystem::exists(path)) break;
    MOTE_ASSIGN(TestValue v, read_value(path, l.inputs[i]->type));
    inputs.push_back(NamedValue{std::string(l.inputs[i]->name), std::move(v)});
  }
  return inputs;
}

Status compare(const Loaded& l, const std::vector<TestValue>& expected, const std::vector<TestValue>& got) {
  if (expected.size() > got.size()) return invalid("gives fewer outputs than expected");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    std::string d = difference(expected[i], got[i], false);
    if (!d.empty() && l.is_random) d = difference(expected[i], got[i], true);
    if (!d.empty()) return invalid(d).at("output '" + std::string(l.proto.graph.outputs[i].name) + "'");
  }
  return {};
}

Status run_set(const Loaded& l, const std::string& folder, const std::string& column) {
  MOTE_ASSIGN(std::vector<NamedValue> inputs, read_inputs(l, folder));
  std::vector<TestValue> expected;
  for (std::size_t i = 0; i < l.proto.graph.outputs.size(); ++i) {
    std::string path = folder + "/output_" + std::to_string(i) + ".pb";
    if (!std::filesystem::exists(path)) break;
    MOTE_ASSIGN(TestValue v, read_value(path, l.proto.graph.outputs[i].type));
    expected.push_back(std::move(v));
  }
  MOTE_ASSIGN(std::vector<TestValue> got, run_model(l.file, inputs, column));
  return compare(l, expected, got);
}

Status run_light(const Loaded& l, const Case& c, const std::string& column) {
  if (l.inputs.size() != 1 || !l.inputs[0]->type.shape) return unsupported("a light network with other than one input");
  MOTE_ASSIGN(TestValue input, light_input(*l.inputs[0]));
  MOTE_ASSIGN(TestValue expected, read_value(c.light_output, l.proto.graph.outputs[0].type));
  MOTE_ASSIGN(std::vector<TestValue> got,
              run_model(l.file, {NamedValue{std::string(l.inputs[0]->name), input}}, column));
  return compare(l, {expected}, got);
}

// What of `inferred` contradicts `stated`.
std::string contradiction(const Type& stated, const Type& inferred) {
  std::string both = "the file says " + stated.to_string() + ", inferred " + inferred.to_string();
  if (stated.kind != inferred.kind) return both;
  if (!stated.is_tensor()) return contradiction(*stated.of, *inferred.of);
  if (inferred.dtype != stated.dtype && stated.dtype != DType::none) return both;
  if (!stated.shape || !inferred.shape) return {};
  if (stated.shape->size() != inferred.shape->size()) return both;
  for (std::size_t i = 0; i < stated.shape->size(); ++i) {
    const Dim &a = (*stated.shape)[i], &b = (*inferred.shape)[i];
    if (a.is_const() && b.is_const() && !(a == b)) return both;
  }
  return {};
}

Status check_types(const Loaded& l) {
  MOTE_ASSIGN(Module module, load_module(l.file));
  const Function& main = module.functions[0];
  for (std::size_t i = 0; i < main.outputs.size(); ++i) {
    const onnx::ValueInfoProto& o = l.proto.graph.outputs[i];
    auto symbol = [](const onnx::DimProto& d, std::size_t) -> Result<Dim> {
      return d.value ? Dim(*d.value) : Dim::symbol("n");
    };
    MOTE_ASSIGN(Type stated, onnx::type_of(o.type, symbol));
    const Value& v = main.values[static_cast<std::size_t>(main.outputs[i])];
    std::string d = contradiction(stated, v.type);
    if (!d.empty()) return invalid(d).at("output '" + std::string(o.name) + "'");
    if (v.name != o.name) return invalid("output is named '" + v.name + "', not '" + std::string(o.name) + "'");
  }
  return {};
}

}  // namespace

Outcome run_case(const Case& c, const std::string& column) {
  auto outcome = [](const Status& s) {
    return Outcome{s.ok() ? Verdict::kPassed : Verdict::kFailed, s.ok() ? "" : s.to_string()};
  };
  if (!c.arrays.empty()) return outcome(run_tflite_case(c, column));
  Result<Loaded> l = load(c);
  if (!l.ok()) return outcome(l.status());
  if (column == "import") return outcome(check_types(*l));
  if (!c.light_output.empty()) return outcome(run_light(*l, c, column));
  if (c.data_sets.empty()) return Outcome{Verdict::kSkipped, "no data"};
  for (const std::string& folder : c.data_sets) {
    if (Status s = run_set(*l, folder, column); !s.ok()) return outcome(s);
  }
  return {};
}

}  // namespace mote::conformance
