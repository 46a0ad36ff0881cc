#include "quant/layers.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "base/text.h"
#include "ir/builder.h"
#include "ir/infer.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "quant/weights.h"

namespace mote::quant {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
FunctionId main_id(const Module& m) { return m.signatures.empty() ? 0 : m.signatures[0].function; }
const Function& main_function(const Module& m) { return m.functions[at(main_id(m))]; }
Function& main_function(Module& m) { return m.functions[at(main_id(m))]; }
bool contains(std::span<const std::string_view> list, std::string_view s) {
  return std::ranges::find(list, s) != list.end();
}
ConstantId constant_of(const Function& f, ValueId v) { return v == kNone ? kNone : f.values[at(v)].constant; }
ValueId input_of(const Node& n, std::size_t i) { return i < n.inputs.size() ? n.inputs[i] : kNone; }

namespace {

// matmul with a bias: what ONNX has no operator for. As gemm where the operands are matrices, else as a sum.
Status part_bias(Module& m) {
  FunctionId id = main_id(m);
  std::vector<Node> old = std::move(m.functions[at(id)].nodes), now;
  std::map<ValueId, ValueId> renamed;
  for (Node& n : old) {
    for (ValueId& v : n.inputs) {
      if (auto it = renamed.find(v); it != renamed.end()) v = it->second;
    }
    if (n.op->name != "matmul" || (input_of(n, 2) == kNone && attr_int(*n.op, n.attrs, "trans_a") == 0 &&
                                   attr_int(*n.op, n.attrs, "trans_b") == 0)) {
      now.push_back(std::move(n));
      continue;
    }
    Builder b(m, id, builtin_ops(), n.name + "/");
    ValueId y = kNone;
    if (b.rank(n.inputs[0]) == 2 && b.rank(n.inputs[1]) == 2) {
      y = b.add("gemm", n.inputs,
                {{"transA", attr_int(*n.op, n.attrs, "trans_a")}, {"transB", attr_int(*n.op, n.attrs, "trans_b")}});
    } else {
      auto turned = [&](std::size_t i, std::string_view flag) {
        if (attr_int(*n.op, n.attrs, flag) == 0) return n.inputs[i];
        std::vector<std::int64_t> perm;
        for (int k = 0; k < b.rank(n.inputs[i]); ++k) perm.push_back(k);
        if (perm.size() >= 2) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
        return b.add("transpose", {n.inputs[i]}, {{"perm", perm}});
      };
      y = b.add("matmul", {turned(0, "trans_a"), turned(1, "trans_b")});
      if (input_of(n, 2) != kNone) y = b.add("add", {y, n.inputs[2]});
    }
    MOTE_TRY(Status(b.status()));
    for (Node& made : b.nodes()) now.push_back(std::move(made));
    now.back().name = n.name;
    Function& f = m.functions[at(id)];
    std::swap(f.values[at(y)].name, f.values[at(n.outputs[0])].name);
    renamed[n.outputs[0]] = y;
  }
  Function& f = m.functions[at(id)];
  f.nodes = std::move(now);
  for (ValueId& v : f.outputs) {
    if (auto it = renamed.find(v); it != renamed.end()) v = it->second;
  }
  f.reindex();
  return {};
}

Status compute_constants(Module& m) {
  for (ConstantId id = 0; id < static_cast<ConstantId>(m.constants.size()); ++id) {
    const Constant& c = m.constants[at(id)];
    bool computes = std::ranges::any_of(c.transforms, [](const Transform& t) {
      return t.kind == Transform::Kind::kScale || t.kind == Transform::Kind::kCast;
    });
    if (!computes || c.type.dtype != DType::f32) continue;
    MOTE_ASSIGN(Floats values, read_floats(m, id));
    ConstantId made = add_floats(m, c.name, values);
    Type type = m.constants[at(id)].type;
    m.constants[at(id)] = m.constants[at(made)];
    m.constants[at(id)].type = std::move(type);
    m.constants.pop_back();
  }
  return {};
}

}  // namespace

Status simplify_graph(Module& m) {
  PassOptions with;
  with.only = {"dce", "unpack_lists", "simplify", "cse", "raise_pool", "fold_pad", "fold_batch_norm", "fold_affine"};
  MOTE_TRY(run_passes(m, builtin_ops(), with));
  MOTE_TRY(part_bias(m));
  MOTE_TRY(compute_constants(m));
  return Inference(m).run();
}

Status check_not_quantized(const Module& m) {
  std::map<std::string_view, int> found;
  for (const Function& f : m.functions) {
    for (const Node& n : f.nodes) {
      std::string_view op = n.op->name;
      if (op.starts_with("qlinear_") || op == "quantize_linear" || op == "dequantize_linear" || op == "conv_integer" ||
          op == "matmul_integer" || op == "dynamic_quantize_linear" || op == "requantize" || op == "matmul_nbits")
        ++found[op];
    }
  }
  if (found.empty()) return {};
  std::vector<std::string> list;
  for (const auto& [op, count] : found) list.push_back(concat(count, " ", op));
  return invalid("the model is quantized already: it has " + join(list))
      .hint("quantize the float model that it was made from");
}

namespace {

std::string plain(std::string_view s) {
  std::string out;
  for (char c : s) {
    if (c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

bool names(const std::vector<std::string>& list, const Layer& layer, std::string_view op) {
  return std::ranges::any_of(list, [&](const std::string& s) { return s == layer.name || plain(s) == plain(op); });
}

std::int64_t count_of(const Function& f, ValueId v) {
  const Type& t = f.values[at(v)].type;
  std::int64_t n = 1;
  if (!t.has_rank()) return 0;
  for (const Dim& d : *t.shape) n *= d.known().value_or(1);
  return n;
}

// Extents of a constant; empty where it is no constant of f32.
std::vector<std::int64_t> extents_of(const Module& m, ConstantId c) {
  if (c == kNone || m.constants[at(c)].type.dtype != DType::f32) return {};
  return constant_extents(*m.constants[at(c)].type.shape).value_or(std::vector<std::int64_t>());
}

void describe_conv(const Module& m, const Function& f, const Node& n, Layer& l) {
  l.kind = Layer::Kind::kConv;
  std::vector<std::int64_t> w = extents_of(m, l.weights);
  l.bias = constant_of(f, input_of(n, 2));
  if (w.size() < 3) {
    l.stays = "its weights are no constant of f32";
  } else if (attr_string(*n.op, n.attrs, "data_layout") != "NCX" ||
             attr_string(*n.op, n.attrs, "weight_layout") != "OIX") {
    l.stays = "channels do not come first";
  } else if (input_of(n, 2) != kNone && extents_of(m, l.bias).empty()) {
    l.stays = "its bias is no constant of f32";
  }
  if (w.size() < 3) return;
  l.channels = w[0];
  l.group = attr_int(*n.op, n.attrs, "group");
  l.depth = 1;
  for (std::size_t i = 1; i < w.size(); ++i) l.depth *= w[i];
  l.macs = count_of(f, n.outputs[0]) * l.depth;
}

void describe_product(const Module& m, const Function& f, const Node& n, Layer& l) {
  bool gemm = n.op->name == "gemm";
  l.kind = gemm ? Layer::Kind::kGemm : Layer::Kind::kMatmul;
  std::vector<std::int64_t> w = extents_of(m, l.weights);
  bool trans_b = gemm && attr_int(*n.op, n.attrs, "transB") != 0;
  if (l.weights == kNone) {
    l.stays = constant_of(f, n.inputs[0]) != kNone ? "its weights are the first operand"
                                                   : "both operands are activations: such products stay in f32";
  } else if (w.size() != 2) {
    l.stays = "its weights are no matrix of f32";
  }
  if (gemm) {
    l.bias = constant_of(f, input_of(n, 2));
    if (attr_int(*n.op, n.attrs, "transA") != 0) l.stays = "its first operand is transposed";
    if (input_of(n, 2) != kNone && extents_of(m, l.bias).empty() && !small_floats(m.constants[at(std::max(l.bias, 0))]))
      l.stays = "its bias is no constant of f32";
  }
  if (w.size() != 2) return;
  l.axis = trans_b ? 0 : 1;
  l.channels = w[at(l.axis)];
  l.depth = w[at(1 - l.axis)];
  l.macs = count_of(f, n.outputs[0]) * l.depth;
}

struct Other {
  std::string_view op;
  std::size_t first, last;  // operands that are weights
  int axis;
};
constexpr Other kOthers[] = {
    {"conv_transpose", 1, 1, 1}, {"lstm", 1, 2, 1}, {"gru", 1, 2, 1}, {"rnn", 1, 2, 1}, {"gather", 0, 0, 0}};

bool only_weights(QuantizeScheme s) { return s == QuantizeScheme::kWeightOnly8 || s == QuantizeScheme::kF16; }

bool describe(const Module& m, const Function& f, const Node& n, Layer& l) {
  std::string_view op = n.op->name;
  if (n.outputs.empty() || n.outputs[0] == kNone) return false;
  l.name = n.name.empty() ? f.values[at(n.outputs[0])].name : n.name;
  if (op == "conv" || op == "matmul" || op == "gemm") {
    l.x = n.inputs[0];
    l.weights = constant_of(f, n.inputs[1]);
    if (f.values[at(l.x)].type.dtype != DType::f32) return false;
    op == "conv" ? describe_conv(m, f, n, l) : describe_product(m, f, n, l);
    if (l.can() && (constant_of(f, l.x) != kNone)) l.stays = "all its operands are constant";
    return true;
  }
  for (const Other& o : kOthers) {
    if (op != o.op) continue;
    l.weights = constant_of(f, input_of(n, o.first));
    l.weight_inputs.clear();
    for (std::size_t i = o.first; i <= o.last; ++i) l.weight_inputs.push_back(i);
    std::vector<std::int64_t> w = extents_of(m, l.weights);
    if (w.size() < 2) return false;
    l.axis = o.axis;
    l.channels = w[at(l.axis)];
    l.stays = op == "gather" ? "a table of embeddings is read, not multiplied" : concat(op, " has no form in integers");
    return true;
  }
  return false;
}

// What each scheme can do nothing with, and what it can although integers cannot.
void restrict_to(const QuantizeOptions& options, const Module& m, Layer& l) {
  QuantizeScheme scheme = options.scheme;
  if (only_weights(scheme)) {
    if (extents_of(m, l.weights).size() >= 2) l.stays.clear();
    return;
  }
  bool products = scheme == QuantizeScheme::kDynamic || scheme == QuantizeScheme::kWeightOnly4;
  if (products && l.can() && l.kind == Layer::Kind::kConv)
    l.stays = scheme == QuantizeScheme::kDynamic ? "dynamic quantization is for matrix products"
                                                 : "4 bits are for matrix products";
  if (scheme == QuantizeScheme::kWeightOnly4 && l.can() && l.depth % options.block != 0)
    l.stays = concat("its depth of ", l.depth, " is no multiple of the block of ", options.block);
}

}  // namespace

Result<std::vector<Layer>> find_layers(const Module& m, const QuantizeOptions& options) {
  const Function& f = main_function(m);
  std::vector<Layer> layers;
  std::vector<std::string> unknown = options.include;
  unknown.insert(unknown.end(), options.exclude.begin(), options.exclude.end());
  for (NodeId i = 0; i < static_cast<NodeId>(f.nodes.size()); ++i) {
    Layer l;
    l.node = i;
    const Node& n = f.nodes[at(i)];
    std::string name =
        n.name.empty() && !n.outputs.empty() && n.outputs[0] != kNone ? f.values[at(n.outputs[0])].name : n.name;
    std::erase_if(unknown, [&](const std::string& s) { return s == name || plain(s) == plain(n.op->name); });
    if (!describe(m, f, n, l)) continue;
    restrict_to(options, m, l);
    if (l.can() && names(options.exclude, l, n.op->name)) l.stays = "--exclude names it";
    if (l.can() && !options.include.empty() && !names(options.include, l, n.op->name))
      l.stays = "--include does not name it";
    layers.push_back(std::move(l));
  }
  if (!unknown.empty()) {
    return invalid("no node has the name or the operator " + quoted(unknown[0]))
        .hint("mote inspect MODEL --nodes lists them");
  }
  return layers;
}

}  // namespace mote::quant
