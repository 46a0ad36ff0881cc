// Older forms of norms, softmax, dropout, recurrences and images.
#include "formats/onnx/importer.h"

namespace mote::onnx {

// Softmax, LogSoftmax and Hardmax before opset 13: over a matrix made by flattening from `axis` on.
Status softmax_2d(NodeImport& n) {
  ValueId x = n.in(0);
  std::int64_t axis = n.attr_int("axis", 1);
  bool is_last = axis == -1;
  if (n.has_rank(x)) {
    std::int64_t rank = n.rank(x);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) return invalid("axis " + std::to_string(axis) + " is outside the tensor's rank");
    is_last = axis == rank - 1;
  }
  if (is_last) {
    n.output(0, n.emit(n.op(), {x}, {{"axis", std::int64_t{-1}}}));
    return {};
  }
  ValueId flat = n.emit("flatten", {x}, {{"axis", axis}});
  ValueId y = n.emit(n.op(), {flat}, {{"axis", std::int64_t{1}}});
  n.output(0, n.emit("reshape", {y, n.emit("shape", {x})}));
  return {};
}

// Opset < 7.
Status gemm_broadcast(NodeImport& n) {
  n.same("gemm", n.all_inputs(), n.attributes_for("gemm", {"broadcast"}));
  return {};
}

// Opset < 14: extra outputs are of training, which the file does not ask for otherwise.
Status batch_norm_inference(NodeImport& n) {
  if (n.attr_int("spatial", 1) == 0 && !(n.has_rank(n.in(0)) && n.rank(n.in(0)) == 2)) {
    n.unsupported("BatchNormalization with spatial=0");
    return {};
  }
  for (int i = 1; i < n.outputs(); ++i) {
    if (!n.wants(i)) continue;
    n.unsupported("BatchNormalization of opset " + std::to_string(n.version()) + " in training mode");
    return {};
  }
  n.same("batch_normalization", n.all_inputs(), n.attributes_for("batch_normalization", {"spatial", "is_test"}));
  return {};
}

// Opset 18 to 20: scale and bias per group; per channel afterwards.
Status group_norm_per_group(NodeImport& n) {
  ValueId x = n.in(0);
  std::int64_t groups = n.attr_int("num_groups", 1);
  // [groups] -> [groups, 1] -> [groups, channels / groups] -> [channels]
  ValueId channels = n.emit("shape", {x}, {{"start", std::int64_t{1}}, {"end", std::int64_t{2}}});
  ValueId target =
      n.emit("concat", {n.ints({groups}), n.emit("div", {channels, n.ints({groups})})}, {{"axis", std::int64_t{0}}});
  auto per_channel = [&](ValueId v) {
    ValueId column = n.emit("unsqueeze", {v, n.ints({1})});
    return n.emit("reshape", {n.emit("expand", {column, target}), n.ints({-1})});
  };
  n.same("group_normalization", {x, per_channel(n.in(1)), per_channel(n.in(2))},
         n.attributes_for("group_normalization"));
  return {};
}

// Opset 1: `across_channels` and `normalize_variance`.
Status mvn_across_channels(NodeImport& n) {
  if (n.attr_int("normalize_variance", 1) == 0) {
    n.unsupported("MeanVarianceNormalization with normalize_variance=0");
    return {};
  }
  std::vector<std::int64_t> axes = {0, 2, 3};
  if (n.attr_int("across_channels", 0) != 0) axes = {0, 1, 2, 3};
  Attrs attrs;
  attrs.set("axes", std::move(axes));
  n.same("mean_variance_normalization", {n.in(0)}, std::move(attrs));
  return {};
}

// Opset < 12: nothing is dropped at inference.
Status dropout_inference(NodeImport& n) {
  ValueId x = n.in(0);
  n.output(0, n.emit("identity", {x}));
  if (n.wants(1)) {
    ValueId mask = n.emit("expand", {n.scalar(1, DType::boolean), n.emit("shape", {x})});
    // The mask was of the data's type before opset 10.
    if (n.version() < 10) mask = n.emit("cast_like", {mask, x});
    n.output(1, mask);
  }
  return {};
}

Status dropout_any(NodeImport& n) {
  if (!n.has(2)) return dropout_inference(n);
  auto training = n.ints_of(n.in(2));
  if (training && training->size() == 1 && (*training)[0] == 0) return dropout_inference(n);
  auto ratio = n.floats_of(n.in(1));
  if (ratio && ratio->size() == 1 && (*ratio)[0] == 0) return dropout_inference(n);
  n.same();
  return {};
}

// Opset < 7: `output_sequence` only repeats which outputs are named.
Status recurrent_output_sequence(NodeImport& n) {
  n.same(n.op(), n.all_inputs(), n.attributes_for(n.op(), {"output_sequence"}));
  return {};
}

// Resize from opset 11 on: an operand of no elements is an absent one.
Status resize_operands(NodeImport& n) {
  auto given = [&](int i) {
    ValueId v = n.in(i);
    bool is_empty = n.has_rank(v) && n.rank(v) == 1 && (*n.type(v).shape)[0].is(0);
    return is_empty ? kNone : v;
  };
  n.same("resize", {n.in(0), given(1), given(2), given(3)}, n.attributes_for("resize"));
  return {};
}

