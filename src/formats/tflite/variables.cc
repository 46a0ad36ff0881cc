// Variables and hash tables: handles are followed while importing, values of variables are carried along.
#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

std::string resource_name(const fbs::VarHandleOptions& o) {
  std::string name = text_of(o.container()).empty() ? "" : concat(text_of(o.container()), "/");
  return name + std::string(text_of(o.shared_name()));
}

Type declared(const fbs::Tensor& t) {
  std::vector<std::int64_t> shape = ints_of(t.shape());
  return Type::tensor(dtype_of(t.type()), Shape(shape.begin(), shape.end()));
}

flatbuffers::uoffset_t at(std::int64_t i) { return static_cast<flatbuffers::uoffset_t>(i); }

}  // namespace

Result<VariableId> Importer::variable(std::string_view name, const Type& type) {
  auto it = variable_ids_.find(name);
  if (it == variable_ids_.end()) {
    it = variable_ids_.emplace(std::string(name), static_cast<VariableId>(variables_.size())).first;
    variables_.push_back({std::string(name), Type()});
  }
  Type& known = variables_[static_cast<std::size_t>(it->second)].type;
  if (known.dtype == DType::none) known = type;
  return it->second;
}

Result<ValueId> Importer::read_variable(Frame& frame, VariableId id) {
  auto it = frame.variables.find(id);
  if (it == frame.variables.end())
    return internal_error(concat("variable ", mote::quoted(variable(id).name), " is not carried"));
  return it->second;
}

namespace {

// Follows handles through subgraphs, without reading anything into the module.
class Scan {
 public:
  Scan(Importer& importer, std::size_t limit) : importer_(importer), limit_(limit) {}

  Result<std::vector<Handle>> subgraph(std::int64_t number, const std::vector<Handle>& arguments) {
    MOTE_ASSIGN(std::int32_t index, importer_.subgraph_index(number));
    const fbs::SubGraph& graph = importer_.file().subgraph(index);
    if (static_cast<int>(++depth_) > importer_.options().limits.max_depth)
      return invalid("subgraphs are nested too deeply, or call themselves");
    std::vector<Handle> handles(size_of(graph.tensors()));
    for (std::size_t i = 0; i < arguments.size() && i < size_of(graph.inputs()); ++i) {
      handles[static_cast<std::size_t>(graph.inputs()->Get(at(static_cast<std::int64_t>(i))))] = arguments[i];
    }
    for (std::size_t i = 0; i < size_of(graph.operators()); ++i) {
      MOTE_TRY(op(index, graph, *graph.operators()->Get(at(static_cast<std::int64_t>(i))), handles));
    }
    --depth_;
    std::vector<Handle> out;
    for (std::int64_t t : ints_of(graph.outputs())) out.push_back(handles[static_cast<std::size_t>(t)]);
    return out;
  }

  std::set<VariableId> used;

