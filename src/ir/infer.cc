#include "ir/infer.h"

#include <algorithm>

#include "ir/operand_values.h"

namespace mote {

const KnownValue* InferContext::value(int i) const {
  if (i >= static_cast<int>(values_.size()) || !values_[static_cast<std::size_t>(i)]) return nullptr;
  return &*values_[static_cast<std::size_t>(i)];
}

std::optional<std::vector<std::int64_t>> InferContext::const_value(int i) const {
  const KnownValue* v = value(i);
  if (!v) return std::nullopt;
  return constant_extents(*v);
}

const std::vector<double>* InferContext::float_value(int i) const {
  if (i >= static_cast<int>(floats_.size()) || !floats_[static_cast<std::size_t>(i)]) return nullptr;
  return &*floats_[static_cast<std::size_t>(i)];
}

Result<int> InferContext::axis(std::int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank) {
    return error("axis " + std::to_string(axis) + " is outside a tensor of rank " + std::to_string(rank));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

void InferContext::output(int i, Type type) {
  if (static_cast<int>(out_types_.size()) <= i) out_types_.resize(static_cast<std::size_t>(i) + 1);
  out_types_[static_cast<std::size_t>(i)] = std::move(type);
}

void InferContext::output_value(int i, KnownValue value) {
  if (value.size() > kMaxKnown) return;
  if (static_cast<int>(out_values_.size()) <= i) out_values_.resize(static_cast<std::size_t>(i) + 1);
  out_values_[static_cast<std::size_t>(i)] = std::move(value);
}

Dim InferContext::fresh() { return Dim::symbol(fresh_name_()); }

Shape InferContext::fresh_shape(int rank) {
  Shape s;
  for (int i = 0; i < rank; ++i) s.push_back(fresh());
  return s;
}

Status InferContext::error(std::string message) const {
  return invalid(std::move(message)).at(std::string(op_.name) + " '" + std::string(node_name_) + "'");
}

bool is_fresh_symbol(std::string_view name) {
  return name.size() > 1 && name[0] == '$' &&
         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Type join(const Type& a, const Type& b, const std::function<std::string()>& fresh) {
  if (a == b) return a;
  if (a.kind != b.kind || (a.is_tensor() && a.dtype != b.dtype)) return a.kind == Type::Kind::kTensor ? b : a;
  if (!a.is_tensor()) {
    Type t = a;
    t.of = std::make_shared<const Type>(join(*a.of, *b.of, fresh));
    return t;
  }
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) return Type::tensor(a.dtype);
  Shape s = *a.shape;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (!(s[i] == (*b.shape)[i]) && !is_fresh_symbol(s[i].symbol_name())) s[i] = Dim::symbol(fresh());
  }
  return Type::tensor(a.dtype, std::move(s));
}

namespace {

constexpr int kMaxDepth = 64;

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Status Inference::run() {
  known_.assign(module_.functions.size(), {});
  for (std::size_t f = 0; f < module_.functions.size(); ++f) known_[f].resize(module_.functions[f].values.size());
  for (const Signature& s : module_.signatures) MOTE_TRY(function(s.function, 0));
  return {};
}

Status Inference::function(FunctionId id, int depth) {
  if (depth > kMaxDepth) return invalid("functions are nested more than " + std::to_string(kMaxDepth) + " deep");
  Function& f = module_.functions[at(id)];
  known_[at(id)].resize(f.values.size());
  for (std::size_t v = 0; v < f.values.size(); ++v) {
    if (f.values[v].constant != kNone) f.values[v].type = module_.constants[at(f.values[v].constant)].type;
  }
  for (std::size_t n = 0; n < f.nodes.size(); ++n) {
    if (f.nodes[n].op != nullptr) MOTE_TRY(node(id, static_cast<NodeId>(n), depth));
  }
  return {};
}

Status Inference::node(FunctionId fid, NodeId nid, int depth) {
  Function& f = module_.functions[at(fid)];
  Node& node = f.nodes[at(nid)];
  InferContext ctx(*node.op, node.attrs, node.name);
  ctx.output_count_ = static_cast<int>(node.outputs.size());
  ctx.fresh_name_ = [this] { return "$" + std::to_string(next_fresh_++); };
  ctx.types_.reserve(node.inputs.size());
  ctx.values_.reserve(node.inputs.size());
  ctx.floats_.reserve(node.inputs.size());
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    ValueId v = node.inputs[i];
    ctx.types_.push_back(v == kNone ? nullptr : &f.values[at(v)].type);
    const Constant* c =
        v == kNone || f.values[at(v)].constant == kNone ? nullptr : &module_.constants[at(f.values[at(v)].constant)];
    if (c && !known_[at(fid)][at(v)]) known_[at(fid)][at(v)] = operand_ints(*node.op, i, *c);
    ctx.values_.push_back(v == kNone ? std::nullopt : known_[at(fid)][at(v)]);
    ctx.floats_.push_back(c ? operand_floats(*node.op, i, *c) : std::nullopt);
  }
  if (!node.bodies.empty()) MOTE_TRY(control(fid, node, ctx, depth));
  if (node.op->infer) MOTE_TRY(node.op->infer(ctx));
  Function& g = module_.functions[at(fid)];
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    ValueId v = g.nodes[at(nid)].outputs[i];
    if (v == kNone) continue;
    Type& stated = g.values[at(v)].type;
    if (i < ctx.out_types_.size()) {
      Type& inferred = ctx.out_types_[i];
      if (inferred.is_tensor() && inferred.dtype == DType::none && stated.is_tensor()) inferred.dtype = stated.dtype;
      stated = std::move(inferred);
    }
    known_[at(fid)][at(v)] = i < ctx.out_values_.size() ? std::move(ctx.out_values_[i]) : std::nullopt;
  }
  return {};
}

