// Attention in the forms that ONNX's preview domain and ONNX Runtime write.
#include <algorithm>
#include <cmath>

#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

std::optional<std::int64_t> extent(NodeImport& n, ValueId v, int axis) {
  return n.has_rank(v) && axis < n.rank(v) ? (*n.type(v).shape)[static_cast<std::size_t>(axis)].known() : std::nullopt;
}

// What a graph attribute that maps one tensor to one tensor makes of `x`, in the node's own function.
ValueId modified(NodeImport& n, std::string_view attribute, ValueId x) {
  const AttributeProto* a = n.attr(attribute);
  if (!a || !a->g || n.failed()) return x;
  if (a->g->inputs.size() != 1 || a->g->outputs.size() != 1) {
    n.fail(invalid("attribute '" + std::string(attribute) + "' is not a graph of one input and one output"));
    return x;
  }
  Scope scope;
  scope.function = n.scope().function;
  scope.outer = &n.scope();
  scope.depth = n.scope().depth + 1;
  scope.prefix = n.name() + "/" + std::string(attribute) + "/";
  scope.opsets = n.scope().opsets;
  scope.attributes = n.scope().attributes;
  scope.names.emplace(a->g->inputs[0].name, x);
  Status s = n.importer().import_nodes(scope, *a->g);
  if (s.ok()) {
    auto it = scope.names.find(a->g->outputs[0].name);
    if (it != scope.names.end()) return it->second;
    s = invalid("attribute '" + std::string(attribute) + "' does not give its output");
  }
  n.fail(std::move(s));
  return x;
}

// Heads of keys or values repeated for the groups of query heads that share them.
ValueId repeat_heads(NodeImport& n, ValueId x, std::int64_t kv_heads, std::int64_t q_heads) {
  if (kv_heads == q_heads) return x;
  std::vector<std::int64_t> heads;
  for (std::int64_t h = 0; h < q_heads; ++h) heads.push_back(h / (q_heads / kv_heads));
  return n.emit("gather", {x, n.ints(std::move(heads))}, {{"axis", std::int64_t{1}}});
}

}  // namespace

