// Late values: extents that a step decides when it runs, and memory for them, which goes from value to value as they
// die.
#include <algorithm>

#include "base/checked.h"
#include "ir/infer.h"
#include "ops/run_util.h"
#include "runtime/context.h"
#include "runtime/reference_call.h"

namespace mote {
namespace {

std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

}  // namespace

// A value dies after the last step that touches it or a view of it; what the function returns does not.
void Frame::find_last_uses() {
  auto root = [&](std::int32_t v) {
    for (std::size_t k = 0; k < f_.values.size() && f_.values[at(v)].place == Place::kAlias; ++k)
      v = f_.values[at(v)].index;
    return v;
  };
  std::vector<std::int32_t> last(f_.values.size(), kNone);
  for (std::size_t v = 0; v < f_.values.size(); ++v) {
    std::int32_t& end = last[at(root(static_cast<std::int32_t>(v)))];
    for (std::int32_t r = readers_begin_[v]; r < readers_begin_[v + 1]; ++r) end = std::max(end, readers_[at(r)]);
  }
  for (std::int32_t v : f_.outputs) last[at(root(v))] = kNone;
  dead_after_.resize(f_.steps.size());
  for (std::size_t v = 0; v < f_.values.size(); ++v) {
    const PlanValue& pv = f_.values[v];
    if (pv.late && pv.place == Place::kHeap && pv.kind == Type::Kind::kTensor && last[v] != kNone)
      dead_after_[at(last[v])].push_back(static_cast<std::int32_t>(v));
  }
}

void Frame::release_dead(std::size_t step) {
  for (std::int32_t v : dead_after_[step]) {
    Cell& s = slot(v);
    if (s.heap.capacity() < SpareBlocks::kLeast) continue;
    core_.spare.give(std::move(s.heap));
    s.view.data = nullptr;
    s.present = false;
  }
}

Status Frame::late_outputs(std::size_t s) {
  const Step& step = f_.steps[s];
  bool any = false;
  for (std::int32_t v : step.outputs) any = any || (v != kNone && f_.values[at(v)].late);
  if (!any) return {};
  const Op* op = step.op == kNone ? nullptr : core_.linked->ops[at(step.op)];
  if (!op) return unsupported("this build cannot infer run-time shapes of this step");
  if (core_.plan().foreign) MOTE_TRY(check_call(step, *op));
  std::vector<Type> types(step.inputs.size());
  InferContext ctx(*op, step.attrs, step.name);
  ctx.late_ = true;
  ctx.output_count_ = static_cast<int>(step.outputs.size());
  ctx.fresh_name_ = [] { return std::string("$0"); };
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    std::int32_t v = step.inputs[i];
    bool present = v != kNone && slot(v).present;
    if (present) {
      if (slot(v).list) return invalid("a list stands where a tensor was planned");
      const TensorView& view = slot(v).view;
      types[i] = Type::tensor(view.dtype, Shape(view.dims, view.dims + view.rank));
    }
    ctx.types_.push_back(present ? &types[i] : nullptr);
    bool shapes = present && i < 32 && (op->shape_operands >> i & 1u) != 0;
    ctx.values_.push_back(shapes ? known_value(slot(v).view) : std::nullopt);
    ctx.floats_.push_back(shapes ? known_floats(slot(v).view) : std::nullopt);
  }
  for (const PackedType& p : step.packed) {
    types[at(p.operand)] = Type::tensor(p.dtype, Shape(p.dims.begin(), p.dims.end()));
  }
  MOTE_TRY(op->infer(ctx));
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    std::int32_t v = step.outputs[i];
    if (v == kNone || !f_.values[at(v)].late) continue;
    auto dims = i < ctx.out_types_.size() && ctx.out_types_[i].has_rank() ? constant_extents(*ctx.out_types_[i].shape)
                                                                          : std::nullopt;
    if (!dims)
      return internal_error("the shape of output " + std::to_string(i) +
                            " depends on data that the kernel does not report");
    if (f_.values[at(v)].place == Place::kAlias) {
      const Cell& base = slot(f_.values[at(v)].index);
      if (!base.present || !gapless(base.view)) return invalid("a view of a value that is not there");
      if (usable_count(*dims) != base.view.count())
        return invalid("a view of " + std::to_string(base.view.count()) + " elements has another count");
      slot(v).view = TensorView::of(base.view.data, base.view.dtype, *dims);
      slot(v).present = true;
    } else if (f_.values[at(v)].place != Place::kHeap || slot(v).list) {
      return invalid("output '" + f_.values[at(v)].name + "' has no memory of its own");
    } else {
      MOTE_TRY(take_heap(v, *dims, ctx.out_types_[i].dtype));
    }
  }
  return {};
}

Status Frame::take_heap(std::int32_t value, std::span<const std::int64_t> dims, DType dtype) {
  const PlanValue& pv = f_.values[at(value)];
  Cell& s = slot(value);
  if (dims.size() > kMaxRank)
    return unsupported("tensor '" + pv.name + "' has rank " + std::to_string(dims.size()) + ", more than 8");
  std::optional<std::int64_t> count = usable_count(dims);
  if (!count) return Status(Code::kResourceExhausted, "tensor '" + pv.name + "' is too large");
  std::int64_t bytes = std::max<std::int64_t>(bytes_of(dtype, *count), 1);
  if (s.heap.capacity() < bytes) core_.spare.swap(s.heap, bytes);
  MOTE_TRY(s.heap.reserve(core_.budget, bytes, pv.name));
  s.view = TensorView::of(s.heap.data(), dtype, dims);
  if (pv.perm.size() == dims.size() && !pv.perm.empty()) {
    std::int64_t stride = 1;
    for (std::size_t k = dims.size(); k-- > 0;) {
      s.view.strides[pv.perm[k]] = stride;
      stride *= s.view.dims[pv.perm[k]];
    }
  }
  s.present = true;
  return {};
}

}  // namespace mote
