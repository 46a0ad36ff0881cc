#include "formats/emitter.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/text.h"

namespace mote {
namespace {

constexpr std::size_t kMaxKnownNarrow = 64;

// Required operands and attributes are there, and no more operands than the op has. Ops that declare none take any.
Status check_operands(const Node& node, int outputs) {
  const Op& op = *node.op;
  auto count = [](std::size_t n, const char* what) { return std::to_string(n) + what; };
  bool variadic = !op.inputs.empty() && op.inputs.back().arity == Arity::kVariadic;
  if (!op.inputs.empty() && !variadic && node.inputs.size() > op.inputs.size() && node.bodies.empty()) {
    return invalid("has " + count(node.inputs.size(), " inputs, but takes ") + count(op.inputs.size(), ""));
  }
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    bool absent = i >= node.inputs.size() || node.inputs[i] == kNone;
    if (absent && op.inputs[i].arity == Arity::kOne) {
      return invalid("input " + count(i, " '") + std::string(op.inputs[i].name) + "' is missing");
    }
  }
  for (std::size_t i = op.inputs.size(); variadic && i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNone && node.bodies.empty()) return invalid("input " + count(i, " is missing"));
  }
  if (variadic && node.bodies.empty() && node.inputs.size() >= op.inputs.size() &&
      node.inputs[op.inputs.size() - 1] == kNone) {
    return invalid("input " + count(op.inputs.size() - 1, " is missing"));
  }
  bool many_outputs = !op.outputs.empty() && op.outputs.back().arity == Arity::kVariadic;
  if (!op.outputs.empty() && !many_outputs && static_cast<std::size_t>(outputs) > op.outputs.size()) {
    return invalid("has " + count(static_cast<std::size_t>(outputs), " outputs, but gives ") +
                   count(op.outputs.size(), ""));
  }
  for (const AttrSpec& a : op.attrs) {
    if (a.required && !node.attrs.has(a.name)) return invalid("attribute '" + std::string(a.name) + "' is missing");
  }
  return {};
}

}  // namespace

Result<FunctionId> Emitter::add_function(std::string name) {
  FunctionId id = static_cast<FunctionId>(module_.functions.size());
  module_.functions.emplace_back();
  module_.functions.back().name = std::move(name);
  known_.emplace_back();
  constant_values_.emplace_back();
  return id;
}

void Emitter::drop_functions(FunctionId first) {
  std::size_t n = static_cast<std::size_t>(first);
  module_.functions.resize(n);
  known_.resize(n);
  constant_values_.resize(n);
}

Result<ConstantId> Emitter::add_constant(Constant c) {
  if (c.source != file_) {
    constant_bytes_ += c.source->bytes().size() == c.size ? c.size : 0;
    if (constant_bytes_ > max_constants_ && c.source->name.empty()) {
      return Status(Code::kResourceExhausted,
                    "constants need more than " + std::to_string(max_constants_) + " bytes of memory");
    }
  }
  return module_.add_constant(std::move(c));
}

Result<ValueId> Emitter::constant_value(FunctionId f, ConstantId c) {
  auto& values = constant_values_[static_cast<std::size_t>(f)];
  if (auto it = values.find(c); it != values.end()) return it->second;
  const Constant& data = module_.constants[static_cast<std::size_t>(c)];
  ValueId v = fn(f).add_value(data.name, data.type);
  value(f, v).constant = c;
  // What shapes depend on has 32 bits or more: of what has fewer, no more than is read where it is small.
  const std::size_t most = bits_of(data.stored_dtype) < 32 ? kMaxKnownNarrow : kMaxKnown;
  if (auto small = small_ints(data, most)) known(f, v) = KnownValue(small->begin(), small->end());
  values.emplace(c, v);
  return v;
}

std::optional<KnownValue>& Emitter::known(FunctionId f, ValueId v) {
  auto& list = known_[static_cast<std::size_t>(f)];
  if (list.size() <= static_cast<std::size_t>(v)) list.resize(fn(f).values.size());
  return list[static_cast<std::size_t>(v)];
}