 private:
  Status op(std::int32_t index, const fbs::SubGraph& graph, const fbs::Operator& op, std::vector<Handle>& handles) {
    if (++seen_ > limit_)
      return Status(Code::kResourceExhausted, concat("more than ", limit_, " operators in subgraphs"));
    std::vector<std::int64_t> inputs = ints_of(op.inputs()), outputs = ints_of(op.outputs());
    std::vector<Handle> passed;
    for (std::int64_t t : inputs) {
      passed.push_back(t < 0 ? Handle() : handles[static_cast<std::size_t>(t)]);
      const fbs::Tensor* tensor = t < 0 ? nullptr : graph.tensors()->Get(at(t));
      if (!tensor || !tensor->is_variable()) continue;
      MOTE_ASSIGN(VariableId v, importer_.variable(concat("tensor ", index, "/", t), declared(*tensor)));
      used.insert(v);
      const Result<Quantization> q = quantization_of(*tensor);
      if (dtype_of(tensor->type()) == DType::i8 && q.ok() && q->per_tensor())
        importer_.start_at(v, static_cast<std::int8_t>(q->zero_point()));
    }
    auto give = [&](const std::vector<Handle>& made) {
      for (std::size_t i = 0; i < made.size() && i < outputs.size(); ++i)
        handles[static_cast<std::size_t>(outputs[i])] = made[i];
    };
    auto touch = [&](std::int64_t of) -> Status {
      if (passed.empty() || passed[0].kind != Handle::Kind::kVariable) return {};
      const Type& known = importer_.variable(passed[0].id).type;
      if (known.dtype == DType::none && of >= 0) {
        MOTE_TRY(importer_.variable(importer_.variable(passed[0].id).name, declared(*graph.tensors()->Get(at(of))))
                     .status());
      }
      used.insert(passed[0].id);
      return {};
    };
    switch (operator_of(importer_.file().code(op))) {
      case fbs::BuiltinOperator::VAR_HANDLE:
        if (const auto* o = op.builtin_options_as_VarHandle()) {
          MOTE_ASSIGN(VariableId v, importer_.variable(resource_name(*o), Type()));
          give({{Handle::Kind::kVariable, v}});
        }
        return {};
      case fbs::BuiltinOperator::READ_VARIABLE:
        return touch(outputs.empty() ? -1 : outputs[0]);
      case fbs::BuiltinOperator::ASSIGN_VARIABLE:
        return touch(inputs.size() < 2 ? -1 : inputs[1]);
      case fbs::BuiltinOperator::IF:
        if (const auto* o = op.builtin_options_as_If()) {
          passed.erase(passed.begin(), passed.begin() + (passed.empty() ? 0 : 1));
          MOTE_TRY(subgraph(o->then_subgraph(), passed).status());
          MOTE_ASSIGN(std::vector<Handle> made, subgraph(o->else_subgraph(), passed));
          give(made);
        }
        return {};
      case fbs::BuiltinOperator::WHILE:
        if (const auto* o = op.builtin_options_as_While()) {
          MOTE_TRY(subgraph(o->cond_subgraph(), passed).status());
          MOTE_TRY(subgraph(o->body_subgraph(), passed).status());
          give(passed);
        }
        return {};
      case fbs::BuiltinOperator::CALL:
        if (const auto* o = op.builtin_options_as_Call()) {
          MOTE_ASSIGN(std::vector<Handle> made, subgraph(o->subgraph(), passed));
          give(made);
        }
        return {};
      case fbs::BuiltinOperator::STABLEHLO_COMPOSITE:
        if (const auto* o = op.builtin_options_2_as_StableHLOComposite()) {
          MOTE_ASSIGN(std::vector<Handle> made, subgraph(o->decomposition_subgraph(), passed));
          give(made);
        }
        return {};
      case fbs::BuiltinOperator::CALL_ONCE:
        if (const auto* o = op.builtin_options_as_CallOnce()) {
          std::size_t before = used.size();
          MOTE_TRY(subgraph(o->init_subgraph(), {}).status());
          // Without variables (tables alone) there is nothing to remember. Variables used before are there already.
          if (used.size() != before || touches_variables(o->init_subgraph())) {
            MOTE_ASSIGN(VariableId v, importer_.variable(concat("call_once/", o->init_subgraph()),
                                                         Type::tensor(DType::boolean, Shape())));
            used.insert(v);
          }
        }
        return {};
      case fbs::BuiltinOperator::MULTINOMIAL:
      case fbs::BuiltinOperator::RANDOM_STANDARD_NORMAL:
      case fbs::BuiltinOperator::RANDOM_UNIFORM:
        return keep(random_states(op), index, graph, op);
      case fbs::BuiltinOperator::CUSTOM: {
        MOTE_ASSIGN(std::optional<Range> options, importer_.file().custom_options(op));
        return keep(hidden_states(graph, op, text_of(importer_.file().code(op).custom_code()),
                                  options ? options->bytes() : std::span<const std::byte>()),
                    index, graph, op);
      }
      default:
        return {};
    }
  }

  // The operator's own states are variables.
  Status keep(const std::vector<std::pair<std::string_view, Type>>& states, std::int32_t index,
              const fbs::SubGraph& graph, const fbs::Operator& op) {
    for (const auto& [name, type] : states) {
      MOTE_ASSIGN(VariableId v, importer_.variable(hidden_name(graph, index, op, name), type));
      used.insert(v);
    }
    return {};
  }

  bool touches_variables(std::int64_t index) {
    Scan inner(importer_, limit_ - seen_);
    return inner.subgraph(index, {}).ok() && !inner.used.empty();
  }

  Importer& importer_;
  std::size_t limit_, seen_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::set<VariableId>> Importer::variables_of(std::int32_t index, const std::vector<Handle>& arguments) {
  Scan scan(*this, options_.limits.max_nodes);
  MOTE_TRY(scan.subgraph(index, arguments).status());
  return std::move(scan.used);
}

Status import_var_handle(NodeContext& n) {
  auto* o = n.options<fbs::VarHandleOptions>(fbs::BuiltinOptions::VarHandle);
  if (!o) return invalid("has no options");
  MOTE_ASSIGN(VariableId v, n.importer().variable(resource_name(*o), Type()));
  n.output_handle(0, {Handle::Kind::kVariable, v});
  return {};
}

Status import_read_variable(NodeContext& n) {
  if (n.handle(0).kind != Handle::Kind::kVariable) return invalid("reads what is no variable");
  MOTE_ASSIGN(ValueId v, n.importer().read_variable(n.frame(), n.handle(0).id));
  n.output(0, v);
  return {};
}

Status import_assign_variable(NodeContext& n) {
  if (n.handle(0).kind != Handle::Kind::kVariable || !n.has(1)) return invalid("assigns to what is no variable");
  n.frame().variables[n.handle(0).id] = n.in(1);
  return {};
}

}  // namespace mote::tflite
