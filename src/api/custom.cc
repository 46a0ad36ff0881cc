#include "api/custom.h"

#include <algorithm>

#include "base/text.h"
#include "ir/infer.h"
#include "ops/ops.h"

namespace mote {
namespace {

class Attributes final : public CustomAttributes {
 public:
  explicit Attributes(const Attrs& attrs) : attrs_(attrs) {}
  bool has(std::string_view n) const override { return attrs_.has(n); }
  std::int64_t as_int(std::string_view n, std::int64_t otherwise) const override {
    const auto* v = get<std::int64_t>(n);
    return v ? *v : otherwise;
  }
  double as_float(std::string_view n, double otherwise) const override {
    if (const auto* v = get<double>(n)) return *v;
    const auto* v = get<std::int64_t>(n);
    return v ? static_cast<double>(*v) : otherwise;
  }
  std::string as_string(std::string_view n, std::string_view otherwise) const override {
    const auto* v = get<std::string>(n);
    return v ? *v : std::string(otherwise);
  }
  std::vector<std::int64_t> as_ints(std::string_view n) const override {
    const auto* v = get<std::vector<std::int64_t>>(n);
    return v ? *v : std::vector<std::int64_t>();
  }
  std::vector<double> as_floats(std::string_view n) const override {
    const auto* v = get<std::vector<double>>(n);
    return v ? *v : std::vector<double>();
  }

 private:
  template <class T>
  const T* get(std::string_view n) const {
    const AttrValue* v = attrs_.find(n);
    return v ? std::get_if<T>(v) : nullptr;
  }

  const Attrs& attrs_;
};

class Types final : public CustomTypes {
 public:
  explicit Types(InferContext& ctx) : ctx_(ctx), attributes_(ctx.attrs()) {}
  const CustomAttributes& attributes() const override { return attributes_; }
  int inputs() const override { return ctx_.inputs(); }
  int outputs() const override { return ctx_.outputs(); }
  bool has(int i) const override { return i >= 0 && ctx_.has(i); }
  DType dtype(int i) const override { return has(i) ? ctx_.dtype(i) : DType::none; }
  int rank(int i) const override { return i >= 0 && ctx_.has_rank(i) ? ctx_.rank(i) : -1; }
  std::int64_t extent(int i, int axis) const override {
    if (axis < 0 || axis >= rank(i)) return kUnknownExtent;
    return ctx_.shape(i)[static_cast<std::size_t>(axis)].known().value_or(kUnknownExtent);
  }
  Status output(int i, DType dtype, std::span<const std::int64_t> extents) override {
    if (extents.size() > kMaxRank) return unsupported("rank above 8");
    Shape shape;
    for (std::int64_t e : extents) {
      MOTE_ASSIGN(Dim d, dim(e));
      shape.push_back(std::move(d));
    }
    return set(i, Type::tensor(dtype, std::move(shape)));
  }
  Status output_of_unknown_rank(int i, DType dtype) override { return set(i, Type::tensor(dtype)); }
  Status output_like(int i, int input) override {
    if (!has(input)) return invalid(concat("there is no input ", input));
    return set(i, ctx_.type(input));
  }

 private:
  Result<Dim> dim(std::int64_t e) {
    if (e >= 0) return Dim(e);
    if (e == kUnknownExtent) return ctx_.fresh();
    std::int64_t code = -2 - e, input = code / kMaxRank, axis = code % kMaxRank;
    if (input >= inputs() || !has(static_cast<int>(input))) return invalid(concat("there is no input ", input));
    if (rank(static_cast<int>(input)) < 0) return ctx_.fresh();
    if (axis >= rank(static_cast<int>(input))) return invalid(concat("input ", input, " has no axis ", axis));
    return ctx_.shape(static_cast<int>(input))[static_cast<std::size_t>(axis)];
  }
  Status set(int i, Type type) {
    if (i < 0 || i >= outputs()) return invalid(concat("there is no output ", i));
    if (type.dtype == DType::none) return invalid(concat("output ", i, " has no dtype"));
    ctx_.output(i, std::move(type));
    return {};
  }

  InferContext& ctx_;
  Attributes attributes_;
};

class Call final : public CustomCall {
 public:
  explicit Call(ReferenceContext& ctx)
      : ctx_(ctx), attributes_(ctx.attrs()), given_(static_cast<std::size_t>(ctx.outputs()), false) {}
  const CustomAttributes& attributes() const override { return attributes_; }
  int inputs() const override { return ctx_.inputs(); }
  int outputs() const override { return ctx_.outputs(); }
  bool has(int i) const override { return i >= 0 && i < ctx_.inputs() && ctx_.has(i); }
  const TensorView& input(int i) const override { return ctx_.in(i); }
  Result<TensorView> output(int i, DType dtype, std::span<const std::int64_t> shape) override {
    if (i < 0 || i >= outputs()) return invalid(concat("there is no output ", i));
    given_[static_cast<std::size_t>(i)] = true;
    return ctx_.out(i, dtype, shape);
  }
  Result<std::span<std::byte>> scratch(std::size_t bytes) override { return ctx_.scratch(bytes); }