void Emitter::miss(std::string what, std::string_view node_name) {
  auto it = std::find_if(missing_.begin(), missing_.end(), [&](const Missing& m) { return m.what == what; });
  if (it == missing_.end()) it = missing_.insert(missing_.end(), Missing{std::move(what), {}});
  it->nodes.emplace_back(node_name);
}

std::vector<std::string> Emitter::missing_texts() const {
  std::vector<std::string> texts;
  for (const Missing& m : missing_) {
    std::string text = m.what + " (";
    std::size_t shown = std::min<std::size_t>(m.nodes.size(), 5);
    for (std::size_t k = 0; k < shown; ++k) {
      if (k) text += ", ";
      text += quoted(m.nodes[k]);
    }
    if (m.nodes.size() > shown) text += " and " + std::to_string(m.nodes.size() - shown) + " more";
    texts.push_back(text + ")");
  }
  return texts;
}

Status Emitter::missing_status() const {
  std::string text = "the model needs what Mote does not have: ";
  bool first = true;
  for (const std::string& m : missing_texts()) {
    text += (first ? "" : "; ") + m;
    first = false;
  }
  return unsupported(std::move(text))
      .hint("export without these operators, or register them as custom ops; 'mote ops' lists what there is");
}

void Emitter::unique_names() {
  // The names that are taken, where they are kept, each with the number that the next one of its kind tries first.
  using Names = std::unordered_map<std::string_view, int>;
  auto claim = [](Names& taken, std::string& name, std::string_view otherwise) {
    if (name.empty()) name = otherwise;
    const auto [first, fresh] = taken.try_emplace(name, 2);
    if (fresh) return;
    const std::string_view base = first->first;
    int& number = first->second;
    do {
      name = concat(base, "_", std::to_string(number++));
    } while (!taken.try_emplace(name, 2).second);
  };
  Names functions, constants;
  constants.reserve(module_.constants.size());
  for (Constant& c : module_.constants) claim(constants, c.name, "constant");
  for (Function& f : module_.functions) {
    f.reindex();
    claim(functions, f.name, "function");
    Names values, nodes;
    values.reserve(f.values.size());
    nodes.reserve(f.nodes.size());
    std::vector<char> done(f.values.size());
    auto name_value = [&](ValueId v) {
      if (v == kNone || done[static_cast<std::size_t>(v)]) return;
      done[static_cast<std::size_t>(v)] = 1;
      Value& value = f.values[static_cast<std::size_t>(v)];
      std::string_view otherwise = "value";
      if (value.producer != kNone) otherwise = f.nodes[static_cast<std::size_t>(value.producer)].name;
      claim(values, value.name, otherwise);
    };
    for (ValueId v : f.inputs) name_value(v);
    for (ValueId v : f.outputs) name_value(v);
    for (Node& n : f.nodes) claim(nodes, n.name, n.op ? n.op->name : "node");
    for (ValueId v = 0; v < static_cast<ValueId>(f.values.size()); ++v) name_value(v);
  }
}

Status Emitter::fill_bodies(const Node& node, FunctionId f, InferContext& ctx) {
  bool is_loop = node.op->name == "loop";
  for (FunctionId b : node.bodies) {
    std::vector<Type> types;
    for (ValueId v : fn(b).outputs) types.push_back(value(b, v).type);
    std::size_t carried = is_loop ? static_cast<std::size_t>(ctx.attr_int("carried")) : 0;
    for (std::size_t i = 0; i < carried; ++i) {
      if (i + 1 >= types.size() || i + 2 >= node.inputs.size()) return ctx.error("has too few carried values");
      const Type& initial = value(f, node.inputs[i + 2]).type;
      Type& type = types[i + 1];
      if (type.is_tensor() && !(type == initial)) type.shape.reset();
    }
    ctx.body_outputs_.push_back(std::move(types));
  }
  return {};
}

