// widen_half: what f16 and bf16 networks compute is computed in f32. An op that computes takes widened operands and its
// result is narrowed where something else reads it; between two such ops nothing is rounded. Constants are widened as
// they are packed. Ops that only move elements follow their operand. Casts that the model itself has keep their
// rounding, and functions keep the types of their inputs and outputs.
#include <algorithm>
#include <map>
#include <set>

#include "passes/list.h"

namespace mote::passes {
namespace {

constexpr std::string_view kComputes[] = {"abs",
                                          "acos",
                                          "acosh",
                                          "add",
                                          "asin",
                                          "asinh",
                                          "atan",
                                          "atanh",
                                          "attention",
                                          "average_pool",
                                          "batch_normalization",
                                          "ceil",
                                          "celu",
                                          "clip",
                                          "conv",
                                          "conv_transpose",
                                          "cos",
                                          "cosh",
                                          "cumsum",
                                          "div",
                                          "einsum",
                                          "elu",
                                          "equal",
                                          "erf",
                                          "exp",
                                          "floor",
                                          "gelu",
                                          "gemm",
                                          "global_average_pool",
                                          "global_lp_pool",
                                          "global_max_pool",
                                          "greater",
                                          "greater_or_equal",
                                          "grid_sample",
                                          "group_normalization",
                                          "gru",
                                          "hard_sigmoid",
                                          "hard_swish",
                                          "instance_normalization",
                                          "is_nan",
                                          "layer_normalization",
                                          "leaky_relu",
                                          "less",
                                          "less_or_equal",
                                          "log",
                                          "log_softmax",
                                          "lp_normalization",
                                          "lp_pool",
                                          "lrn",
                                          "lstm",
                                          "matmul",
                                          "matmul_nbits",
                                          "max",
                                          "max_pool",
                                          "mean",
                                          "mean_variance_normalization",
                                          "min",
                                          "mish",
                                          "mul",
                                          "neg",
                                          "pow",
                                          "prelu",
                                          "reciprocal",
                                          "reduce_l1",
                                          "reduce_l2",
                                          "reduce_log_sum",
                                          "reduce_log_sum_exp",
                                          "reduce_max",
                                          "reduce_mean",
                                          "reduce_min",
                                          "reduce_prod",
                                          "reduce_sum",
                                          "reduce_sum_square",
                                          "relu",
                                          "resize",
                                          "rms_normalization",
                                          "rnn",
                                          "roi_align",
                                          "rotary_embedding",
                                          "round",
                                          "selu",
                                          "shrink",
                                          "sigmoid",
                                          "sign",
                                          "sin",
                                          "sinh",
                                          "softmax",
                                          "softplus",
                                          "softsign",
                                          "sqrt",
                                          "sub",
                                          "sum",
                                          "swiglu",
                                          "swish",
                                          "tan",
                                          "tanh",
                                          "thresholded_relu",
                                          "where"};
constexpr std::string_view kMoves[] = {"concat",          "depth_to_space", "expand",   "flatten", "gather",
                                       "gather_elements", "gather_nd",      "identity", "pad",     "reshape",
                                       "slice",           "space_to_depth", "split",    "squeeze", "tile",
                                       "transpose",       "trilu",          "unsqueeze"};

bool half(const Type& t) { return t.is_tensor() && (t.dtype == DType::f16 || t.dtype == DType::bf16); }

bool listed(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

class Widening {
 public:
  Widening(Module& m, Function& f, const OpLookup& ops) : m_(m), f_(f), cast_(ops.find("cast")) {}

  int run() {
    if (!cast_) return 0;
    for (Node& n : f_.nodes) {
      if (wanted(n)) {
        ++changes_;
        widen(std::move(n));
      } else {
        nodes_.push_back(std::move(n));
      }
    }
    f_.nodes = std::move(nodes_);
    std::vector<std::int32_t> uses = f_.use_counts();
    std::erase_if(f_.nodes, [&](const Node& n) {
      return n.outputs.size() == 1 && narrowed_.contains(n.outputs[0]) &&
             uses[static_cast<std::size_t>(n.outputs[0])] == 0;
    });
    f_.reindex();
    return changes_;
  }

 private:
  const Value& value(ValueId v) const { return f_.values[static_cast<std::size_t>(v)]; }
  bool is_half(ValueId v) const { return v != kNone && half(value(v).type); }

  bool wanted(const Node& n) const {
    bool any = false, twin = false;
    for (ValueId v : n.inputs) {
      any = any || is_half(v);
      twin = twin || (is_half(v) && twins_.contains(v));
    }
    if (listed(kComputes, n.op->name)) {
      // Nothing to gain where the operands' types are not known, or for results of another kind.
      return any && std::ranges::all_of(n.outputs, [&](ValueId v) {
               return v == kNone || (value(v).type.is_tensor() && value(v).type.dtype != DType::none);
             });
    }
    return twin && listed(kMoves, n.op->name);
  }

  ValueId add_cast(ValueId from, DType to, ValueId result, const std::string& name) {
    Node n;
    n.op = cast_;
    n.name = name;
    n.inputs = {from};
    n.outputs = {result};
    n.attrs.set("to", AttrValue(to));
    nodes_.push_back(std::move(n));
    return result;
  }

  ValueId wide_value(ValueId v) {
    Type t = value(v).type;
    t.dtype = DType::f32;
    return f_.add_value(value(v).name + "/f32", std::move(t));
  }

  ValueId wide_constant(ConstantId id) {
    Constant c = m_.constants[static_cast<std::size_t>(id)];
    c.name += "/f32";
    if (std::optional<std::vector<double>> small = small_floats(c); small && c.transforms.empty()) {
      std::vector<float> values(small->begin(), small->end());
      std::vector<std::int64_t> dims = *constant_extents(*c.type.shape);
      id = m_.add_constant(c.name, DType::f32, dims, to_bytes(std::span<const float>(values)));
    } else {
      Transform t;
      t.kind = Transform::Kind::kCast;
      t.dtype = DType::f32;
      c.transforms.push_back(std::move(t));
      c.type.dtype = DType::f32;
      id = m_.add_constant(std::move(c));
    }
    return f_.constant_value(id, m_.constants[static_cast<std::size_t>(id)]);
  }

  ValueId twin(ValueId v) {
    if (auto it = twins_.find(v); it != twins_.end()) return it->second;
    ValueId wide = kNone;
    if (value(v).constant != kNone) {
      wide = wide_constant(value(v).constant);
    } else {
      wide = wide_value(v);
      add_cast(v, DType::f32, wide, value(v).name + "/widen");
    }
    twins_[v] = wide;
    return wide;
  }

  void widen(Node n) {
    for (ValueId& v : n.inputs) {
      if (is_half(v)) v = twin(v);
    }
    std::vector<ValueId> narrow;
    for (ValueId& v : n.outputs) {
      if (!is_half(v)) continue;
      narrow.push_back(v);
      v = twins_[v] = wide_value(v);
    }
    std::string name = n.name;
    nodes_.push_back(std::move(n));
    narrowed_.insert(narrow.begin(), narrow.end());
    for (ValueId v : narrow) add_cast(twins_[v], value(v).type.dtype, v, name + "/narrow");
  }

  Module& m_;
  Function& f_;
  const Op* cast_;
  std::vector<Node> nodes_;
  std::map<ValueId, ValueId> twins_;
  std::set<ValueId> narrowed_;
  int changes_ = 0;
};

}  // namespace

int widen_half(Module& m, const OpLookup& ops) {
  int changes = 0;
  for (Function& f : m.functions) changes += Widening(m, f, ops).run();
  return changes;
}

}  // namespace mote::passes
