// What conversion functions work with.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

std::string quoted(std::string_view s) { return "'" + std::string(s.substr(0, 200)) + "'"; }

std::vector<double> widened(const std::vector<float>& v) { return {v.begin(), v.end()}; }

std::vector<std::string> owned(const std::vector<std::string_view>& v) { return {v.begin(), v.end()}; }

std::vector<std::int64_t> rounded(const std::vector<double>& v) {
  std::vector<std::int64_t> out;
  for (double x : v) out.push_back(static_cast<std::int64_t>(x));
  return out;
}

}  // namespace

Status NodeImport::resolve_inputs() {
  for (std::string_view name : proto_.inputs) {
    if (name.empty()) {
      inputs_.push_back(kNone);
      continue;
    }
    MOTE_ASSIGN(std::optional<ValueId> v, importer_.lookup(scope_, name));
    if (!v) {
      return invalid("input " + quoted(name) + " is not defined: no graph input, initializer or node gives it")
          .at("byte " + std::to_string(proto_.offset));
    }
    inputs_.push_back(*v);
  }
  return {};
}

const AttributeProto* NodeImport::attr(std::string_view name) const {
  const AttributeProto* a = proto_.attribute(name);
  if (!a || a->ref_attr_name.empty()) return a;
  if (!scope_.attributes) return nullptr;
  auto it = scope_.attributes->find(a->ref_attr_name);
  return it == scope_.attributes->end() ? nullptr : it->second;
}

std::int64_t NodeImport::attr_int(std::string_view name, std::int64_t otherwise) {
  const AttributeProto* a = attr(name);
  if (!a) return otherwise;
  if (a->type == AttributeType::kFloat && std::nearbyint(a->f) == a->f && std::fabs(a->f) < 1e9f) {
    return static_cast<std::int64_t>(a->f);
  }
  if (a->type != AttributeType::kInt) fail(invalid("attribute " + quoted(name) + " is not an integer"));
  return a->i;
}

double NodeImport::attr_float(std::string_view name, double otherwise) {
  const AttributeProto* a = attr(name);
  if (!a) return otherwise;
  if (a->type == AttributeType::kInt) return static_cast<double>(a->i);
  if (a->type != AttributeType::kFloat) fail(invalid("attribute " + quoted(name) + " is not a number"));
  return static_cast<double>(a->f);
}

std::string NodeImport::attr_string(std::string_view name, std::string_view otherwise) {
  const AttributeProto* a = attr(name);
  if (!a) return std::string(otherwise);
  if (a->type != AttributeType::kString) fail(invalid("attribute " + quoted(name) + " is not a string"));
  return std::string(a->s);
}

std::vector<std::int64_t> NodeImport::attr_ints(std::string_view name) {
  const AttributeProto* a = attr(name);
  if (!a) return {};
  if (a->type == AttributeType::kInt) return {a->i};
  if (a->type != AttributeType::kInts) fail(invalid("attribute " + quoted(name) + " is not a list of integers"));
  return a->ints;
}

namespace {

// The value of an attribute in the kind that the op wants.
class Coercion {
 public:
  Coercion(Importer& importer, const AttributeProto& a, AttrValue& out) : importer_(importer), a_(a), out_(out) {}

  Status to(AttrKind kind) {
    bool is_whole = a_.type == AttributeType::kFloat && std::nearbyint(a_.f) == a_.f && std::fabs(a_.f) < 1e9f;
    switch (kind) {
      case AttrKind::kInt:
        if (a_.type == AttributeType::kInt) return set(a_.i);
        return is_whole ? set(static_cast<std::int64_t>(a_.f)) : wrong();
      case AttrKind::kFloat:
        if (a_.type == AttributeType::kFloat) return set(static_cast<double>(a_.f));
        return a_.type == AttributeType::kInt ? set(static_cast<double>(a_.i)) : wrong();
      case AttrKind::kString:
        if (a_.type == AttributeType::kString) return set(std::string(a_.s));
        return a_.type == AttributeType::kTypeProto ? type_text() : wrong();
      case AttrKind::kInts:
        if (a_.type == AttributeType::kInts) return set(a_.ints);
        if (a_.type == AttributeType::kInt) return set(std::vector<std::int64_t>{a_.i});
        return from_tensor(kind);
      case AttrKind::kFloats:
        if (a_.type == AttributeType::kFloats) return set(widened(a_.floats));
        if (a_.type == AttributeType::kInts) return set(std::vector<double>(a_.ints.begin(), a_.ints.end()));
        return from_tensor(kind);
      case AttrKind::kStrings:
        if (a_.type == AttributeType::kStrings) return set(owned(a_.strings));
        return from_tensor(kind);
      case AttrKind::kDType:
        return dtype();
    }
    return wrong();
  }

