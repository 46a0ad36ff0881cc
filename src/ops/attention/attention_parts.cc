// Attention in terms of matmul and softmax.
#include <cmath>

#include "ops/decompose.h"
#include "ops/ops.h"

namespace mote {
namespace {

// Builds one node's replacement. Heads become [batch, kv_heads, repeat * length, head] for grouped queries, so that
// keys and values are read as they stand.
class Parts {
 public:
  Parts(Builder& b, const Node& node) : b_(b), node_(node) {}

  Result<std::vector<ValueId>> build() {
    for (int i : {0, 1, 2}) {
      if (!b_.has_rank(in(i))) return unsupported("attention on tensors of unknown rank has no decomposition");
    }
    packed_ = b_.rank(in(0)) == 3;
    ValueId q = heads(in(0), "q_num_heads"), k = heads(in(1), "kv_num_heads"), v = heads(in(2), "kv_num_heads");
    if (in(4) != kNone) k = b_.add("concat", {in(4), k}, {{"axis", std::int64_t{2}}});
    if (in(5) != kNone) v = b_.add("concat", {in(5), v}, {{"axis", std::int64_t{2}}});
    if (!b_.status().ok()) return b_.status();
    const Dim &q_heads = b_.shape(q)[1], &kv_heads = b_.shape(k)[1], &head = b_.shape(q)[3];
    if (!q_heads.is_const() || !kv_heads.is_const()) return unsupported("attention over an unknown number of heads");
    std::int64_t repeat = kv_heads.value() > 0 ? q_heads.value() / kv_heads.value() : 1;
    if (!node_.attrs.has("scale") && !head.is_const()) return unsupported("attention over an unknown head size");
    double scale = node_.attrs.has("scale") ? attr_float(*node_.op, node_.attrs, "scale")
                                            : 1 / std::sqrt(static_cast<double>(head.value()));
    t_ = b_.dtype(q);
    q_ = q;
    k_ = k;
    ValueId root = b_.scalar(std::sqrt(scale), t_);
    ValueId turned = b_.add("transpose", {b_.add("mul", {k, root})}, {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}});
    ValueId scores = grouped("matmul", b_.add("mul", {q, root}), turned, repeat);
    std::int64_t mode = attr_int(*node_.op, node_.attrs, "qk_matmul_output_mode");
    ValueId shown = scores;
    if (double cap = attr_float(*node_.op, node_.attrs, "softcap"); cap > 0) {
      ValueId c = b_.scalar(cap, t_);
      scores = b_.add("mul", {b_.add("tanh", {b_.add("div", {scores, c})}), c});
    }
    if (mode == 1) shown = scores;
    ValueId bias = this->bias();
    if (bias != kNone) scores = b_.add("add", {scores, bias});
    if (mode == 2) shown = scores;
    DType wide = node_.attrs.has("softmax_precision") ? attr_dtype(*node_.op, node_.attrs, "softmax_precision") : t_;
    ValueId p = cast(b_.add("softmax", {cast(scores, wide)}), t_);
    if (bias != kNone && may_close_) p = open_rows(p, bias);
    if (mode == 3) shown = p;
    ValueId y = grouped("matmul", cast(p, b_.dtype(v)), v, repeat);
    if (packed_) {
      y = b_.add("reshape",
                 {b_.add("transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}}), b_.ints({0, 0, -1})});
    }
    std::vector<ValueId> outputs = {cast(y, t_), k, v, shown};
    outputs.resize(node_.outputs.size());
    return outputs;
  }

 private:
  ValueId in(int i) const {
    std::size_t k = static_cast<std::size_t>(i);
    return k < node_.inputs.size() ? node_.inputs[k] : kNone;
  }
  ValueId cast(ValueId x, DType to) { return b_.dtype(x) == to ? x : b_.add("cast", {x}, {{"to", to}}); }

  // [batch, heads, length, head] of an operand.
  ValueId heads(ValueId x, std::string_view attr) {
    if (!packed_) return x;
    ValueId split = b_.add("reshape", {x, b_.ints({0, 0, attr_int(*node_.op, node_.attrs, attr), -1})});
    return b_.add("transpose", {split}, {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
  }

  // Extent `axis` of x, a scalar.
  ValueId extent(ValueId x, int axis) {
    if (!b_.has_rank(x)) return kNone;
    const Dim& d = b_.shape(x)[static_cast<std::size_t>(axis)];
    if (d.is_const()) return b_.scalar_int(d.value());
    ValueId one = b_.add("shape", {x}, {{"start", std::int64_t{axis}}, {"end", std::int64_t{axis + 1}}});
    return b_.add("squeeze", {one, b_.ints({0})});
  }

  // a [B, repeat * G, m, x] times b [B, G, x, n], every b serving `repeat` heads of a.
  ValueId grouped(std::string_view op, ValueId a, ValueId b, std::int64_t repeat) {
    if (repeat == 1 || !b_.status().ok()) return b_.add(op, {a, b});
    std::int64_t groups = b_.shape(b)[1].value();
    ValueId shape_a = b_.add("shape", {a}), shape_b = b_.add("shape", {b});
    auto part = [&](ValueId shape, std::int64_t from, std::int64_t to) {
      return b_.add("slice", {shape, b_.ints({from}), b_.ints({to})});
    };
    auto join = [&](std::vector<ValueId> parts) { return b_.add("concat", parts, {{"axis", std::int64_t{0}}}); };
    ValueId rows = b_.add("mul", {part(shape_a, 2, 3), b_.ints({repeat})});
    ValueId flat = b_.add("reshape", {a, join({part(shape_a, 0, 1), b_.ints({groups}), rows, part(shape_a, 3, 4)})});
    ValueId y = b_.add(op, {flat, b});
    return b_.add("reshape", {y, join({part(shape_a, 0, 3), part(shape_b, 3, 4)})});
  }

  // Additive mask from a boolean one.
  ValueId additive(ValueId allowed) { return b_.add("where", {allowed, b_.scalar(0, t_), b_.scalar(-INFINITY, t_)}); }
  ValueId both(ValueId a, ValueId b, std::string_view op) {
    return a == kNone ? b : b == kNone ? a : b_.add(op, {a, b});
  }

  // What is added to the scores, or kNone.
  ValueId bias() {
    ValueId allowed = position_mask(), mask = in(3);
    if (mask == kNone) return allowed == kNone ? kNone : additive(allowed);
    may_close_ = true;
    mask = filled(mask);
    if (b_.dtype(mask) == DType::boolean) return additive(both(allowed, mask, "and"));
    return both(allowed == kNone ? kNone : additive(allowed), cast(mask, t_), "add");
  }

  // The mask with its last axis as long as the keys.
  ValueId filled(ValueId mask) {
    if (!b_.has_rank(mask) || !b_.has_rank(k_)) return mask;
    const Shape& s = b_.shape(mask);
    if (s.empty() || s.back() == b_.shape(k_)[2]) return mask;
    int last = static_cast<int>(s.size()) - 1;
    ValueId missing = b_.add("sub", {extent(k_, 2), extent(mask, last)});
    ValueId pads =
        b_.add("concat", {b_.ints({0}), b_.add("unsqueeze", {missing, b_.ints({0})})}, {{"axis", std::int64_t{0}}});
    ValueId closed = b_.dtype(mask) == DType::boolean
                         ? b_.constant("closed", DType::boolean, {}, std::vector<std::byte>(1))
                         : b_.scalar(-INFINITY, b_.dtype(mask));
    return b_.add("pad", {mask, pads, closed, b_.ints({last})});
  }

  // Which keys a query may attend by causality, windows and the number of valid keys; kNone: all.
  ValueId position_mask() {
    bool causal = attr_int(*node_.op, node_.attrs, "is_causal") != 0;
    std::int64_t left = attr_int(*node_.op, node_.attrs, "left_window_size"),
                 right = attr_int(*node_.op, node_.attrs, "right_window_size");
    ValueId valid = in(6);
    if (!causal && left < 0 && right < 0 && valid == kNone) return kNone;
    ValueId zero = b_.scalar_int(0), one = b_.scalar_int(1);
    ValueId length = extent(q_, 2), keys = b_.add("range", {zero, extent(k_, 2), one});
    may_close_ = valid != kNone || left >= 0;
    ValueId allowed = kNone, offset = kNone;
    if (valid != kNone) {
      ValueId per_batch = b_.add("reshape", {cast(valid, DType::i64), b_.ints({-1, 1, 1, 1})});
      allowed = b_.add("less", {keys, per_batch});
      offset = b_.add("sub", {per_batch, length});
    } else if (in(4) != kNone) {
      offset = extent(in(4), 2);
    }
    if (!causal && left < 0 && right < 0) return allowed;
    ValueId queries = b_.add("unsqueeze", {b_.add("range", {zero, length, one}), b_.ints({1})});
    if (offset != kNone) queries = b_.add("add", {queries, offset});
    auto bound = [&](std::string_view op, std::int64_t shift) {
      ValueId limit = shift == 0 ? queries : b_.add("add", {queries, b_.scalar_int(shift)});
      allowed = both(allowed, b_.add(op, {keys, limit}), "and");
    };
    if (causal || right >= 0) bound("less_or_equal", causal ? 0 : right);
    if (left >= 0) bound("greater_or_equal", -left);
    return allowed;
  }

  // Probabilities with 0 in the rows whose bias closes every key.
  ValueId open_rows(ValueId p, ValueId bias) {
    ValueId top = b_.add("reduce_max", {bias, b_.ints({-1})});
    ValueId closed = b_.add("equal", {top, b_.scalar(-INFINITY, t_)});
    return b_.add("where", {closed, b_.scalar(0, t_), p});
  }

  Builder& b_;
  const Node& node_;
  bool packed_ = false;
  bool may_close_ = false;  // whether a row may have no key
  DType t_ = DType::f32;
  ValueId q_ = kNone, k_ = kNone;
};

Result<std::vector<ValueId>> decompose(Builder& b, const Node& node) { return Parts(b, node).build(); }

}  // namespace

MOTE_DEFINE_DECOMPOSITION(attention) = decompose;

}  // namespace mote