// Scaled dot-product attention over (batch, heads, sequence, size), its scores and probabilities changed by graphs.
Status flex_attention(NodeImport& n) {
  ValueId q = n.in(0), k = n.in(1), v = n.in(2);
  auto size = extent(n, q, 3), q_heads = extent(n, q, 1), kv_heads = extent(n, k, 1);
  if (!size || !q_heads || !kv_heads || *size < 1 || *kv_heads < 1 || *q_heads % *kv_heads != 0) {
    n.unsupported("FlexAttention with unknown or odd numbers of heads");
    return {};
  }
  double scale = n.attr_float("scale", 1 / std::sqrt(static_cast<double>(*size)));
  DType type = n.dtype(q), precise = type == DType::f64 ? DType::f64 : DType::f32;
  if (n.has_attr("softmax_precision")) precise = dtype_of_number(n.attr_int("softmax_precision", 1));
  auto as = [&](ValueId x, DType to) { return n.dtype(x) == to ? x : n.emit("cast", {x}, {{"to", to}}); };
  k = repeat_heads(n, k, *kv_heads, *q_heads);
  v = repeat_heads(n, v, *kv_heads, *q_heads);
  ValueId root = n.scalar_like(std::sqrt(scale), q);
  ValueId across = n.emit("transpose", {n.emit("mul", {k, root})}, {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
  ValueId scores = as(n.emit("matmul", {n.emit("mul", {q, root}), across}), precise);
  ValueId probabilities = n.emit("softmax", {modified(n, "score_mod", scores)}, {{"axis", std::int64_t{-1}}});
  probabilities = modified(n, "prob_mod", probabilities);
  n.output(0, as(n.emit("matmul", {probabilities, as(v, precise)}), type));
  return {};
}

namespace {

// A 2-D mask of ones and zeros over keys as a boolean one that broadcasts over heads and queries.
ValueId key_mask(NodeImport& n, ValueId mask) {
  return n.emit("unsqueeze", {n.emit("cast", {mask}, {{"to", DType::boolean}}), n.ints({1, 2})});
}

// The part of a fused bias or projection from `from` to `to` along the last axis.
ValueId part(NodeImport& n, ValueId x, std::int64_t from, std::int64_t to) {
  return n.emit("slice", {x, n.ints({from}), n.ints({to}), n.ints({-1})});
}

std::vector<Attrs::Item> attention_attributes(NodeImport& n, std::int64_t heads) {
  std::vector<Attrs::Item> attrs = {{"q_num_heads", heads}, {"kv_num_heads", heads}};
  if (n.has_attr("scale") && n.attr_float("scale", 0) != 0) attrs.emplace_back("scale", n.attr_float("scale", 0));
  if (n.attr_int("unidirectional", 0) != 0) attrs.emplace_back("is_causal", std::int64_t{1});
  return attrs;
}

// What an operand or result beyond those supported is called.
bool only(NodeImport& n, std::initializer_list<int> absent, int results, const char* what) {
  bool fits = std::none_of(absent.begin(), absent.end(), [&](int i) { return n.has(i); });
  for (int i = results; i < n.outputs(); ++i) fits = fits && !n.wants(i);
  if (!fits) n.unsupported(std::string(n.proto().op_type) + " of domain 'com.microsoft' with " + what);
  return fits;
}

// Attention over what came before too; gives y, present keys and present values.
std::vector<ValueId> attend(NodeImport& n, std::vector<ValueId> operands, std::vector<Attrs::Item> attrs,
                            bool present) {
  std::vector<ValueId> made = n.emit_multi("attention", std::move(operands), present ? 3 : 1, std::move(attrs));
  made.resize(3, kNone);
  return made;
}

}  // namespace

// com.microsoft Attention: projects the input by fused weights, then attends. Past and present are [2, batch, ...].
Status ms_attention(NodeImport& n) {
  if (!only(n, {6}, 2, "a buffer shared by past and present")) return {};
  std::int64_t heads = n.attr_int("num_heads", 1);
  auto width = extent(n, n.in(1), 1);
  auto mask_rank = n.has(3) ? (n.has_rank(n.in(3)) ? n.rank(n.in(3)) : -1) : 2;
  if (!width || *width % 3 != 0 || n.has_attr("qkv_hidden_sizes") || n.attr_int("do_rotary", 0) != 0 ||
      mask_rank != 2 || (n.has(3) && n.has(5))) {
    n.unsupported("Attention of domain 'com.microsoft' with unequal sizes or such masks");
    return {};
  }
  ValueId all = n.emit("matmul", {n.in(0), n.in(1)});
  if (n.has(2)) all = n.emit("add", {all, n.in(2)});
  std::int64_t w = *width / 3;
  ValueId mask = n.has(3) ? key_mask(n, n.in(3)) : n.in(5);
  auto past = [&](std::int64_t i) {
    return n.has(4) ? n.emit("gather", {n.in(4), n.scalar_int(i)}, {{"axis", std::int64_t{0}}}) : kNone;
  };
  std::vector<ValueId> y =
      attend(n, {part(n, all, 0, w), part(n, all, w, 2 * w), part(n, all, 2 * w, 3 * w), mask, past(0), past(1)},
             attention_attributes(n, heads), n.wants(1));
  n.output(0, y[0]);
  if (!n.wants(1)) return {};
  auto lead = [&](ValueId v) { return n.emit("unsqueeze", {v, n.ints({0})}); };
  n.output(1, n.emit("concat", {lead(y[1]), lead(y[2])}, {{"axis", std::int64_t{0}}}));
  return {};
}

// com.microsoft MultiHeadAttention over separate (batch, sequence, hidden) queries, keys and values.
Status ms_multi_head_attention(NodeImport& n) {
  if (!only(n, {8, 9}, 3, "a buffer shared by past and present")) return {};
  ValueId q = n.in(0), k = n.in(1), v = n.in(2);
  bool is_plain = n.has_rank(q) && n.rank(q) == 3 && n.has_rank(k) && n.rank(k) == 3 && n.has_rank(v) && n.rank(v) == 3;
  bool bad_mask = n.has(4) && (n.has(5) || !n.has_rank(n.in(4)) || n.rank(n.in(4)) != 2);
  auto width = extent(n, q, 2), v_width = extent(n, v, 2);
  if (!is_plain || bad_mask || (n.has(3) && (!width || !v_width))) {
    n.unsupported("MultiHeadAttention with packed operands or such masks");
    return {};
  }
  if (n.has(3)) {
    q = n.emit("add", {q, part(n, n.in(3), 0, *width)});
    k = n.emit("add", {k, part(n, n.in(3), *width, 2 * *width)});
    v = n.emit("add", {v, part(n, n.in(3), 2 * *width, 2 * *width + *v_width)});
  }
  ValueId mask = n.has(4) ? key_mask(n, n.in(4)) : n.in(5);
  std::vector<ValueId> y = attend(n, {q, k, v, mask, n.in(6), n.in(7)},
                                  attention_attributes(n, n.attr_int("num_heads", 1)), n.wants(1) || n.wants(2));
  for (int i = 0; i < 3; ++i) n.output(i, y[static_cast<std::size_t>(i)]);
  return {};
}

// com.microsoft GroupQueryAttention: causal, heads of keys shared by groups of queries, rotary embedding inside. The
// present is past and new keys one behind the other; of the past, only what seqlens_k says is valid is attended.
Status ms_group_query_attention(NodeImport& n) {
  std::int64_t heads = n.attr_int("num_heads", 0), kv_heads = n.attr_int("kv_num_heads", 0);
  ValueId q = n.in(0), k = n.in(1), v = n.in(2);
  auto width = extent(n, q, 2);
  bool quantized = n.attr_string("k_quant_type", "NONE") != "NONE" || n.attr_string("v_quant_type", "NONE") != "NONE";
  if (!only(n, {10, 11, 12, 13}, 3, "a bias, sinks or a quantized cache")) return {};
  if (!width || heads < 1 || kv_heads < 1 || quantized || n.attr_int("local_window_size", -1) != -1 ||
      n.attr_int("smooth_softmax", 0) > 0 || n.attr_int("qk_output", 0) != 0) {
    n.unsupported("GroupQueryAttention with a window, smooth softmax or unknown widths");
    return {};
  }
  if (k == kNone) {
    std::int64_t size = *width / (heads + 2 * kv_heads);
    ValueId all = q;
    q = part(n, all, 0, heads * size);
    k = part(n, all, heads * size, (heads + kv_heads) * size);
    v = part(n, all, (heads + kv_heads) * size, (heads + 2 * kv_heads) * size);
  }
  auto along = [&](ValueId x, std::int64_t axis) { return n.emit("shape", {x}, {{"start", axis}, {"end", axis + 1}}); };
  auto count = [&](ValueId length) {
    return n.emit("range", {n.scalar_int(0), n.emit("squeeze", {length}), n.scalar_int(1)});
  };
  ValueId length = along(n.in(0), 1), valid = kNone, mask = kNone;
  // [batch, 1]: how many keys of the past are valid.
  valid = n.emit("sub", {n.emit("cast", {n.in(5)}, {{"to", DType::i64}}), n.emit("sub", {length, n.ints({1})})});
  valid = n.emit("max", {n.emit("reshape", {valid, n.ints({-1, 1})}), n.ints({0})});
  if (n.attr_int("do_rotary", 0) != 0) {
    ValueId position = n.has(9) ? n.in(9) : n.emit("add", {valid, count(length)});
    auto rotate = [&](ValueId x, std::int64_t h) {
      return n.emit("rotary_embedding", {x, n.in(7), n.in(8), position},
                    {{"num_heads", h}, {"interleaved", n.attr_int("rotary_interleaved", 0)}});
    };
    q = rotate(q, heads);
    k = rotate(k, kv_heads);
  }
  if (n.has(3)) {
    ValueId past = along(n.in(3), 2), keys = count(n.emit("add", {past, length}));
    mask = n.emit("or", {n.emit("less", {keys, valid}), n.emit("greater_or_equal", {keys, past})});
    mask = n.emit("unsqueeze", {mask, n.ints({1, 2})});
  }
  std::vector<Attrs::Item> attrs = {{"q_num_heads", heads}, {"kv_num_heads", kv_heads}, {"is_causal", std::int64_t{1}}};
  if (n.attr_float("scale", 0) != 0) attrs.emplace_back("scale", n.attr_float("scale", 0));
  if (n.attr_float("softcap", 0) != 0) attrs.emplace_back("softcap", n.attr_float("softcap", 0));
  std::vector<ValueId> y = attend(n, {q, k, v, mask, n.in(3), n.in(4)}, std::move(attrs), true);
  for (int i = 0; i < 3; ++i) n.output(i, y[static_cast<std::size_t>(i)]);
  return {};
}

// com.microsoft RotaryEmbedding: other order of operands.
Status ms_rotary_embedding(NodeImport& n) {
  if (n.attr_int("is_packed_batching", 0) != 0 || n.attr_float("scale", 1) != 1 || !n.has_rank(n.in(1)) ||
      n.rank(n.in(1)) != 2) {
    n.unsupported("RotaryEmbedding of domain 'com.microsoft' with packed batches, a scale or one offset");
    return {};
  }
  Attrs attrs = n.attributes_for("rotary_embedding", {"is_packed_batching", "scale"});
  n.same("rotary_embedding", {n.in(0), n.in(2), n.in(3), n.in(1)}, std::move(attrs));
  return {};
}

}  // namespace mote::onnx