Result<std::vector<ValueId>> Emitter::emit(FunctionId f, const Op* op, std::string name, std::vector<ValueId> inputs,
                                           Attrs attrs, int outputs, std::vector<FunctionId> bodies,
                                           std::uint64_t wanted) {
  if (++node_count_ > max_nodes_) {
    return Status(Code::kResourceExhausted, "more than " + std::to_string(max_nodes_) + " nodes")
        .at("node " + quoted(name));
  }
  Node node;
  node.op = op;
  node.name = std::move(name);
  node.inputs = std::move(inputs);
  node.attrs = std::move(attrs);
  node.bodies = std::move(bodies);
  std::vector<Type> types(static_cast<std::size_t>(outputs));
  std::vector<std::optional<KnownValue>> values(static_cast<std::size_t>(outputs));
  if (op) {
    InferContext ctx(*op, node.attrs, node.name);
    ctx.output_count_ = outputs;
    ctx.fresh_name_ = [this] { return fresh_name(); };
    ctx.types_.reserve(node.inputs.size());
    ctx.values_.reserve(node.inputs.size());
    ctx.floats_.reserve(node.inputs.size());
    for (ValueId v : node.inputs) {
      ctx.types_.push_back(v == kNone ? nullptr : &value(f, v).type);
      ctx.values_.push_back(v == kNone ? std::nullopt : known(f, v));
      ConstantId c = v == kNone ? kNone : value(f, v).constant;
      ctx.floats_.push_back(c == kNone ? std::nullopt
                                       : small_floats(module_.constants[static_cast<std::size_t>(c)], kMaxKnown));
    }
    Status s = check_operands(node, outputs);
    if (s.ok()) s = fill_bodies(node, f, ctx);
    if (s.ok() && op->infer) s = op->infer(ctx);
    if (s.ok()) {
      ctx.out_types_.resize(types.size());
      ctx.out_values_.resize(values.size());
      types = std::move(ctx.out_types_);
      values = std::move(ctx.out_values_);
    } else if (missing_.empty()) {
      return s;
    }
  }
  NodeId id = static_cast<NodeId>(fn(f).nodes.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i < 64 && (wanted >> i & 1) == 0) {
      node.outputs.push_back(kNone);
      continue;
    }
    ValueId v = fn(f).add_value("", std::move(types[i]));
    value(f, v).producer = id;
    known(f, v) = std::move(values[i]);
    node.outputs.push_back(v);
  }
  std::vector<ValueId> result = node.outputs;
  fn(f).nodes.push_back(std::move(node));
  return result;
}

Constant plain_constant(std::string name, DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes) {
  Constant c;
  c.name = std::move(name);
  c.type = Type::tensor(dtype, Shape(shape.begin(), shape.end()));
  c.size = bytes.size();
  c.stored_dtype = dtype;
  c.stored_shape = std::move(shape);
  c.source = std::make_shared<BufferSource>(std::move(bytes));
  return c;
}

Status check_location(std::string_view location) {
  auto bad = [&](const char* why) {
    std::string shown;
    for (char c : location.substr(0, 120)) shown += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
    return invalid("external data: location '" + shown + "' " + why)
        .hint("external data must lie in the folder of the model");
  };
  if (location.empty()) return bad("is empty");
  if (location.find('\0') != std::string_view::npos) return bad("contains a NUL byte");
  if (location.find('\\') != std::string_view::npos) return bad("contains a backslash");
  if (location.find(':') != std::string_view::npos) return bad("contains a colon");
  if (location.front() == '/') return bad("is absolute");
  for (std::size_t start = 0; start <= location.size();) {
    std::size_t end = std::min(location.find('/', start), location.size());
    if (location.substr(start, end - start) == "..") return bad("leaves the folder of the model");
    start = end + 1;
  }
  if (location.back() == '/' || location == "." || location.ends_with("/.")) return bad("names a folder");
  return {};
}

}  // namespace mote
