#include "ops/testing.h"

#include <algorithm>
#include <cstring>

#include "ops/decompose.h"
#include "ops/element.h"
#include "ops/loops.h"
#include "ops/ops.h"

namespace mote::testing {

Tensor::Tensor(DType t, std::vector<std::int64_t> extents)
    : dtype(t), shape(std::move(extents)), bytes(static_cast<std::size_t>(bytes_of(t, count_of(shape)))) {}

TensorView Tensor::view() const { return TensorView::of(const_cast<std::byte*>(bytes.data()), dtype, shape); }

Tensor copy_of(const TensorView& v) {
  Tensor t(v.dtype, {v.shape().begin(), v.shape().end()});
  if (!t.bytes.empty()) std::memcpy(t.bytes.data(), v.data, t.bytes.size());
  return t;
}

Type type_of(const Item& item) {
  auto tensor = [](const Tensor& t) { return Type::tensor(t.dtype, Shape(t.shape.begin(), t.shape.end())); };
  if (!item.is_list) return tensor(item.tensors[0]);
  Type of = Type::tensor(item.tensors.empty() ? DType::none : item.tensors[0].dtype);
  return item.is_optional ? Type::optional(std::move(of)) : Type::list(std::move(of));
}

VectorContext::VectorContext(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs,
                             StringHeap& strings, Pace pace)
    : ReferenceContext(op, attrs, pace.between_polls, pace.most_at_once),
      results(static_cast<std::size_t>(outputs)),
      inputs_(&inputs),
      strings_(&strings) {
  for (const Item& item : inputs) {
    views_.push_back(item.present && !item.is_list ? item.tensors[0].view() : TensorView());
  }
}

bool VectorContext::has(int i) const { return i < inputs() && (*inputs_)[static_cast<std::size_t>(i)].present; }

std::vector<TensorView> VectorContext::list(int i) const {
  std::vector<TensorView> out;
  for (const Tensor& t : (*inputs_)[static_cast<std::size_t>(i)].tensors) out.push_back(t.view());
  return out;
}

Result<TensorView> VectorContext::out(int i, DType dtype, std::span<const std::int64_t> shape) {
  constexpr std::int64_t kMost = std::int64_t{1} << 28;
  std::int64_t count = 1;
  for (std::int64_t d : shape) {
    if (d < 0 || (d > 0 && count > kMost / d)) return Status(Code::kResourceExhausted, "output is too large");
    count *= d;
  }
  Item& item = results[static_cast<std::size_t>(i)];
  item = Item::of(Tensor(dtype, {shape.begin(), shape.end()}));
  // Poison: a reference that leaves an element unset is found out.
  if (item.tensors[0].bytes.empty()) return item.tensors[0].view();
  std::memset(item.tensors[0].bytes.data(), dtype == DType::string || dtype == DType::boolean ? 0 : 0xa5,
              item.tensors[0].bytes.size());
  return item.tensors[0].view();
}

Status VectorContext::out_list(int i, std::span<const TensorView> items) {
  Item item = Item::list({});
  for (const TensorView& v : items) item.tensors.push_back(copy_of(v));
  results[static_cast<std::size_t>(i)] = std::move(item);
  return {};
}

Result<std::span<std::byte>> VectorContext::scratch(std::size_t bytes) {
  scratch_.emplace_back(bytes);
  if (stopped()) return Status(Code::kDeadlineExceeded, "the deadline passed");
  return std::span<std::byte>(scratch_.back());
}

std::uint32_t VectorContext::random() {
  seed_ = seed_ * 6364136223846793005u + 1442695040888963407u;
  return static_cast<std::uint32_t>(seed_ >> 32);
}

Status VectorContext::poll(std::int64_t spent) {
  work += spent;
  most_work = std::max(most_work, spent);
  return ++polls == fail_at ? Status(Code::kDeadlineExceeded, "the deadline passed") : Status();
}

Result<std::vector<Item>> run_op(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs,
                                 StringHeap& strings) {
  if (ReferenceFn fn = find_reference(op)) {
    VectorContext ctx(op, attrs, inputs, outputs, strings);
    MOTE_TRY(run_reference(fn, ctx));
    return std::move(ctx.results);
  }
  return run_decomposed(op, attrs, inputs, outputs, strings, true);
}

namespace {

// A constant's elements; a fill is repeated.
Item item_of(const Constant& c) {
  Tensor t(c.type.dtype, *constant_extents(*c.type.shape));
  std::span<const std::byte> stored = c.stored();
  for (std::size_t i = 0; i < t.bytes.size(); ++i) {
    t.bytes[i] = stored[c.encoding == Encoding::kFill ? i % stored.size() : i];
  }
  return Item::of(std::move(t));
}

}  // namespace

Result<std::vector<Item>> run_decomposed(const Op& op, const Attrs& attrs, const std::vector<Item>& inputs, int outputs,
                                         StringHeap& strings, bool baked) {
  DecomposeFn fn = find_decomposition(op);
  if (!fn) return unsupported(std::string(op.name) + " has no reference and no decomposition");
  Module m;
  m.functions.resize(1);
  Function& f = m.functions[0];
  std::map<ValueId, Item> values;
  Node node;
  node.op = &op;
  node.attrs = attrs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Item& item = inputs[i];
    std::string name = "x" + std::to_string(i);
    ValueId v = kNone;
    if (item.present) {
      bool constant = baked && !item.is_list && item.tensors[0].dtype != DType::string;
      if (constant) {
        ConstantId c = m.add_constant(name, item.tensors[0].dtype, item.tensors[0].shape, item.tensors[0].bytes);
        v = f.constant_value(c, m.constants.back());
      } else {
        v = f.add_input(name, type_of(item));
      }
      values[v] = item;
    }
    node.inputs.push_back(v);
  }
  Builder b(m, 0, builtin_ops());
  for (int i = 0; i < outputs; ++i) node.outputs.push_back(f.add_value("y" + std::to_string(i), Type()));
  MOTE_ASSIGN(std::vector<ValueId> results, fn(b, node));
  MOTE_TRY(Status(b.status()));
  auto lookup = [&](ValueId v) -> Item {
    if (v == kNone) return Item();
    auto it = values.find(v);
    if (it != values.end()) return it->second;
    ConstantId c = b.fn().values[static_cast<std::size_t>(v)].constant;
    return c == kNone ? Item() : item_of(m.constants[static_cast<std::size_t>(c)]);
  };
  for (const Node& n : b.nodes()) {
    std::vector<Item> args;
    for (ValueId v : n.inputs) args.push_back(lookup(v));
    MOTE_ASSIGN(std::vector<Item> out, run_op(*n.op, n.attrs, args, static_cast<int>(n.outputs.size()), strings));
    for (std::size_t i = 0; i < n.outputs.size(); ++i) values[n.outputs[i]] = std::move(out[i]);
  }
  std::vector<Item> out;
  for (ValueId v : results) out.push_back(lookup(v));
  out.resize(static_cast<std::size_t>(outputs));
  return out;
}

}  // namespace mote::testing
