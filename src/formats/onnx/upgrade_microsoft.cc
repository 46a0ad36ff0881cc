// Operators of the domain com.microsoft that ONNX Runtime's optimizers and quantizers write.
#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

ValueId cast(NodeImport& n, ValueId x, DType to) { return n.emit("cast", {x}, {{"to", to}}); }

std::vector<std::int64_t> swap_last(int rank) {
  std::vector<std::int64_t> perm;
  for (int i = 0; i < rank; ++i) perm.push_back(i);
  std::swap(perm[static_cast<std::size_t>(rank) - 1], perm[static_cast<std::size_t>(rank) - 2]);
  return perm;
}

// The activation that fused convolutions and products name.
ValueId activated(NodeImport& n, ValueId x) {
  std::string name = n.attr_string("activation", "");
  std::vector<double> params;
  if (const AttributeProto* a = n.attr("activation_params")) params.assign(a->floats.begin(), a->floats.end());
  auto param = [&](std::size_t i, double otherwise) { return i < params.size() ? params[i] : otherwise; };
  if (name.empty()) return x;
  if (name == "Relu") return n.emit("relu", {x});
  if (name == "Tanh") return n.emit("tanh", {x});
  if (name == "Sigmoid") return n.emit("sigmoid", {x});
  if (name == "LeakyRelu") return n.emit("leaky_relu", {x}, {{"alpha", param(0, 0.01)}});
  if (name == "HardSigmoid") return n.emit("hard_sigmoid", {x}, {{"alpha", param(0, 0.2)}, {"beta", param(1, 0.5)}});
  if (name == "HardSwish") return n.emit("hard_swish", {x});
  if (name == "Clip") {
    return n.emit("clip", {x, n.scalar_like(param(0, -3.4028234663852886e38), x),
                           n.scalar_like(param(1, 3.4028234663852886e38), x)});
  }
  n.unsupported(std::string(n.proto().op_type) + " with activation '" + name + "'");
  return x;
}

}  // namespace

Status ms_gelu(NodeImport& n) {
  n.output(0, n.emit("gelu", {n.in(0)}));
  return {};
}

Status bias_gelu(NodeImport& n) {
  n.output(0, n.emit("gelu", {n.emit("add", {n.in(0), n.in(1)})}));
  return {};
}

Status fast_gelu(NodeImport& n) {
  ValueId x = n.has(1) ? n.emit("add", {n.in(0), n.in(1)}) : n.in(0);
  n.output(0, n.emit("gelu", {x}, {{"approximate", std::string("tanh")}}));
  return {};
}

// x * sigmoid(alpha * x).
Status quick_gelu(NodeImport& n) {
  n.output(0, n.emit("swish", {n.in(0)}, {{"alpha", n.attr_float("alpha", static_cast<double>(1.702f))}}));
  return {};
}

Status fused_matmul(NodeImport& n) {
  if (n.attr_int("transBatchA", 0) != 0 || n.attr_int("transBatchB", 0) != 0) {
    n.unsupported("FusedMatMul with transposed batches");
    return {};
  }
  auto side = [&](int i, std::string_view attribute) {
    ValueId x = n.in(i);
    if (n.attr_int(attribute, 0) == 0) return x;
    if (!n.has_rank(x) || n.rank(x) < 2) {
      n.unsupported("FusedMatMul with an operand of unknown rank");
      return x;
    }
    return n.emit("transpose", {x}, {{"perm", swap_last(n.rank(x))}});
  };
  ValueId y = n.emit("matmul", {side(0, "transA"), side(1, "transB")});
  double alpha = n.attr_float("alpha", 1);
  if (alpha != 1) y = n.emit("mul", {y, n.scalar_like(alpha, y)});
  n.output(0, y);
  return {};
}

Status fused_gemm(NodeImport& n) {
  Attrs attrs = n.attributes_for("gemm", {"activation", "activation_alpha", "activation_beta", "activation_gamma"});
  std::vector<ValueId> y = n.emit_with("gemm", n.all_inputs(), 1, std::move(attrs));
  if (n.has_attr("activation_alpha")) {
    n.unsupported("FusedGemm with a parameter of its activation");
    return {};
  }
  n.output(0, activated(n, y[0]));
  return {};
}

Status fused_conv(NodeImport& n) {
  Attrs attrs = n.attributes_for("conv", {"activation", "activation_params"});
  ValueId y = n.emit_with("conv", {n.in(0), n.in(1), n.in(2)}, 1, std::move(attrs))[0];
  if (n.has(3)) y = n.emit("add", {y, n.in(3)});
  n.output(0, activated(n, y));
  return {};
}