// Bodies: `if` passes inputs[1..] to both; `loop` passes (iteration, condition, carried..., captured...); `call` passes
// all.
Status Inference::control(FunctionId fid, Node& node, InferContext& ctx, int depth) {
  const bool is_loop = node.op->name == "loop";
  const std::size_t skip = node.op->name == "if" ? 1 : 0;
  std::vector<Type> args;
  std::vector<std::optional<KnownValue>> known;
  std::size_t carried = is_loop ? static_cast<std::size_t>(std::max<std::int64_t>(0, ctx.attr_int("carried"))) : 0;
  if (is_loop) {
    if (node.inputs.size() < 2 + carried) return ctx.error("has fewer inputs than carried values");
    args = {Type::tensor(DType::i64, Shape()), Type::tensor(DType::boolean, Shape())};
    known.resize(2);
  }
  for (std::size_t i = is_loop ? 2 : skip; i < node.inputs.size(); ++i) {
    ValueId v = node.inputs[i];
    if (v == kNone) return ctx.error("passes an absent value to its body");
    args.push_back(module_.functions[at(fid)].values[at(v)].type);
    bool changes = is_loop && i - 2 < carried;
    known.push_back(changes ? std::nullopt : known_[at(fid)][at(v)]);
  }
  for (FunctionId b : node.bodies) {
    // A loop's carried extents may change per iteration: widen until the body gives back what it takes.
    for (int round = 0; round < 4; ++round) {
      Function& body = module_.functions[at(b)];
      if (body.inputs.size() != args.size()) {
        return ctx.error("passes " + std::to_string(args.size()) + " values to '" + body.name + "', which takes " +
                         std::to_string(body.inputs.size()));
      }
      known_[at(b)].assign(body.values.size(), std::nullopt);
      for (std::size_t i = 0; i < args.size(); ++i) {
        body.values[at(body.inputs[i])].type = args[i];
        known_[at(b)][at(body.inputs[i])] = known[i];
      }
      MOTE_TRY(function(b, depth + 1));
      bool same = true;
      if (is_loop) {
        const Function& done = module_.functions[at(b)];
        if (done.outputs.size() < 1 + carried) return ctx.error("body gives fewer values than the loop carries");
        for (std::size_t i = 0; i < carried; ++i) {
          Type wide = join(args[2 + i], done.values[at(done.outputs[1 + i])].type, ctx.fresh_name_);
          if (!(wide == args[2 + i])) same = false;
          args[2 + i] = std::move(wide);
        }
      }
      if (same) break;
    }
    std::vector<Type> outs;
    const Function& body = module_.functions[at(b)];
    for (ValueId v : body.outputs) outs.push_back(body.values[at(v)].type);
    // What leaves the loop may differ from the body's last result by the widened extents.
    // An optional that the body replaces by what it holds is no optional any more.
    for (std::size_t i = 0; is_loop && i < carried; ++i) {
      if (outs[1 + i].kind == args[2 + i].kind) outs[1 + i] = args[2 + i];
    }
    ctx.body_outputs_.push_back(std::move(outs));
  }
  return {};
}

}  // namespace mote