  Status as_is() {
    switch (a_.type) {
      case AttributeType::kInt:
        return to(AttrKind::kInt);
      case AttributeType::kFloat:
        return to(AttrKind::kFloat);
      case AttributeType::kString:
        return to(AttrKind::kString);
      case AttributeType::kInts:
        return to(AttrKind::kInts);
      case AttributeType::kFloats:
        return to(AttrKind::kFloats);
      case AttributeType::kStrings:
        return to(AttrKind::kStrings);
      default:
        return wrong();
    }
  }

 private:
  template <class T>
  Status set(T v) {
    out_ = AttrValue(std::move(v));
    return {};
  }
  static Status wrong() { return invalid("is of the wrong kind"); }

  Status from_tensor(AttrKind kind) {
    if (a_.type != AttributeType::kTensor) return wrong();
    MOTE_ASSIGN(Constant c, importer_.tensor(*a_.t));
    if (kind == AttrKind::kStrings) {
      MOTE_ASSIGN(std::vector<std::string> strings, strings_of(c));
      return set(std::move(strings));
    }
    MOTE_ASSIGN(std::vector<double> numbers, numbers_of(c));
    return kind == AttrKind::kInts ? set(rounded(numbers)) : set(std::move(numbers));
  }
  Status type_text() {
    MOTE_ASSIGN(Type t, type_of(*a_.tp, [](const DimProto& d, std::size_t) -> Result<Dim> {
                  return d.value ? Dim(*d.value) : Dim::symbol("n");
                }));
    return set(t.to_string());
  }
  Status dtype() {
    if (a_.type == AttributeType::kTypeProto && a_.tp->kind == TypeProto::Kind::kTensor) {
      return set(dtype_of_number(a_.tp->elem_type));
    }
    if (a_.type != AttributeType::kInt) return wrong();
    DType t = dtype_of_number(a_.i);
    if (t == DType::none) return unsupported("data type " + std::to_string(a_.i) + " is not known");
    return set(t);
  }

  Importer& importer_;
  const AttributeProto& a_;
  AttrValue& out_;
};

}  // namespace

Attrs NodeImport::attributes_for(std::string_view op_name, std::initializer_list<std::string_view> used) {
  Attrs attrs;
  const Op* op = importer_.find_op(op_name);
  if (!op) return attrs;
  for (const AttributeProto& written : proto_.attributes) {
    std::string_view name = written.name;
    const AttributeProto* a = attr(name);
    if (!a || name == "consumed_inputs" || std::find(used.begin(), used.end(), name) != used.end()) continue;
    const AttrSpec* spec = op->attr(name);
    if (!spec) {
      unsupported(std::string(proto_.op_type) + " with attribute " + quoted(name));
      continue;
    }
    // Zero stands for "not given".
    if (spec->kind == AttrKind::kDType && a->type == AttributeType::kInt && a->i == 0) continue;
    AttrValue value;
    if (Status s = Coercion(importer_, *a, value).to(spec->kind); !s.ok()) {
      fail(std::move(s).at("attribute " + quoted(name)));
    } else {
      attrs.set(name, std::move(value));
    }
  }
  return attrs;
}

std::optional<std::vector<std::int64_t>> NodeImport::ints_of(ValueId v) {
  if (v == kNone) return std::nullopt;
  const std::optional<KnownValue>& known = importer_.known(scope_.function, v);
  return known ? constant_extents(*known) : std::nullopt;
}

std::optional<std::vector<double>> NodeImport::floats_of(ValueId v) {
  if (v == kNone) return std::nullopt;
  ConstantId c = importer_.value(scope_.function, v).constant;
  if (c == kNone) return std::nullopt;
  return small_floats(importer_.module().constants[static_cast<std::size_t>(c)], kMaxKnown);
}

std::vector<ValueId> NodeImport::emit_with(std::string_view op_name, std::vector<ValueId> inputs, int outputs,
                                           Attrs attrs) {
  std::vector<Attrs::Item> items = attrs.items();
  return emit_multi(op_name, std::move(inputs), outputs, std::move(items));
}

std::vector<ValueId> NodeImport::emit_multi(std::string_view op_name, std::vector<ValueId> inputs, int outputs,
                                            std::vector<Attrs::Item> items, std::vector<FunctionId> bodies) {
  std::vector<ValueId> none(static_cast<std::size_t>(outputs), kNone);
  if (failed()) return none;
  const Op* op = importer_.find_op(op_name);
  if (!op) {
    std::string what(proto_.op_type);
    if (!proto_.domain.empty()) what += " of domain " + quoted(proto_.domain);
    unsupported(what + " (op '" + std::string(op_name) + "')");
    return none;
  }
  while (bodies.empty() && !inputs.empty() && inputs.back() == kNone) inputs.pop_back();
  Attrs attrs;
  for (auto& [n, v] : items) attrs.set(n, std::move(v));
  std::string name = emitted_++ == 0 ? name_ : name_ + "/" + std::string(op_name);
  Result<std::vector<ValueId>> made = importer_.emit(scope_.function, op, std::move(name), std::move(inputs),
                                                     std::move(attrs), outputs, std::move(bodies), wanted_);
  if (!made.ok()) {
    fail(std::move(made).status());
    return none;
  }
  return *std::move(made);
}

