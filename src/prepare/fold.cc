#include "prepare/fold.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/memory_info.h"
#include "ir/infer.h"
#include "ops/element.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "prepare/fastest.h"
#include "runtime/context.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

constexpr std::int64_t kMaxFoldedBytes = 256 << 20;  // of one result
constexpr std::int64_t kTransformBytes = 4096;       // constants above this keep their source range and get a transform
constexpr std::int64_t kMaxWidenedBytes = 1 << 30;   // of all weights of less than 8 bits or in blocks, in f32

// Nodes that nobody reads go.
void drop_dead(Function& f) {
  std::vector<bool> read(f.values.size(), false);
  for (ValueId v : f.outputs) read[at(v)] = true;
  std::vector<Node> kept;
  for (std::size_t n = f.nodes.size(); n-- > 0;) {
    Node& node = f.nodes[n];
    bool alive =
        std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return v != kNone && read[at(v)]; });
    if (!alive) continue;
    for (ValueId v : node.inputs) {
      if (v != kNone) read[at(v)] = true;
    }
    kept.push_back(std::move(node));
  }
  std::reverse(kept.begin(), kept.end());
  f.nodes = std::move(kept);
  f.reindex();
}

// Small integers whose values inference knows become constants, and what computed them dies. Whether there were any.
bool use_known_values(Module& m, const Inference& inference) {
  bool changed = false;
  for (std::size_t fi = 0; fi < m.functions.size(); ++fi) {
    for (std::size_t n = 0; n < m.functions[fi].nodes.size(); ++n) {
      Function& f = m.functions[fi];
      if (f.nodes[n].op->is(kControl)) continue;
      for (std::size_t o = 0; o < f.nodes[n].outputs.size(); ++o) {
        ValueId v = f.nodes[n].outputs[o];
        if (v == kNone) continue;
        const auto& known = inference.known(static_cast<FunctionId>(fi), v);
        const Type& t = f.values[at(v)].type;
        if (!known || !t.is_static() || bits_of(t.dtype) < 8) continue;
        std::optional<std::vector<std::int64_t>> ints = constant_extents(*known);
        std::vector<std::int64_t> dims = *constant_extents(*t.shape);
        if (!ints || element_count(dims) != static_cast<std::int64_t>(ints->size())) continue;
        std::vector<std::byte> bytes(
            static_cast<std::size_t>(bytes_of(t.dtype, static_cast<std::int64_t>(ints->size()))));
        TensorView view = TensorView::of(bytes.data(), t.dtype, dims);
        for (std::size_t i = 0; i < ints->size(); ++i) {
          is_float(t.dtype) ? store_f64(view, static_cast<std::int64_t>(i), static_cast<double>((*ints)[i]))
                            : store_i64(view, static_cast<std::int64_t>(i), (*ints)[i]);
        }
        std::string name = f.values[at(v)].name;
        ConstantId c = m.add_constant(name, t.dtype, dims, std::move(bytes));
        ValueId replacement = f.constant_value(c, m.constants.back());
        f.replace_uses(v, replacement);
        changed = true;
      }
    }
    if (changed) drop_dead(m.functions[fi]);
  }
  return changed;
}

bool all_constant(const Function& f, const Node& n) {
  return std::all_of(n.inputs.begin(), n.inputs.end(),
                     [&](ValueId v) { return v == kNone || f.values[at(v)].constant != kNone; });
}

// Transpose, cast and reshape of a large constant: the constant changes its description, no byte is touched.
bool fold_into_transform(Module& m, Function& f, const Node& n) {
  if (n.op->name != "transpose" && n.op->name != "cast" && !n.op->is(kView)) return false;
  if (n.inputs.empty() || n.inputs[0] == kNone || n.outputs.size() != 1 || n.outputs[0] == kNone) return false;
  ConstantId id = f.values[at(n.inputs[0])].constant;
  const Type out = f.values[at(n.outputs[0])].type;
  if (id == kNone || !out.is_static()) return false;
  Constant c = m.constants[at(id)];
  if (c.encoding == Encoding::kStrings || out.dtype == DType::string || bits_of(out.dtype) < 8 ||
      bits_of(c.type.dtype) < 8)
    return false;
  if (static_cast<std::int64_t>(c.size) < kTransformBytes) return false;
  std::vector<std::int64_t> dims = *constant_extents(*out.shape);
  if (n.op->name == "transpose") {
    std::vector<std::int64_t> perm = attr_ints(*n.op, n.attrs, "perm");
    if (perm.empty()) {
      for (std::int64_t i = static_cast<std::int64_t>(dims.size()); i-- > 0;) perm.push_back(i);
    }
    c.transforms.push_back({Transform::Kind::kTranspose, perm, DType::none});
  } else if (n.op->name == "cast") {
    if (is_float(out.dtype) != is_float(c.type.dtype) || bits_of(out.dtype) < 16) return false;
    c.transforms.push_back({Transform::Kind::kCast, {}, out.dtype});
  } else {
    c.transforms.push_back({Transform::Kind::kReshape, dims, DType::none});
  }
  c.type = out;
  c.name = f.values[at(n.outputs[0])].name;
  ConstantId made = m.add_constant(std::move(c));
  f.replace_uses(n.outputs[0], f.constant_value(made, m.constants.back()));
  return true;
}