// Upsample, and Resize of opset 10: asymmetric coordinates, rounded down.
Status upsample(NodeImport& n) {
  ValueId scales = n.in(1);
  auto floats = [&](std::vector<float> v) {
    Constant c;
    c.name = n.name() + "/scales";
    c.stored_shape = {static_cast<std::int64_t>(v.size())};
    c.stored_dtype = DType::f32;
    c.type = Type::tensor(DType::f32, Shape{c.stored_shape[0]});
    std::vector<std::byte> bytes = to_bytes(std::span<const float>(v));
    c.size = bytes.size();
    c.source = std::make_shared<BufferSource>(std::move(bytes));
    return n.constant(std::move(c));
  };
  if (const AttributeProto* a = n.attr("scales"); a && scales == kNone) scales = floats(a->floats);
  if (n.has_attr("height_scale")) {
    scales = floats({1, 1, static_cast<float>(n.attr_float("height_scale", 1)),
                     static_cast<float>(n.attr_float("width_scale", 1))});
  }
  if (scales == kNone) return invalid("has no scales");
  std::string mode = n.attr_string("mode", "nearest");
  if (mode == "bilinear") mode = "linear";
  Attrs attrs;
  attrs.set("mode", mode);
  attrs.set("coordinate_transformation_mode", std::string("asymmetric"));
  attrs.set("nearest_mode", std::string("floor"));
  n.same("resize", {n.in(0), kNone, scales}, std::move(attrs));
  return {};
}

// Opset 10 to 15: pixel corners, not centres.
Status roi_align_half_pixel(NodeImport& n) {
  Attrs attrs = n.attributes_for("roi_align");
  attrs.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  n.same("roi_align", n.all_inputs(), std::move(attrs));
  return {};
}

// Opset 16 to 19: other names for the modes.
Status grid_sample_2d_modes(NodeImport& n) {
  std::string mode = n.attr_string("mode", "bilinear");
  if (mode == "bilinear") mode = "linear";
  if (mode == "bicubic") mode = "cubic";
  Attrs attrs = n.attributes_for("grid_sample", {"mode"});
  attrs.set("mode", mode);
  n.same("grid_sample", n.all_inputs(), std::move(attrs));
  return {};
}

// SimplifiedLayerNormalization, which ONNX Runtime writes into ONNX's own domain.
Status rms_norm(NodeImport& n) {
  n.same("rms_normalization", {n.in(0), n.in(1)}, n.attributes_for("rms_normalization"));
  return {};
}

// The tables of LabelEncoder come as lists of three types, or as tensors; opset 1 has one list for both directions.
Status label_encoder_tables(NodeImport& n) {
  if (n.version() < 2) {
    n.unsupported("LabelEncoder of opset 1");
    return {};
  }
  // Since version 4 tables may be tensors of further types; keys go by their kind, values keep their own type.
  Attrs attrs = n.attributes_for("label_encoder", {"keys_tensor", "values_tensor", "default_tensor"});
  auto kind_of = [](DType t) -> std::string {
    if (t == DType::string) return "strings";
    return is_float(t) ? "floats" : "int64s";
  };
  for (std::string_view which : {"keys", "values", "default"}) {
    const AttributeProto* a = n.attr(std::string(which) + "_tensor");
    if (!a) continue;
    if (!a->t) return invalid("attribute '" + std::string(which) + "_tensor' is not a tensor");
    MOTE_ASSIGN(Constant c, n.importer().tensor(*a->t));
    std::string kind = kind_of(c.stored_dtype);
    if (which == "default") kind.pop_back();
    std::string name = std::string(which) + "_" + kind;
    bool is_usual = c.stored_dtype == DType::string || c.stored_dtype == DType::i64 || c.stored_dtype == DType::f32;
    if (which == "values" && !is_usual) attrs.set("dtype", c.stored_dtype);
    if (c.stored_dtype == DType::string) {
      MOTE_ASSIGN(std::vector<std::string> strings, strings_of(c));
      if (which == "default" && strings.size() != 1) return invalid("default_tensor does not hold one element");
      attrs.set(name, which == "default" ? AttrValue(std::move(strings[0])) : AttrValue(std::move(strings)));
      continue;
    }
    MOTE_ASSIGN(std::vector<double> numbers, numbers_of(c));
    if (which == "default" && numbers.size() != 1) return invalid("default_tensor does not hold one element");
    std::vector<std::int64_t> whole;
    for (double x : numbers) whole.push_back(is_float(c.stored_dtype) ? 0 : static_cast<std::int64_t>(x));
    if (is_float(c.stored_dtype)) {
      attrs.set(name, which == "default" ? AttrValue(numbers[0]) : AttrValue(std::move(numbers)));
    } else {
      attrs.set(name, which == "default" ? AttrValue(whole[0]) : AttrValue(std::move(whole)));
    }
  }
  n.same("label_encoder", n.all_inputs(), std::move(attrs));
  return {};
}

}  // namespace mote::onnx
