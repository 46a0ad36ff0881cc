// inverted_residual on the strips of kernels/conv, where its shape suits them; elsewhere it is decomposed.
#include "kernels/conv/strips.h"

#include <algorithm>

#include "backends/cpu/epilogue.h"
#include "backends/cpu/family.h"
#include "backends/cpu/spatial.h"
#include "ops/epilogue.h"

namespace mote::cpu {
namespace {

namespace kc = kernels::conv;

// Inputs of the step.
enum : int { kX, kExpandW, kExpandB, kDepthW, kDepthB, kProjectW, kProjectB, kOperands };

// What a step needs beyond its operands' shapes.
struct StripStep {
  Spatial window;
  std::int64_t expanded = 0;  // channels between
  std::int32_t expands = 0, projects = 0, isa = 0, tiling = 0;
  EpilogueProgram expand, depth, last;
};

struct StripState {
  kc::StripParams params;
  kernels::KernelFn<kc::StripParams> run;
};

void run_strips(const void* state, kernels::TileRange range) noexcept {
  const StripState& s = *static_cast<const StripState*>(state);
  s.run(s.params, range);
}

kc::StripShape shape_of(const StripStep& s, const std::int64_t* x_dims, std::int64_t out_channels) {
  kc::StripShape r;
  kc::Shape& d = r.depth;
  d.batch = x_dims[0];
  d.channels = d.out_channels = d.groups = s.expanded;
  for (int i = 0; i < 3; ++i) {
    const int axis = i - (3 - s.window.rank);
    if (axis >= 0) d.in[i] = x_dims[2 + axis];
    d.kernel[i] = s.window.kernel[i];
    d.stride[i] = s.window.stride[i];
    d.dilation[i] = s.window.dilation[i];
    d.pad_begin[i] = s.window.pad_begin[i];
    d.pad_end[i] = s.window.pad_end[i];
  }
  r.channels = x_dims[1];
  r.out_channels = out_channels;
  r.expands = s.expands != 0;
  r.projects = s.projects != 0;
  return r;
}

kc::Shape pointwise(std::int64_t channels, std::int64_t out_channels) {
  kc::Shape s;
  s.channels = channels;
  s.out_channels = out_channels;
  return s;
}

Packing packing(int operand, kc::Algorithm algorithm, const kc::Shape& shape) {
  Packing p;
  p.operand = operand;
  p.name = "conv." + std::string(kc::name_of(algorithm));
  p.bytes = static_cast<std::size_t>(kc::packed_size(algorithm, shape)) * 4;
  auto pack = [=](const TensorView& part, std::int64_t begin, std::span<std::byte> out) {
    const std::int64_t inputs = part.dims[1];
    std::int64_t taps = 1;
    for (int i = 2; i < part.rank; ++i) taps *= part.dims[i];
    kc::pack_part(algorithm, shape, {part.data, part.dtype, inputs * taps, taps, 1}, begin, part.dims[0],
                  reinterpret_cast<float*>(out.data()));
  };
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) { pack(plain, 0, out); };
  p.pack_part = [=](const TensorView& part, int, std::int64_t begin, std::span<std::byte> out) {
    pack(part, begin, out);
  };
  return p;
}

// A program of attribute `name`, which has no operands.
bool claim_program(const NodeView& n, std::string_view name, EpilogueProgram& to) {
  Result<std::vector<EpilogueStep>> steps = parse_epilogue(n.attr_strings(name));
  if (!steps.ok() || steps->size() > kernels::kMaxProgramOps) return false;
  for (const EpilogueStep& s : *steps) {
    to.ops[to.count++] = {s.form,
                          s.opcode,
                          static_cast<std::int8_t>(s.operand),
                          static_cast<std::int8_t>(s.operand2),
                          static_cast<float>(s.a),
                          static_cast<float>(s.b)};
  }
  return true;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name != "inverted_residual" || computes_in_bf16(options)) return std::nullopt;
  if (!n.type(kX).has_rank() || n.type(kX).dtype != DType::f32 || n.type(kX).rank() != 4) return std::nullopt;
  const Shape& x = *n.type(kX).shape;
  if (!x[1].is_const() || !x[2].is_const() || !x[3].is_const()) return std::nullopt;
  for (int at : {kExpandW, kDepthW, kProjectW}) {
    const Constant* w = n.constant(at);
    if (n.has(at) &&
        (!w || (w->type.dtype != DType::f32 && w->type.dtype != DType::f16 && w->type.dtype != DType::bf16)))
      return std::nullopt;
    if (n.has(at + 1) && n.type(at + 1).dtype != DType::f32) return std::nullopt;
  }
  auto extents = [&](int i) { return *constant_extents(*n.constant(i)->type.shape); };
  const std::vector<std::int64_t> depth = extents(kDepthW);
  StripStep s;
  s.expands = n.has(kExpandW);
  s.projects = n.has(kProjectW);
  s.expanded = depth[0];
  if (!read_spatial(n, std::span(depth).subspan(2), s.window)) return std::nullopt;
  if (!claim_program(n, "expand_epilogue", s.expand) || !claim_program(n, "depth_epilogue", s.depth) ||
      !claim_epilogue(n, RowOrder::kChannelsLast, s.last))
    return std::nullopt;
  const std::int64_t dims[4] = {1, x[1].value(), x[2].value(), x[3].value()};
  const std::int64_t out_channels = s.projects ? extents(kProjectW)[0] : depth[0];
  const kc::StripShape shape = shape_of(s, dims, out_channels);
  const bool suits = kc::suit_strips(shape), asked = n.attr_int("strips") != 0;
  if (!suits && !(asked && kc::supports_strips(shape))) return std::nullopt;
  const kc::StripKernel& kernel = kc::select_strips(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);