// Weights in blocks or of less than 8 bits, which are several times as large in f32.
bool is_compressed(const Function& f, const Node& n) {
  if (n.op->name != "dequantize_linear" || n.inputs[0] == kNone) return false;
  return attr_int(*n.op, n.attrs, "block_size") != 0 || bits_of(f.values[at(n.inputs[0])].type.dtype) < 8;
}

// Whether such weights stay as they are and are widened in every run: where all of them in f32 would take more memory
// than a gigabyte, or than half of what may be used.
bool keeps_compressed(const Module& m, const Budget* budget) {
  std::int64_t most = kMaxWidenedBytes;
  if (budget) most = std::min(most, budget->left() / 2);
  for (const Function& f : m.functions) {
    for (const Node& n : f.nodes) {
      if (!is_compressed(f, n) || f.values[at(n.inputs[0])].constant == kNone) continue;
      const Type& t = f.values[at(n.inputs[0])].type;
      std::optional<std::vector<std::int64_t>> dims = t.has_rank() ? constant_extents(*t.shape) : std::nullopt;
      std::optional<std::int64_t> count = dims ? element_count(*dims) : std::nullopt;
      if (!count || *count > most / 4) return true;
      most -= *count * 4;
    }
  }
  return false;
}

// What stays although it depends on constants alone.
struct Kept {
  bool quantized = false;   // constants that are dequantized, since integer ops may take them
  bool compressed = false;  // those of is_compressed
};

// All nodes of `f` that depend on constants alone are run once, as a plan of their own, on the same targets. Whether
// there were any.
Result<bool> fold_constants(Module& m, FunctionId id, const PrepareOptions& options, Kept kept) {
  Function& f = m.functions[at(id)];
  bool changed = false;
  for (std::size_t n = 0; n < f.nodes.size(); ++n) {
    if (all_constant(f, f.nodes[n])) changed = fold_into_transform(m, f, f.nodes[n]) || changed;
  }
  drop_dead(f);
  std::vector<bool> foldable(f.values.size(), false);
  for (std::size_t v = 0; v < f.values.size(); ++v) foldable[v] = f.values[v].constant != kNone;
  std::vector<std::size_t> picked;
  for (std::size_t n = 0; n < f.nodes.size(); ++n) {
    const Node& node = f.nodes[n];
    if (node.op->is(kControl) || node.op->is(kRandom) || node.op->is(kState)) continue;
    if (kept.compressed && is_compressed(f, node)) continue;
    if (kept.quantized && node.op->name == "dequantize_linear") continue;
    bool fits =
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId v) { return v == kNone || foldable[at(v)]; });
    for (ValueId v : node.outputs) {
      if (v == kNone || !fits) continue;
      const Type& t = f.values[at(v)].type;
      fits = t.is_static() && bits_of(t.dtype) >= 8 && t.dtype != DType::string;
      if (!fits) continue;
      std::optional<std::int64_t> count = element_count(*constant_extents(*t.shape));
      fits = count && *count <= kMaxFoldedBytes / std::max(1, bits_of(t.dtype) / 8) && t.shape->size() <= kMaxRank;
    }
    if (!fits) continue;
    picked.push_back(n);
    for (ValueId v : node.outputs) {
      if (v != kNone) foldable[at(v)] = true;
    }
  }
  if (picked.empty()) return changed;

  // A module of its own with the same values; what other nodes or the outputs read is given out.
  Module part;
  part.constants = m.constants;
  part.functions.push_back(Function{"fold", f.values, {}, {}, {}});
  Function& g = part.functions[0];
  std::vector<bool> inside(f.nodes.size(), false);
  for (std::size_t n : picked) {
    inside[n] = true;
    g.nodes.push_back(f.nodes[n]);
  }
  std::vector<bool> asked(f.values.size(), false);
  auto ask = [&](ValueId v) {
    if (v == kNone || asked[at(v)] || !foldable[at(v)] || f.values[at(v)].constant != kNone) return;
    asked[at(v)] = true;
    g.outputs.push_back(v);
  };
  for (std::size_t n = 0; n < f.nodes.size(); ++n) {
    if (inside[n]) continue;
    for (ValueId v : f.nodes[n].inputs) ask(v);
  }
  for (ValueId v : f.outputs) ask(v);
  if (g.outputs.empty()) return changed;
  g.reindex();
  std::vector<ValueId> wanted = g.outputs;

  PrepareOptions inner;
  inner.targets = options.targets;
  inner.target = options.target;
  inner.kernels = options.kernels;
  inner.optimise = false;
  MOTE_ASSIGN(Plan plan, prepare(std::move(part), inner));
  MOTE_ASSIGN(auto linked, link(std::move(plan), options.kernels, builtin_ops()));
  ContextOptions context_options;
  if (options.budget) context_options.max_bytes = options.budget->left();
  MOTE_ASSIGN(auto context, Context::create(linked, context_options));
  MOTE_TRY(context->run());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const TensorView& view = context->output(static_cast<int>(i));
    if (options.budget) MOTE_TRY(options.budget->charge(view.bytes(), f.values[at(wanted[i])].name));
    std::vector<std::byte> bytes(view.data, view.data + view.bytes());
    ConstantId c =
        m.add_constant(f.values[at(wanted[i])].name, view.dtype, {view.dims, view.dims + view.rank}, std::move(bytes));
    f.replace_uses(wanted[i], f.constant_value(c, m.constants.back()));
  }
  drop_dead(f);
  return true;
}