ValueId NodeImport::emit(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs) {
  return emit_multi(op, std::move(inputs), 1, std::move(attrs))[0];
}

ValueId NodeImport::constant(Constant c) {
  if (failed()) return kNone;
  Result<ConstantId> id = importer_.add_constant(std::move(c));
  if (!id.ok()) {
    fail(std::move(id).status());
    return kNone;
  }
  Result<ValueId> v = importer_.constant_value(scope_.function, *id);
  if (!v.ok()) fail(std::move(v).status());
  return v.ok() ? *v : kNone;
}

ValueId NodeImport::ints(std::vector<std::int64_t> values) {
  std::int64_t n = static_cast<std::int64_t>(values.size());
  return constant(plain_constant(name_ + "/ints", DType::i64, {n}, to_bytes(std::span<const std::int64_t>(values))));
}

ValueId NodeImport::scalar_int(std::int64_t value) {
  return constant(plain_constant(name_ + "/int", DType::i64, {}, to_bytes(std::span<const std::int64_t>(&value, 1))));
}

ValueId NodeImport::scalar(double value, DType dtype) {
  return constant(plain_constant(name_ + "/scalar", dtype, {}, element_bytes(value, dtype)));
}

ValueId NodeImport::scalar_like(double value, ValueId like) {
  DType t = dtype(like);
  if (t == DType::none) return emit("cast_like", {scalar(value, DType::f32), like});
  return scalar(value, t);
}

void NodeImport::output(int i, ValueId v) {
  if (failed() || !wants(i)) return;
  if (v == kNone) return fail(internal_error("output " + std::to_string(i) + " is absent"));
  std::string_view name = proto_.outputs[static_cast<std::size_t>(i)];
  Type& type = importer_.value(scope_.function, v).type;
  bool open = type.is_tensor() && (type.dtype == DType::none || !type.shape);
  std::optional<Type> stated = importer_.stated_type(scope_, name);
  if (stated && stated->is_tensor() && type.is_tensor() && stated->dtype != type.dtype &&
      stated->dtype != DType::none && type.dtype != DType::none) {
    return fail(invalid(concat("gives ", name_of(type.dtype), ", but the file says that ", quoted(name), " is ",
                               name_of(stated->dtype))));
  }
  if (open) {
    if (stated && (type.dtype == DType::none || (stated->is_tensor() && stated->dtype == type.dtype))) type = *stated;
  }
  fail(importer_.bind(scope_, name, v, name_));
}

void NodeImport::same(std::string_view op, std::vector<ValueId> inputs, Attrs attrs) {
  int count = outputs();
  while (count > 1 && !wants(count - 1)) --count;
  if (failed()) return;
  wanted_ = 0;
  for (int i = 0; i < count && i < 64; ++i) wanted_ |= std::uint64_t{wants(i)} << i;
  if (count > 64) wanted_ = ~std::uint64_t{0};
  std::vector<ValueId> made = emit_with(op, std::move(inputs), count, std::move(attrs));
  wanted_ = ~std::uint64_t{0};
  for (int i = 0; i < count; ++i) output(i, made[static_cast<std::size_t>(i)]);
}

void NodeImport::same() { same(row_->op, inputs_, attributes_for(row_->op)); }

void NodeImport::custom(const Op& op) {
  Attrs attrs;
  for (const AttributeProto& written : proto_.attributes) {
    const AttributeProto* a = attr(written.name);
    if (!a) continue;
    const AttrSpec* spec = op.attr(written.name);
    AttrValue value;
    Coercion coercion(importer_, *a, value);
    Status s = spec ? coercion.to(spec->kind) : coercion.as_is();
    if (!s.ok()) return fail(std::move(s).at("attribute " + quoted(written.name)));
    attrs.set(written.name, std::move(value));
  }
  Result<std::vector<ValueId>> made = importer_.emit(scope_.function, &op, name_, inputs_, std::move(attrs), outputs());
  if (!made.ok()) return fail(std::move(made).status());
  for (int i = 0; i < outputs(); ++i) output(i, (*made)[static_cast<std::size_t>(i)]);
}

void NodeImport::unsupported(std::string what) {
  missed_ = true;
  importer_.miss(std::move(what), name_);
}

}  // namespace mote::onnx