  Claim c;
  c.kernel = "strips";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  const OperandWant pixels{Layout::kChannelsLast, true}, packed{Layout::kPacked, false}, plain{Layout::kPlain, false};
  c.inputs = {pixels, packed, plain, packed, plain, packed, plain, pixels};
  c.outputs = {pixels};
  if (s.expands) c.packings.push_back(packing(kExpandW, kc::Algorithm::kDot, pointwise(dims[1], depth[0])));
  c.packings.push_back(packing(kDepthW, kc::Algorithm::kDepthwise, shape.depth));
  if (s.projects) c.packings.push_back(packing(kProjectW, kc::Algorithm::kDot, pointwise(depth[0], out_channels)));
  c.why = std::string(kernel.name) + (s.expands ? ", expand" : "") + ", depthwise" + (s.projects ? ", project" : "") +
          " by strips of rows";
  if (!suits) c.why += ", to take less memory";
  return c;
}

const TensorView* operand(const KernelCall& call, int i) {
  const std::size_t at = static_cast<std::size_t>(i);
  return at < call.inputs.size() ? call.inputs[at] : nullptr;
}

// Packed weights of enough bytes, or null.
const float* weights(const KernelCall& call, int i, kc::Algorithm algorithm, const kc::Shape& shape) {
  const TensorView* v = operand(call, i);
  if (!v) return nullptr;
  return holds_packed(v, kc::packed_size(algorithm, shape) * 4) ? v->as<float>() : nullptr;
}

bool bind_bias(const KernelCall& call, int i, std::int64_t channels, const float*& to) {
  const TensorView* v = operand(call, i);
  if (!v) return true;
  to = v->as<float>();
  return v->dtype == DType::f32 && v->dense() && v->count() == channels;
}

