// What conversions work with.
#include "formats/tflite/node.h"

#include <algorithm>

#include "base/text.h"

namespace mote::tflite {

NodeContext::NodeContext(Importer& importer, Scope& scope, const fbs::Operator& op, std::string name)
    : importer_(importer), scope_(scope), op_(op), name_(std::move(name)) {
  const fbs::OperatorCode& code = importer.file().code(op);
  op_code_ = operator_of(code);
  version_ = code.version();
  op_name_ = op_code_ == fbs::BuiltinOperator::CUSTOM ? clean_text(text_of(code.custom_code())) : name_of(op_code_);
  if (name_.empty()) name_ = op_name_;
}

Status NodeContext::resolve_inputs() {
  for (int i = 0; i < static_cast<int>(size_of(op_.inputs())); ++i) {
    std::int32_t t = input_index(i);
    ValueId v = kNone;
    if (t >= 0) {
      MOTE_ASSIGN(v, importer_.lookup(scope_, t));
    }
    inputs_.push_back(v);
  }
  return {};
}

std::int32_t NodeContext::input_index(int i) const {
  auto k = static_cast<flatbuffers::uoffset_t>(i);
  return i >= 0 && k < size_of(op_.inputs()) ? op_.inputs()->Get(k) : -1;
}

std::int32_t NodeContext::output_index(int i) const {
  auto k = static_cast<flatbuffers::uoffset_t>(i);
  return i >= 0 && k < size_of(op_.outputs()) ? op_.outputs()->Get(k) : -1;
}

const fbs::Tensor* NodeContext::tensor(std::int32_t index) const {
  return index < 0 || static_cast<std::size_t>(index) >= size_of(scope_.graph->tensors())
             ? nullptr
             : scope_.graph->tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
}

Handle NodeContext::handle(int i) const {
  std::int32_t t = input_index(i);
  return t < 0 ? Handle() : scope_.handles[static_cast<std::size_t>(t)];
}

bool NodeContext::is_variable(int i) const {
  const fbs::Tensor* t = input_tensor(i);
  return t && t->is_variable();
}

void NodeContext::update(int i, ValueId v) {
  if (failed()) return;
  if (!is_variable(i)) return fail(invalid(concat("operand ", i, " is to be a variable")));
  Result<VariableId> id = importer_.variable(concat("tensor ", scope_.index, "/", input_index(i)), Type());
  if (!id.ok()) return fail(std::move(id).status());
  frame().variables[*id] = v;
}

ValueId NodeContext::hidden_state(std::string_view state) {
  if (failed()) return kNone;
  Result<VariableId> id = importer_.variable(hidden_name(*scope_.graph, scope_.index, op_, state), Type());
  Result<ValueId> v = id.ok() ? importer_.read_variable(frame(), *id) : std::move(id).status();
  if (v.ok()) return *v;
  fail(std::move(v).status());
  return kNone;
}

void NodeContext::update_hidden(std::string_view state, ValueId v) {
  if (failed()) return;
  Result<VariableId> id = importer_.variable(hidden_name(*scope_.graph, scope_.index, op_, state), Type());
  if (!id.ok()) return fail(std::move(id).status());
  frame().variables[*id] = v;
}

Quantization NodeContext::quantization_of_tensor(const fbs::Tensor* t) {
  if (!t) return {};
  Result<Quantization> q = quantization_of(*t);
  if (q.ok()) return *std::move(q);
  if (q.status().code() == Code::kUnsupported) {
    unsupported(concat(op_name_, " with ", q.status().message()));
  } else {
    fail(std::move(q).status().at(quoted(text_of(t->name()))));
  }
  return {};
}

std::span<const std::byte> NodeContext::custom_options() {
  Result<std::optional<Range>> r = importer_.file().custom_options(op_);
  if (!r.ok()) {
    fail(std::move(r).status());
    return {};
  }
  return *r ? (*r)->bytes() : std::span<const std::byte>();
}

const Constant& NodeContext::constant_of(ValueId v) {
  ConstantId c = importer_.value(frame().function, v).constant;
  return importer_.module().constants[static_cast<std::size_t>(c)];
}

std::optional<std::vector<std::int64_t>> NodeContext::ints_of(ValueId v) {
  if (v == kNone) return std::nullopt;
  const std::optional<KnownValue>& known = importer_.known(frame().function, v);
  return known ? constant_extents(*known) : std::nullopt;
}

std::optional<std::vector<double>> NodeContext::floats_of(ValueId v) {
  return is_constant(v) ? small_floats(constant_of(v), kMaxKnown) : std::nullopt;
}

std::vector<std::int64_t> NodeContext::need_ints(int i, std::string_view what) {
  if (auto v = ints_of(in(i))) return *std::move(v);
  if (!failed()) unsupported(concat(op_name_, " with ", what, " that a run decides"));
  return {};
}

int NodeContext::need_rank(ValueId v) {
  if (has_rank(v)) return rank(v);
  if (!failed()) unsupported(concat(op_name_, " of a tensor of unknown rank"));
  return 0;
}

std::int64_t NodeContext::axis(std::int64_t axis, int rank) {
  std::int64_t a = axis < 0 ? axis + rank : axis;
  if (a >= 0 && a < rank) return a;
  fail(invalid(concat("axis ", axis, " is outside of the ", rank, " axes")));
  return 0;
}

std::vector<ValueId> NodeContext::emit_multi(std::string_view op_name, std::vector<ValueId> inputs, int outputs,
                                             std::vector<Attrs::Item> items, std::vector<FunctionId> bodies) {
  std::vector<ValueId> none(static_cast<std::size_t>(outputs), kNone);
  if (failed()) return none;
  const Op* op = importer_.find_op(op_name);
  if (!op) {
    unsupported(concat(op_name_, " (op ", quoted(op_name), ")"));
    return none;
  }
  while (bodies.empty() && !inputs.empty() && inputs.back() == kNone) inputs.pop_back();
  Attrs attrs;
  for (auto& [n, v] : items) attrs.set(n, std::move(v));
  std::string name = emitted_++ == 0 ? name_ : concat(name_, "/", op_name);
  Result<std::vector<ValueId>> made = importer_.emit(frame().function, op, std::move(name), std::move(inputs),
                                                     std::move(attrs), outputs, std::move(bodies));
  if (made.ok()) return *std::move(made);
  fail(std::move(made).status());
  return none;
}

ValueId NodeContext::emit(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs) {
  return emit_multi(op, std::move(inputs), 1, std::move(attrs))[0];
}

ValueId NodeContext::constant(Constant c) {
  if (failed()) return kNone;
  Result<ConstantId> id = importer_.add_constant(std::move(c));
  if (!id.ok()) {
    fail(std::move(id).status());
    return kNone;
  }
  Result<ValueId> v = importer_.constant_value(frame().function, *id);
  if (v.ok()) return *v;
  fail(std::move(v).status());
  return kNone;
}

ValueId NodeContext::ints(std::vector<std::int64_t> values) {
  std::int64_t n = static_cast<std::int64_t>(values.size());
  return constant(plain_constant(name_ + "/ints", DType::i64, {n}, to_bytes(std::span<const std::int64_t>(values))));
}

ValueId NodeContext::scalar_int(std::int64_t value) {
  return constant(plain_constant(name_ + "/int", DType::i64, {}, to_bytes(std::span<const std::int64_t>(&value, 1))));
}

ValueId NodeContext::floats(const std::vector<float>& values) {
  std::int64_t n = static_cast<std::int64_t>(values.size());
  return constant(plain_constant(name_ + "/floats", DType::f32, {n}, to_bytes(std::span<const float>(values))));
}

ValueId NodeContext::scalar(double value, DType dtype) {
  return constant(plain_constant(name_ + "/scalar", dtype, {}, element_bytes(value, dtype)));
}

namespace {

// What a constant is after one more transform.
Constant transformed(const Constant& c, Transform t, Type type) {
  Constant out = c;
  out.transforms.push_back(std::move(t));
  out.type = std::move(type);
  return out;
}

bool is_plain_numbers(const Constant& c) { return c.encoding == Encoding::kPlain && bits_of(c.stored_dtype) >= 8; }

}  // namespace

ValueId NodeContext::cast(ValueId v, DType to) {
  if (failed() || v == kNone || dtype(v) == to) return v;
  if (auto small = ints_of(v); small && to == DType::i64 && is_constant(v) && type(v).is_static()) {
    std::vector<std::int64_t> extents = *constant_extents(shape(v));
    return constant(
        plain_constant(name_ + "/ints", to, std::move(extents), to_bytes(std::span<const std::int64_t>(*small))));
  }
  bool widens = is_float(dtype(v)) && is_float(to);
  if (is_constant(v) && widens && is_plain_numbers(constant_of(v))) {
    return constant(transformed(constant_of(v), {Transform::Kind::kCast, {}, to, {}}, Type::tensor(to, type(v).shape)));
  }
  return emit("cast", {v}, {{"to", to}});
}

ValueId NodeContext::transpose(ValueId v, std::vector<std::int64_t> perm) {
  if (failed()) return kNone;
  if (is_constant(v) && is_plain_numbers(constant_of(v)) && has_rank(v) && perm.size() == shape(v).size()) {
    Shape s;
    for (std::int64_t p : perm) s.push_back(shape(v)[static_cast<std::size_t>(p)]);
    Type t = Type::tensor(dtype(v), std::move(s));
    return constant(
        transformed(constant_of(v), {Transform::Kind::kTranspose, std::move(perm), DType::none, {}}, std::move(t)));
  }
  return emit("transpose", {v}, {{"perm", std::move(perm)}});
}

ValueId NodeContext::reshape(ValueId v, std::vector<std::int64_t> extents) {
  if (failed()) return kNone;
  bool open = std::any_of(extents.begin(), extents.end(), [](std::int64_t d) { return d < 0; });
  if (!open && is_constant(v) && constant_of(v).encoding == Encoding::kPlain) {
    Type t = Type::tensor(dtype(v), Shape(extents.begin(), extents.end()));
    return constant(
        transformed(constant_of(v), {Transform::Kind::kReshape, std::move(extents), DType::none, {}}, std::move(t)));
  }
  return emit("reshape", {v, ints(std::move(extents))});
}

ValueId NodeContext::rounded_rows(ValueId x, std::int64_t axis, bool asymmetric) {
  return emit("dynamic_fake_quantize", {x}, {{"axis", axis}, {"symmetric", std::int64_t{asymmetric ? 0 : 1}}});
}

ValueId NodeContext::dequantized(int i, ValueId v) {
  const fbs::Tensor* t = input_tensor(i);
  if (failed() || v == kNone || !t || is_float(dtype(v))) return v;
  Quantization q = quantization(i);
  if (failed()) return kNone;
  if (!q.any()) {
    fail(invalid(concat("operand ", i, " is of type ", mote::name_of(dtype(v)), " without a scale")));
    return kNone;
  }
  if (q.block != 0) {
    auto block_tensor = [&](std::int32_t index) -> ValueId {
      if (index < 0 || !tensor(index)) return kNone;
      Result<ValueId> value = importer_.lookup(scope_, index);
      if (value.ok()) return *value;
      fail(std::move(value).status());
      return kNone;
    };
    ValueId scales = cast(block_tensor(q.scale_tensor), DType::f32), zero = block_tensor(q.zero_point_tensor);
    if (!failed() && scales == kNone) fail(invalid("its blocks have no scales"));
    return emit("dequantize_linear", {v, scales, zero == kNone ? kNone : cast(zero, dtype(v))},
                {{"axis", std::int64_t{need_rank(v) - 1}}, {"block_size", std::int64_t{q.block}}});
  }
  bool zero = std::any_of(q.zero_points.begin(), q.zero_points.end(), [](std::int64_t z) { return z != 0; });
  ValueId scales = q.per_tensor() ? scalar(q.scale(), DType::f32) : floats(q.scales), points = kNone;
  if (zero && bits_of(dtype(v)) < 8) {
    unsupported(concat(op_name_, " with weights of less than 8 bits and a zero point"));
    return kNone;
  }
  if (zero) {
    std::vector<std::byte> bytes;
    for (std::int64_t z : q.zero_points) {
      std::vector<std::byte> one = element_bytes(static_cast<double>(z), dtype(v));
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    std::vector<std::int64_t> extents;
    if (!q.per_tensor()) extents = {static_cast<std::int64_t>(q.zero_points.size())};
    points = constant(plain_constant(name_ + "/zero", dtype(v), std::move(extents), std::move(bytes)));
  }
  return emit("dequantize_linear", {v, scales, points}, {{"axis", std::int64_t{q.axis}}});
}

ValueId NodeContext::activate(ValueId v, fbs::Activation activation) {
  DType t = dtype(v);
  switch (activation) {
    case fbs::Activation::NONE:
      return v;
    case fbs::Activation::RELU:
      return emit("relu", {v});
    case fbs::Activation::RELU_N1_TO_1:
      return emit("clip", {v, scalar(-1, t), scalar(1, t)});
    case fbs::Activation::RELU6:
      return emit("clip", {v, scalar(0, t), scalar(6, t)});
    case fbs::Activation::TANH:
      return emit("tanh", {v});
    default:
      unsupported(concat(op_name_, " with activation ", static_cast<int>(activation)));
      return kNone;
  }
}

void NodeContext::output(int i, ValueId v) {
  if (failed() || i >= outputs()) return;
  if (v == kNone) return fail(internal_error(concat("result ", i, " is absent")));
  DType stated = dtype_of(output_tensor(i)->type());
  if (stated != dtype(v) && stated != DType::none && dtype(v) != DType::none) {
    bool index = (stated == DType::i32 || stated == DType::i64) && (dtype(v) == DType::i32 || dtype(v) == DType::i64);
    if (!index) {
      return fail(invalid(concat("gives ", mote::name_of(dtype(v)), ", but the file says that result ", i, " is ",
                                 mote::name_of(stated))));
    }
    v = emit("cast", {v}, {{"to", stated}});
    if (failed()) return;
  }
  Type& type = importer_.value(frame().function, v).type;
  if (type.is_tensor() && (type.dtype == DType::none || !type.shape)) {
    Type from_file = importer_.stated_type(*output_tensor(i));
    // A shape that the file states is a guess of the converter's where ours is open.
    if (type.dtype == DType::none) type.dtype = from_file.dtype;
  }
  fail(importer_.bind(scope_, output_index(i), v));
}

void NodeContext::output_handle(int i, Handle handle) {
  std::int32_t t = output_index(i);
  if (!failed() && t >= 0) scope_.handles[static_cast<std::size_t>(t)] = handle;
}

void NodeContext::same(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs) {
  std::vector<ValueId> made = emit_multi(op, std::move(inputs), outputs(), std::move(attrs));
  for (int i = 0; i < outputs(); ++i) output(i, made[static_cast<std::size_t>(i)]);
}

void NodeContext::unsupported(std::string what) {
  if (failed()) return;
  missed_ = true;
  importer_.miss(std::move(what), name_);
}

}  // namespace mote::tflite