bool has_quantized(const Module& m) {
  for (const Function& f : m.functions) {
    for (const Node& n : f.nodes) {
      for (std::string_view op : {"dequantize_linear", "quantize_linear", "matmul_integer", "conv_integer"}) {
        if (n.op->name == op) return true;
      }
    }
  }
  return false;
}

std::size_t node_count(const Module& m) {
  std::size_t n = 0;
  for (const Function& f : m.functions) n += f.nodes.size();
  return n;
}

}  // namespace

Status simplify(Module& m, const PrepareOptions& options) {
  for (Function& f : m.functions) drop_dead(f);
  if (!options.optimise) return {};
  const bool compressed = keeps_compressed(m, options.budget);
  auto fold = [&](bool keep) -> Result<bool> {
    bool any = false;
    for (std::size_t f = 0; f < m.functions.size(); ++f) {
      MOTE_ASSIGN(bool folded, fold_constants(m, static_cast<FunctionId>(f), options, {keep, compressed}));
      any = any || folded;
    }
    return any;
  };
  // Each constant found may let inference and the simpler passes find more. First with the quantized tensors as they
  // are, then, when integer ops have taken theirs, with the others in f32.
  auto clean = [&](bool keep, std::vector<std::string> passes) -> Status {
    PassOptions cleanup;
    cleanup.only = std::move(passes);
    for (std::size_t before = 0; before != node_count(m);) {
      before = node_count(m);
      Inference inference(m);
      MOTE_TRY(inference.run());
      const bool known = use_known_values(m, inference);
      MOTE_ASSIGN(bool folded, fold(keep));
      cleanup.inferred = !known && !folded;
      MOTE_TRY(run_passes(m, builtin_ops(), cleanup));
    }
    return {};
  };
  MOTE_TRY(clean(true, {"dce", "simplify", "cse"}));
  if (has_quantized(m)) {
    MOTE_TRY(clean(true, {"dce", "simplify", "cse", "move_qdq", "raise_gelu", "raise_activation", "raise_pool",
                          "gemm_to_matmul", "fuse_block_weights", "split_conv_transpose", "lower_qdq"}));
    MOTE_TRY(clean(false, {"dce", "simplify", "cse"}));
  }
  PassOptions all;
  all.inferred = true;
  MOTE_TRY(run_passes(m, builtin_ops(), all));
  if (options.fastest && mark_slow_layers(m, options.target)) {
    MOTE_TRY(clean(false, {"float_layers", "dce", "simplify", "cse"}));
    MOTE_TRY(run_passes(m, builtin_ops(), all));
  }
  MOTE_ASSIGN(bool folded, fold(false));
  drop_code_of_stage(m.constant_bytes());
  return folded ? Inference(m).run() : Status();
}

}  // namespace mote
