#include "ir/builder.h"

#include "tensor/element_bytes.h"

namespace mote {

ValueId Builder::add(std::string_view op, std::vector<ValueId> inputs, std::vector<Attrs::Item> attrs) {
  return add_multi(op, std::move(inputs), 1, std::move(attrs))[0];
}

std::vector<ValueId> Builder::add_multi(std::string_view op_name, std::vector<ValueId> inputs, int outputs,
                                        std::vector<Attrs::Item> attrs) {
  std::vector<ValueId> result(static_cast<std::size_t>(outputs), kNone);
  if (!status_.ok()) return result;
  const Op* op = ops_->find(op_name);
  if (!op) {
    fail(internal_error("builder: no op named '" + std::string(op_name) + "'"));
    return result;
  }
  Node node;
  node.op = op;
  node.name = prefix_ + std::string(op_name) + (nodes_.empty() ? "" : "_" + std::to_string(nodes_.size()));
  node.inputs = std::move(inputs);
  for (auto& [n, v] : attrs) node.attrs.set(n, std::move(v));
  InferContext ctx(*op, node.attrs, node.name);
  ctx.output_count_ = outputs;
  // Values only grow in number, so that no two builders of a function make the same name.
  std::int64_t base = ((std::int64_t{1} + function_) << 44) + (static_cast<std::int64_t>(fn().values.size()) << 12);
  ctx.fresh_name_ = [this, base] { return "$" + std::to_string(base + next_fresh_++); };
  for (ValueId v : node.inputs) {
    ctx.types_.push_back(v == kNone ? nullptr : &type(v));
    std::optional<KnownValue> known;
    if (v != kNone) {
      if (ConstantId c = fn().values[static_cast<std::size_t>(v)].constant; c != kNone) {
        if (auto small = small_ints(module_->constants[static_cast<std::size_t>(c)], kMaxKnown)) {
          known = KnownValue(small->begin(), small->end());
        }
      }
      for (const auto& [value, k] : known_) {
        if (value == v) known = k;
      }
    }
    ctx.values_.push_back(std::move(known));
    ConstantId c = v == kNone ? kNone : fn().values[static_cast<std::size_t>(v)].constant;
    ctx.floats_.push_back(c == kNone ? std::nullopt
                                     : small_floats(module_->constants[static_cast<std::size_t>(c)], kMaxKnown));
  }
  if (op->infer) {
    if (Status s = op->infer(ctx); !s.ok()) {
      fail(std::move(s));
      return result;
    }
  }
  ctx.out_types_.resize(static_cast<std::size_t>(outputs));
  ctx.out_values_.resize(static_cast<std::size_t>(outputs));
  for (int i = 0; i < outputs; ++i) {
    std::size_t k = static_cast<std::size_t>(i);
    result[k] = fn().add_value(node.name + (i ? "." + std::to_string(i) : ""), std::move(ctx.out_types_[k]));
    if (ctx.out_values_[k]) known_.emplace_back(result[k], *ctx.out_values_[k]);
  }
  node.outputs = result;
  nodes_.push_back(std::move(node));
  return result;
}

ValueId Builder::constant(std::string name, DType dtype, std::vector<std::int64_t> shape,
                          std::vector<std::byte> bytes) {
  ConstantId c = module_->add_constant(std::move(name), dtype, std::move(shape), std::move(bytes));
  return fn().constant_value(c, module_->constants.back());
}

ValueId Builder::ints(std::vector<std::int64_t> values) {
  return constant(prefix_ + "ints", DType::i64, {static_cast<std::int64_t>(values.size())},
                  to_bytes(std::span<const std::int64_t>(values)));
}

ValueId Builder::scalar_int(std::int64_t value) {
  return constant(prefix_ + "int", DType::i64, {}, to_bytes(std::span<const std::int64_t>(&value, 1)));
}

ValueId Builder::scalar(double value, DType dtype) {
  return constant(prefix_ + "scalar", dtype, {}, element_bytes(value, dtype));
}

void Builder::append() {
  for (Node& n : nodes_) fn().nodes.push_back(std::move(n));
  nodes_.clear();
  fn().reindex();
}

}  // namespace mote