// gelu(x w + bias), by tanh.
Status gemm_fast_gelu(NodeImport& n) {
  ValueId y = n.emit("matmul", {n.in(0), n.in(1)});
  if (n.has(2)) y = n.emit("add", {y, n.in(2)});
  n.output(0, n.emit("gelu", {y}, {{"approximate", std::string("tanh")}}));
  return {};
}

// x + bias + skip.
Status bias_add(NodeImport& n) {
  n.output(0, n.emit("add", {n.emit("add", {n.in(0), n.in(1)}), n.in(2)}));
  return {};
}

Status expand_dims(NodeImport& n) {
  n.output(0, n.emit("unsqueeze", {n.in(0), n.emit("reshape", {n.in(1), n.ints({1})})}));
  return {};
}

Status ms_qlinear_conv(NodeImport& n) {
  if (n.attr_int("channels_last", 0) != 0) {
    n.unsupported("QLinearConv with channels_last=1");
    return {};
  }
  n.same("qlinear_conv", n.all_inputs(), n.attributes_for("qlinear_conv", {"channels_last"}));
  return {};
}

// LayerNorm(input + skip + bias); output 3 is the sum.
Status skip_layer_norm(NodeImport& n) {
  bool is_rms = n.proto().op_type == "SkipSimplifiedLayerNormalization";
  ValueId sum = n.emit("add", {n.in(0), n.in(1)});
  ValueId bias = is_rms ? n.in(3) : n.in(4);
  if (bias != kNone) sum = n.emit("add", {sum, bias});
  std::vector<Attrs::Item> attrs = {{"epsilon", n.attr_float("epsilon", static_cast<double>(1e-12f))}};
  if (is_rms) {
    n.output(0, n.emit("rms_normalization", {sum, n.in(2)}, std::move(attrs)));
  } else {
    std::vector<ValueId> y = n.emit_multi("layer_normalization", {sum, n.in(2), n.in(3)}, 3, std::move(attrs));
    for (int i = 0; i < 3; ++i) n.output(i, y[static_cast<std::size_t>(i)]);
  }
  n.output(3, sum);
  return {};
}

// The sum of word, position and segment embeddings, normalized.
Status embed_layer_norm(NodeImport& n) {
  ValueId ids = n.in(0), position = n.in(8);
  ValueId sum = n.emit("gather", {n.in(2), ids}, {{"axis", std::int64_t{0}}});
  if (position == kNone) {
    ValueId length = n.emit("gather", {n.emit("shape", {ids}), n.scalar_int(1)}, {{"axis", std::int64_t{0}}});
    position = n.emit("range", {n.scalar_int(0), length, n.scalar_int(1)});
  }
  sum = n.emit("add", {sum, n.emit("gather", {n.in(3), position}, {{"axis", std::int64_t{0}}})});
  if (n.has(1) && n.has(4)) {
    sum = n.emit("add", {sum, n.emit("gather", {n.in(4), n.in(1)}, {{"axis", std::int64_t{0}}})});
  }
  n.output(0, n.emit("layer_normalization", {sum, n.in(5), n.in(6)},
                     {{"epsilon", n.attr_float("epsilon", static_cast<double>(1e-12f))}}));
  if (n.wants(1)) {
    ValueId mask = n.has(7) ? n.in(7) : kNone;
    if (mask == kNone) {
      n.unsupported("EmbedLayerNormalization with a mask index but no mask");
      return {};
    }
    n.output(1, n.emit("reduce_sum", {mask, n.ints({1})}, {{"keepdims", std::int64_t{0}}}));
  }
  n.output(2, sum);
  return {};
}

// A product of 8-bit integers with scales and bias: ((A - zero) (B - zero)) * a_scale * b_scale + bias.
Status matmul_integer_to_float(NodeImport& n) {
  ValueId y = cast(n, n.emit("matmul_integer", {n.in(0), n.in(1), n.in(4), n.in(5)}), DType::f32);
  y = n.emit("mul", {y, n.emit("mul", {n.in(2), n.in(3)})});
  if (n.has(6)) y = n.emit("add", {y, n.in(6)});
  n.output(0, y);
  return {};
}

Status dynamic_quantize_matmul(NodeImport& n) {
  std::vector<ValueId> a = n.emit_multi("dynamic_quantize_linear", {n.in(0)}, 3);
  ValueId y = cast(n, n.emit("matmul_integer", {a[0], n.in(1), a[2], n.in(3)}), DType::f32);
  y = n.emit("mul", {y, n.emit("mul", {a[1], n.in(2)})});
  if (n.has(4)) y = n.emit("add", {y, n.in(4)});
  n.output(0, y);
  return {};
}

}  // namespace mote::onnx