  Status check_given() const {
    for (int i = 0; i < outputs(); ++i) {
      if (!given_[static_cast<std::size_t>(i)] && ctx_.wants(i))
        return invalid(concat("the custom op did not write output ", i));
    }
    return {};
  }

 private:
  ReferenceContext& ctx_;
  Attributes attributes_;
  std::vector<bool> given_;
};

Status infer_custom(InferContext& ctx) {
  const auto& op = static_cast<const CustomDefinition&>(ctx.op());
  for (int i = 0; i < op.custom.min_inputs; ++i) {
    if (!ctx.has(i)) return ctx.error(concat("lacks input ", i));
  }
  if (ctx.inputs() > op.custom.max_inputs) return ctx.error(concat("takes at most ", op.custom.max_inputs, " inputs"));
  if (ctx.outputs() > op.custom.outputs) return ctx.error(concat("gives at most ", op.custom.outputs, " outputs"));
  Types types(ctx);
  MOTE_TRY(op.custom.infer(types));
  if (static_cast<int>(ctx.out_types_.size()) < ctx.outputs()) {
    return ctx.error(concat("the custom op says nothing about output ", ctx.out_types_.size()));
  }
  return {};
}

Status run_custom(ReferenceContext& ctx) {
  const auto& op = static_cast<const CustomDefinition&>(ctx.op());
  Call call(ctx);
  MOTE_TRY(op.custom.run(call));
  return call.check_given();
}

bool plain_name(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  });
}

}  // namespace

const Op* OpRegistry::Impl::find(std::string_view n) const {
  auto it = definitions.find(n);
  return it == definitions.end() ? nullptr : it->second.get();
}

const Kernel* OpRegistry::Impl::find(std::string_view n, std::int32_t version) const {
  for (const auto& [full, d] : definitions) {
    if (d->kernel_name == n && d->version == version) return &d->kernel;
  }
  return nullptr;
}

std::optional<Claim> OpRegistry::Impl::claim(const NodeView& node, const TargetOptions&) const {
  auto it = definitions.find(node.node.op->name);
  if (it == definitions.end() || it->second.get() != node.node.op) return std::nullopt;
  Claim c;
  c.kernel = it->second->kernel_name;
  c.version = it->second->version;
  c.numerics = Numerics::kFast;
  c.why = "custom op";
  return c;
}

OpRegistry::OpRegistry() : impl_(std::make_unique<Impl>()) {}
OpRegistry::~OpRegistry() = default;
std::shared_ptr<OpRegistry> OpRegistry::create() { return std::shared_ptr<OpRegistry>(new OpRegistry()); }

std::vector<std::string> OpRegistry::names() const {
  std::vector<std::string> out;
  for (const auto& [name, d] : impl_->definitions) out.push_back(name);
  return out;
}

Status OpRegistry::add(CustomOp custom) {
  std::string full = custom.domain + "." + custom.name;
  auto fail = [&](std::string message) { return invalid(std::move(message)).at("custom op " + mote::quoted(full)); };
  if (!plain_name(custom.name)) return fail("a name is made of letters, digits, '_', '-' and '.'");
  if (!plain_name(custom.domain) || custom.domain == "ai.onnx") return fail("a custom op needs a domain of its own");
  if (!custom.infer || !custom.run) return fail("both infer and run are needed");
  if (custom.min_inputs < 0 || custom.max_inputs < custom.min_inputs || custom.max_inputs > 64) {
    return fail("the number of inputs makes no sense");
  }
  if (custom.outputs < 1 || custom.outputs > 64) return fail("the number of outputs makes no sense");
  if (impl_->definitions.count(full)) return fail("is registered already");
  auto d = std::make_unique<CustomDefinition>();
  d->custom = std::move(custom);
  d->full_name = full;
  d->kernel_name = "custom." + full;
  d->name = d->full_name;
  d->version = d->custom.version;
  d->doc = d->custom.doc;
  for (int i = 0; i < d->custom.max_inputs; ++i) {
    d->input_slots.push_back({"input", "", i < d->custom.min_inputs ? Arity::kOne : Arity::kOptional});
  }
  for (int i = 0; i < d->custom.outputs; ++i)
    d->output_slots.push_back({"output", "", i == 0 ? Arity::kOne : Arity::kOptional});
  d->inputs = d->input_slots;
  d->outputs = d->output_slots;
  d->infer = infer_custom;
  d->flags = kRandom;  // whatever it does, it is done once per run
  d->kernel.name = d->kernel_name;
  d->kernel.version = d->version;
  d->kernel.direct = run_custom;
  d->kernel.op = d.get();
  impl_->definitions.emplace(std::move(full), std::move(d));
  return {};
}

namespace api {

const Op* CombinedOps::find(std::string_view name) const {
  if (registry_) {
    if (const Op* op = registry_->impl().find(name)) return op;
  }
  return builtin_ops().find(name);
}

}  // namespace api
}  // namespace mote
