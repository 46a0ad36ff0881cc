// Tensors made without reading data: shape, size, range, constant_of_shape.
#include <algorithm>

#include "backends/cpu/family.h"

namespace mote::cpu {
namespace {

constexpr std::int64_t kTile = 1 << 15;  // elements

std::int64_t tiles_of(std::int64_t count) { return (count + kTile - 1) / kTile; }

std::optional<Claim> claim(const NodeView& n, const TargetOptions&) {
  std::string_view op = n.node.op->name;
  Claim c;
  if (op == "shape" || op == "size") {
    if (!n.type(0).is_tensor() || n.node.attrs.has("start") || n.node.attrs.has("end")) return std::nullopt;
    c.kernel = "extents";
    c.inputs = {{Layout::kStrided, true}};
  } else if (op == "range") {
    if (n.type(0).dtype != DType::i64 && n.type(0).dtype != DType::i32) return std::nullopt;
    c.kernel = "range";
  } else if (op == "constant_of_shape") {
    if (!n.out_type(0).is_tensor() || bits_of(n.out_type(0).dtype) < 8 || n.out_type(0).dtype == DType::string)
      return std::nullopt;
    c.kernel = "fill";
  } else {
    return std::nullopt;
  }
  c.why = "no data is read";
  return c;
}

struct ExtentsState {
  std::int64_t* y;
  std::int64_t values[kMaxRank], count;
};

void run_extents(const void* state, kernels::TileRange) noexcept {
  const ExtentsState& s = *static_cast<const ExtentsState*>(state);
  std::copy_n(s.values, s.count, s.y);
}

// shape and size.
Status setup_extents(const KernelCall& call, void* state, KernelWork& work) {
  if (call.inputs.empty() || !call.inputs[0] || call.outputs.empty() || !call.outputs[0])
    return invalid("an operand is missing");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  bool size = y.rank == 0;
  if (y.dtype != DType::i64 || y.count() != (size ? 1 : x.rank) || !y.dense())
    return invalid("extents got a result of the wrong shape");
  auto* s = new (state) ExtentsState{y.as<std::int64_t>(), {}, y.count()};
  std::copy_n(x.dims, x.rank, s->values);
  if (size) s->values[0] = x.count();
  work.add(run_extents, 1);
  return {};
}

struct RangeState {
  const std::byte *start, *delta;
  std::byte* y;
  std::int64_t count;
};

template <class T>
void run_range(const void* state, kernels::TileRange range) noexcept {
  const RangeState& s = *static_cast<const RangeState*>(state);
  using U = std::make_unsigned_t<T>;
  const U start = *reinterpret_cast<const U*>(s.start), delta = *reinterpret_cast<const U*>(s.delta);
  U* y = reinterpret_cast<U*>(s.y);
  std::int64_t end = std::min(s.count, range.end * kTile);
  for (std::int64_t i = range.begin * kTile; i < end; ++i) y[i] = static_cast<U>(start + static_cast<U>(i) * delta);
}

Status setup_range(const KernelCall& call, void* state, KernelWork& work) {
  if (call.inputs.size() != 3 || !call.inputs[0] || !call.inputs[2] || call.outputs.empty() || !call.outputs[0])
    return invalid("an operand is missing");
  const TensorView &start = *call.inputs[0], &delta = *call.inputs[2], &y = *call.outputs[0];
  if ((y.dtype != DType::i64 && y.dtype != DType::i32) || start.dtype != y.dtype || delta.dtype != y.dtype ||
      start.count() != 1 || delta.count() != 1 || !y.dense())
    return invalid("range got operands of the wrong kind");
  new (state) RangeState{start.data, delta.data, y.data, y.count()};
  if (y.count() > 0)
    work.add(y.dtype == DType::i64 ? run_range<std::int64_t> : run_range<std::int32_t>, tiles_of(y.count()));
  return {};
}

struct FillState {
  const std::byte* value;  // null: zeros
  std::byte* y;
  std::int64_t count, width;
};

void run_fill(const void* state, kernels::TileRange range) noexcept {
  const FillState& s = *static_cast<const FillState*>(state);
  std::int64_t begin = range.begin * kTile * s.width, end = std::min(s.count, range.end * kTile) * s.width;
  if (!s.value) {
    std::fill(s.y + begin, s.y + end, std::byte{0});
    return;
  }
  for (std::int64_t i = begin; i < end; i += s.width) std::memmove(s.y + i, s.value, static_cast<std::size_t>(s.width));
}

Status setup_fill(const KernelCall& call, void* state, KernelWork& work) {
  if (call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  const TensorView& y = *call.outputs[0];
  const TensorView* value = call.inputs.size() > 1 ? call.inputs[1] : nullptr;
  if (bits_of(y.dtype) < 8 || !y.dense() || (value && (value->dtype != y.dtype || value->count() != 1)))
    return invalid("a constant got operands of the wrong kind");
  new (state) FillState{value ? value->data : nullptr, y.data, y.count(), bits_of(y.dtype) / 8};
  if (y.count() > 0) work.add(run_fill, tiles_of(y.count()));
  return {};
}

constexpr Kernel kKernels[] = {{.name = "extents", .state_bytes = sizeof(ExtentsState), .setup = setup_extents},
                               {.name = "range", .state_bytes = sizeof(RangeState), .setup = setup_range},
                               {.name = "fill", .state_bytes = sizeof(FillState), .setup = setup_fill}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(made, claim, kKernels);

}  // namespace mote::cpu