Status check(const KernelCall& call, const StripStep& s) {
  if (call.inputs.size() <= kDepthW || !call.inputs[kX] || !call.inputs[kDepthW] || call.outputs.empty() ||
      !call.outputs[0])
    return invalid("strips need their operands");
  const TensorView &x = *call.inputs[kX], &y = *call.outputs[0];
  if (!s.window.valid() || s.window.rank != 2 || x.rank != 4 || y.rank != 4 || x.dtype != DType::f32 ||
      y.dtype != DType::f32 || x.dims[0] != y.dims[0] || (y.count() > 0 && !(has_pixels(x) && has_pixels(y))))
    return invalid("strips got operands of the wrong kind");
  if (s.expanded <= 0 || x.dims[1] <= 0 || y.dims[1] <= 0 ||
      !sizes_fit({s.expanded, x.dims[1], y.dims[1], s.window.kernel[1], s.window.kernel[2]}))
    return invalid("strips have bad parameters");
  return {};
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  const StripStep s = from_params<StripStep>(call.params);
  MOTE_TRY(check(call, s));
  const TensorView &x = *call.inputs[kX], &y = *call.outputs[0];
  kc::StripShape shape = shape_of(s, x.dims, y.dims[1]);
  const kc::Shape& d = shape.depth;
  if (!kc::supports_strips(shape)) return invalid("strips cannot do this shape");
  for (int i : {1, 2}) {
    if (y.dims[1 + i] != d.out(i)) return invalid("strips got an output of the wrong extent");
  }
  const std::int64_t row = d.in[2] + d.pad_begin[2] + d.pad_end[2];
  if (!sizes_fit({64, d.batch, d.in[1], d.in[2], d.channels}) || !sizes_fit({64, d.out(1), d.out(2), d.channels}) ||
      !sizes_fit({d.batch, d.out(1), d.out(2), d.channels, shape.channels, d.taps()}) ||
      !sizes_fit({d.batch, d.out(1), d.out(2), d.channels, shape.out_channels, 16}) || !sizes_fit({row, d.channels}))
    return invalid("strips got operands that are too large");
  auto* st = new (state) StripState();
  kc::StripParams& p = st->params;
  shape.x_pixel = pixel_pitch(x);
  shape.y_pixel = pixel_pitch(y);
  if (s.tiling < 0 || s.tiling >= kernels::kTilingCount) return invalid("strips names tiles that there are not");
  shape.depth.tiling = static_cast<kernels::Tiling>(s.tiling);
  p.x = x.as<float>();
  p.y = y.as<float>();
  const kc::Shape expand = pointwise(shape.channels, d.channels), project = pointwise(d.channels, shape.out_channels);
  if (shape.expands) p.expand_w = weights(call, kExpandW, kc::Algorithm::kDot, expand);
  p.depth_w = weights(call, kDepthW, kc::Algorithm::kDepthwise, d);
  if (shape.projects) p.project_w = weights(call, kProjectW, kc::Algorithm::kDot, project);
  if ((shape.expands && !p.expand_w) || !p.depth_w || (shape.projects && !p.project_w))
    return invalid("strips got too few packed weights");
  if (!bind_bias(call, kExpandB, d.channels, p.expand_bias) || !bind_bias(call, kDepthB, d.channels, p.depth_bias) ||
      !bind_bias(call, kProjectB, shape.out_channels, p.project_bias))
    return invalid("strips got a bias of the wrong size");
  if (has_operands(s.expand) || has_operands(s.depth)) return invalid("strips got operands between convolutions");
  MOTE_TRY(bind_epilogue(s.expand, call, y, RowOrder::kChannelsLast, p.expand));
  MOTE_TRY(bind_epilogue(s.depth, call, y, RowOrder::kChannelsLast, p.depth));
  MOTE_TRY(bind_epilogue(s.last, call, y, RowOrder::kChannelsLast, p.last));
  if (y.count() == 0) return {};
  const kc::StripKernel& kernel = kc::select_strips(capped(active_cpu(), static_cast<Isa>(s.isa)));
  const kc::Work w = kc::setup_strips(kernel, shape, &p);
  work.thread_scratch = w.scratch_bytes;
  if (w.tiles == 0) return {};
  st->run = kernel.run;
  // A chunk expands again what the one before had in its ring.
  work.add(run_strips, w.tiles, 1, 2);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "strips", .state_bytes = sizeof(StripState), .setup = setup, .tiling = offsetof(StripStep, tiling)}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(strips, claim, kKernels);

}  // namespace mote::cpu
