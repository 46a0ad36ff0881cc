// cast, quantize_linear, dequantize_linear and dynamic_quantize_linear on kernels/convert.
#include "kernels/convert/convert.h"

#include <algorithm>

#include "backends/cpu/family.h"
#include "kernels/scratch.h"

namespace mote::cpu {
namespace {

namespace kc = kernels::convert;

struct ConvertStep {
  std::int32_t axis = 0, isa = 0, quantize = 0, away = 0;
};

struct CastState {
  kc::CastParams params;
  kernels::KernelFn<kc::CastParams> run;
};
struct ScaleState {
  kc::ScaleParams params;
  kernels::KernelFn<kc::ScaleParams> run;
};

void run_cast(const void* state, kernels::TileRange range) noexcept {
  const CastState& s = *static_cast<const CastState*>(state);
  s.run(s.params, range);
}
void run_scale(const void* state, kernels::TileRange range) noexcept {
  const ScaleState& s = *static_cast<const ScaleState*>(state);
  s.run(s.params, range);
}

struct DynamicState {
  kc::DynamicParams params;
  kernels::KernelFn<kc::DynamicParams> range;
  kernels::KernelFn<kc::ScaleParams> quantize;
};
void run_range(const void* state, kernels::TileRange range) noexcept {
  const DynamicState& s = *static_cast<const DynamicState*>(state);
  s.range(s.params, range);
}
void run_choose(const void* state, kernels::TileRange range) noexcept {
  kc::choose(static_cast<const DynamicState*>(state)->params, range);
}
void run_then(const void* state, kernels::TileRange range) noexcept {
  const DynamicState& s = *static_cast<const DynamicState*>(state);
  s.quantize(s.params.then, range);
}

// Scales as the kernels take them: one, or one per index of an axis.
bool claim_scale(const NodeView& n, bool quantize, ConvertStep& s) {
  DType q = quantize ? n.out_type(0).dtype : n.type(0).dtype, x = quantize ? n.type(0).dtype : n.out_type(0).dtype;
  if (!kc::can_scale(q, quantize) || x != DType::f32 || n.type(1).dtype != DType::f32) return false;
  if (!n.type(0).has_rank() || !n.type(1).has_rank() || (n.has(2) && n.type(2).dtype != q)) return false;
  if (quantize && n.node.attrs.has("precision") && attr_dtype(*n.node.op, n.node.attrs, "precision") != DType::f32)
    return false;
  if (n.attr_int("block_size") != 0 || n.type(1).rank() > 1 || (n.has(2) && !n.type(2).has_rank())) return false;
  s.quantize = quantize;
  s.away = quantize && n.attr_string("rounding") == "half_away";
  s.axis = static_cast<std::int32_t>(n.attr_int("axis"));
  if (s.axis < 0) s.axis += n.type(0).rank();
  return true;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  std::string_view op = n.node.op->name;
  bool cast = op == "cast", quantize = op == "quantize_linear";
  const kc::Row& row = kc::select(options.cpu);
  ConvertStep s;
  s.isa = static_cast<std::int32_t>(row.isa);
  if (op == "dynamic_quantize_linear" && n.type(0).dtype == DType::f32 && n.node.outputs.size() == 3 &&
      std::ranges::count(n.node.outputs, kNone) == 0) {
    Claim c;
    c.kernel = "scale.dynamic";
    c.params = to_params(s);
    c.numerics = row.numerics;
    c.inputs = {{Layout::kSame, false}};
    c.outputs = {{Layout::kSame, false}, {Layout::kPlain, false}};
    c.why = row.name;
    return c;
  }
  if (!cast && !quantize && op != "dequantize_linear") return std::nullopt;
  if (cast ? !kc::can_cast(n.type(0).dtype, n.out_type(0).dtype) : !claim_scale(n, quantize, s)) return std::nullopt;
  Claim c;
  c.kernel = cast ? "cast" : "scale";
  c.params = to_params(s);
  c.numerics = row.numerics;
  c.inputs = {{Layout::kSame, false}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kSame, false}};
  c.why = row.name;
  return c;
}

// Both dense in one order.
Status check_pair(const KernelCall& call, std::size_t inputs) {
  if (call.inputs.size() < inputs || call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  for (std::size_t i = 0; i < inputs; ++i) {
    if (!call.inputs[i]) return invalid("an operand is missing");
  }
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (x.rank != y.rank || !std::equal(x.dims, x.dims + x.rank, y.dims)) return invalid("conversion changes no shape");
  std::int64_t last = 0;
  for (int a = 0; a < x.rank; ++a) {
    if (x.dims[a] != 1 && x.strides[a] != y.strides[a] && x.count() > 0) return invalid("conversion changes no layout");
    last += (x.dims[a] - 1) * x.strides[a];
  }
  if (x.count() > 0 && last != x.count() - 1) return invalid("conversion needs dense operands");
  return {};
}

Status setup_cast(const KernelCall& call, void* state, KernelWork& work) {
  ConvertStep s = from_params<ConvertStep>(call.params);
  MOTE_TRY(check_pair(call, 1));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (!kc::can_cast(x.dtype, y.dtype)) return invalid("cast got dtypes it does not convert");
  auto* st = new (state) CastState();
  st->params = {x.data, y.data, x.dtype, y.dtype, bits_of(x.dtype) / 8, bits_of(y.dtype) / 8, x.count()};
  st->run = kc::select(capped(active_cpu(), static_cast<Isa>(s.isa))).cast;
  if (std::int64_t tiles = kc::tiles_of(x.count()); tiles > 0) work.add(run_cast, tiles);
  return {};
}

Status setup_scale(const KernelCall& call, void* state, KernelWork& work) {
  ConvertStep s = from_params<ConvertStep>(call.params);
  MOTE_TRY(check_pair(call, 2));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0], &scale = *call.inputs[1];
  const TensorView* zero = call.inputs.size() > 2 ? call.inputs[2] : nullptr;
  DType q = s.quantize ? y.dtype : x.dtype;
  if (!kc::can_scale(q, s.quantize != 0) || (s.quantize ? x.dtype : y.dtype) != DType::f32 ||
      scale.dtype != DType::f32 || !dense(call.inputs.subspan(1)) ||
      (zero && (zero->dtype != q || zero->count() != scale.count())))
    return invalid("operands of the wrong kind");
  auto* st = new (state) ScaleState();
  kc::ScaleParams& p = st->params;
  p.x = x.data;
  p.y = y.data;
  p.dtype = q;
  p.scale = scale.as<float>();
  p.zero = zero ? zero->data : nullptr;
  p.count = x.count();
  p.away = s.away != 0;
  p.channels = scale.count();
  if (p.channels != 1) {
    if (s.axis < 0 || s.axis >= x.rank || x.dims[s.axis] != p.channels)
      return invalid("the scales do not fit the tensor");
    // How many elements lie between two indices of the axis.
    p.length = x.strides[s.axis];
  }
  if (p.count == 0) return {};
  if (p.length < 1) return invalid("the scales do not fit the tensor");
  const kc::Row& row = kc::select(capped(active_cpu(), static_cast<Isa>(s.isa)));
  st->run = s.quantize ? row.quantize : row.dequantize;
  work.add(run_scale, kc::tiles_of(p.count));
  return {};
}

Status setup_dynamic(const KernelCall& call, void* state, KernelWork& work) {
  ConvertStep s = from_params<ConvertStep>(call.params);
  if (call.outputs.size() != 3 || !call.outputs[1] || !call.outputs[2]) return invalid("an operand is missing");
  MOTE_TRY(check_pair(call, 1));
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0], &scale = *call.outputs[1], &zero = *call.outputs[2];
  if (x.dtype != DType::f32 || y.dtype != DType::u8 || scale.dtype != DType::f32 || scale.count() != 1 ||
      zero.dtype != DType::u8 || zero.count() != 1)
    return invalid("operands of the wrong kind");
  auto* st = new (state) DynamicState();
  const kc::Row& row = kc::select(capped(active_cpu(), static_cast<Isa>(s.isa)));
  kc::DynamicParams& p = st->params;
  p.x = x.as<float>();
  p.count = x.count();
  p.partial = reinterpret_cast<float*>(call.shared_scratch);
  p.scale = scale.as<float>();
  p.zero = zero.as<std::uint8_t>();
  p.then = {x.data, y.data, DType::u8, p.scale, zero.data, p.count, 1, 1, false};
  st->range = row.range;
  st->quantize = row.quantize;
  std::int64_t tiles = kc::tiles_of(p.count);
  work.shared_scratch = kernels::scratch_size(tiles * 8);
  if (tiles > 0) work.add(run_range, tiles);
  work.add(run_choose, 1);
  if (tiles > 0) work.add(run_then, tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "scale.dynamic", .state_bytes = sizeof(DynamicState), .setup = setup_dynamic},
                               {.name = "cast", .state_bytes = sizeof(CastState), .setup = setup_cast},
                               {.name = "scale", .state_bytes = sizeof(ScaleState), .setup = setup_scale}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(convert, claim, kKernels);

}  // namespace mote::cpu
