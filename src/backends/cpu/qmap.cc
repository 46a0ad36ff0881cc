// lookup, qlinear_binary, the quantized average pools, and max pools of bytes, on kernels/qmap. Scales and zero points
// are read when a shape is set up: they are constants.
#include "kernels/qmap/qmap.h"

#include <algorithm>
#include <new>

#include "backends/cpu/family.h"
#include "backends/cpu/spatial.h"
#include "kernels/qmap/softmax.h"
#include "ops/element.h"
#include "ops/quant/fixed_sum.h"

namespace mote::cpu {
namespace {

namespace kq = kernels::qmap;

struct BinaryStep {
  std::int32_t product = 0, negative = 0, isa = 0, low = 0, high = 0, fixed = 0;
};
struct PoolStep {
  Spatial window;
  std::int32_t average = 0, count_pad = 0, global = 0, isa = 0, low = 0, high = 0;
  std::int32_t integer = 0, last = 0;  // images are [batch, space, channels]
};
struct LookupStep {
  std::int32_t isa = 0;
};
struct SoftmaxStep {
  double beta = 1;
};
struct SoftmaxState {
  kq::SoftmaxParams params;
};

template <class Params>
struct State {
  Params params;
  kernels::KernelFn<Params> run;
};

template <class Params>
void run_state(const void* state, kernels::TileRange range) noexcept {
  const State<Params>& s = *static_cast<const State<Params>*>(state);
  s.run(s.params, range);
}

bool eight_bits(DType t) { return t == DType::u8 || t == DType::i8; }
bool sixteen_bits(DType t) { return t == DType::u16 || t == DType::i16; }
// Whether a kernel takes the operands and the result of a qlinear_binary.
bool takes(DType a, DType b, DType y, bool product, bool fixed) {
  if (sixteen_bits(a)) return sixteen_bits(b) && sixteen_bits(y) && (fixed || !product);
  return eight_bits(a) && eight_bits(b) && eight_bits(y);
}

bool is_constant_scalar(const NodeView& n, int i) {
  const Constant* c = n.constant(i);
  return c && volume(*c->type.shape).is(1);
}

std::int32_t least_of(DType t) { return is_signed_int(t) ? -(1 << (bits_of(t) - 1)) : 0; }
std::int32_t greatest_of(DType t) { return least_of(t) + (1 << bits_of(t)) - 1; }

// Reads y_range, or the range of the dtype.
template <class Step>
void read_range(const NodeView& n, Step& s) {
  const DType y = n.out_type(0).dtype;
  s.low = least_of(y);
  s.high = greatest_of(y);
  if (std::vector<std::int64_t> range = n.attr_ints("y_range"); range.size() == 2) {
    s.low = static_cast<std::int32_t>(std::clamp<std::int64_t>(range[0], s.low, s.high));
    s.high = static_cast<std::int32_t>(std::clamp<std::int64_t>(range[1], s.low, s.high));
  }
}

std::optional<Claim> claim_binary(const NodeView& n, const kq::Row& row) {
  for (int i : {1, 2, 4, 5, 6, 7}) {
    if (!is_constant_scalar(n, i)) return std::nullopt;
  }
  for (int i : {1, 4, 6}) {
    if (n.type(i).dtype != DType::f32) return std::nullopt;
  }
  const bool product = n.attr_string("function") == "mul", fixed = n.attr_string("rounding") == "fixed";
  if (!takes(n.type(0).dtype, n.type(3).dtype, n.out_type(0).dtype, product, fixed) || !n.type(0).has_rank() ||
      !n.type(3).has_rank() || n.type(0).rank() != n.type(3).rank() || n.type(0).rank() > 4)
    return std::nullopt;
  // Operands come in one order, which is that of the convolutions around.
  bool channels_last = n.type(0).rank() > 2 && !comes_channels_last(n, 0) && !comes_channels_last(n, 3);
  BinaryStep s;
  s.isa = static_cast<std::int32_t>(row.isa);
  s.product = product;
  s.negative = n.attr_string("function") == "sub";
  s.fixed = fixed;
  if (n.attr_string("rounding") == "shift" || n.attr_string("function") == "div") return std::nullopt;
  read_range(n, s);
  OperandWant want{channels_last ? Layout::kChannelsLast : Layout::kPlain, channels_last};
  Claim c;
  c.kernel = "qmap.binary";
  c.params = to_params(s);
  c.inputs.assign(8, {Layout::kPlain, false});
  c.inputs[0] = c.inputs[3] = want;
  c.outputs = {want};
  return c;
}

std::optional<Claim> claim_pool(const NodeView& n, const kq::Row& row) {
  std::string_view op = n.node.op->name;
  PoolStep s;
  s.average = op == "qlinear_average_pool" || op == "qlinear_global_average_pool";
  s.global = op == "global_max_pool" || op == "qlinear_global_average_pool";
  if (n.node.outputs.size() > 1 && n.node.outputs[1] != kNone) return std::nullopt;
  if (!n.type(0).has_rank() || !eight_bits(n.type(0).dtype)) return std::nullopt;
  s.last = is_channels_last(n);
  s.window.rank = n.type(0).rank() - 2;
  if (s.window.rank < 1 || s.window.rank > 3) return std::nullopt;
  if (!s.global) {
    if (!read_spatial(n, n.attr_ints("kernel_shape"), s.window)) return std::nullopt;
    for (int d = 0; d < 3; ++d) {
      if (s.window.pad_begin[d] < 0 || s.window.pad_end[d] < 0) return std::nullopt;
    }
  }
  if (s.average) {
    for (int i : {1, 2, 3, 4}) {
      if (!is_constant_scalar(n, i)) return std::nullopt;
    }
    if (n.type(1).dtype != DType::f32 || n.type(3).dtype != DType::f32) return std::nullopt;
    s.count_pad = !s.global && n.attr_int("count_include_pad") != 0;
    s.integer = n.attr_string("rounding") == "integer";
    read_range(n, s);
  }
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = "qmap.pool";
  c.params = to_params(s);
  if (s.last) return c;
  c.inputs = {{Layout::kChannelsLast, true}, {Layout::kPlain, false}};
  c.outputs = {{Layout::kChannelsLast, true}};
  return c;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  std::string_view op = n.node.op->name;
  const kq::Row& row = kq::select(options.cpu);
  std::optional<Claim> c;
  if (op == "lookup") {
    if (!eight_bits(n.type(0).dtype) || !eight_bits(n.type(1).dtype)) return std::nullopt;
    c.emplace();
    c->kernel = "qmap.lookup";
    c->params = to_params(LookupStep{static_cast<std::int32_t>(row.isa)});
    c->inputs = {{Layout::kSame, false}, {Layout::kPlain, false}};
    c->outputs = {{Layout::kSame, true}};
  } else if (op == "qlinear_softmax") {
    if (!eight_bits(n.type(0).dtype) || !is_constant_scalar(n, 1) || n.type(1).dtype != DType::f32) return std::nullopt;
    c.emplace();
    c->kernel = "qmap.softmax";
    c->params = to_params(SoftmaxStep{static_cast<double>(static_cast<float>(n.attr_float("beta")))});
    c->numerics = Numerics::kExact;
    return c;
  } else if (op == "qlinear_binary") {
    c = claim_binary(n, row);
  } else if (op == "max_pool" || op == "global_max_pool" || op == "qlinear_average_pool" ||
             op == "qlinear_global_average_pool") {
    c = claim_pool(n, row);
  }
  if (!c) return std::nullopt;
  c->numerics = row.numerics;
  c->why = row.name;
  return c;
}

const kq::Row& row_of(std::int32_t isa) { return kq::select(capped(active_cpu(), static_cast<Isa>(isa))); }

// Operands [first, first + count) are there and have one element of `dtype`.
bool scalars(const KernelCall& call, std::initializer_list<std::size_t> which, DType dtype) {
  return std::all_of(which.begin(), which.end(), [&](std::size_t i) {
    return i < call.inputs.size() && call.inputs[i] && call.inputs[i]->dtype == dtype && call.inputs[i]->count() == 1;
  });
}

// A scalar's value, 1 when only sizes are asked for.
float scale_of(const TensorView& v) { return v.data ? *v.as<float>() : 1.0f; }
std::int32_t zero_of(const TensorView& v) { return v.data ? static_cast<std::int32_t>(load_i64(v, 0)) : 0; }

template <class Step>
bool result_of(const Step& s, DType dtype, std::int32_t zero, kq::Result& to) {
  to = {is_signed_int(dtype), zero, s.low, s.high};
  return s.low <= s.high && s.low >= least_of(dtype) && s.high <= greatest_of(dtype);
}

// The axes of y, outermost in memory first, neighbours that all operands walk as one joined, as up to four.
Status walk_axes(const TensorView& a, const TensorView& b, const TensorView& y, kq::BinaryParams& p) {
  int order[kMaxRank], n = 0;
  for (int i = 0; i < y.rank; ++i) order[i] = i;
  std::stable_sort(order, order + y.rank, [&](int i, int j) { return y.strides[i] > y.strides[j]; });
  struct Axis {
    std::int64_t n, a, b, y;
  } axes[kMaxRank];
  for (int i = 0; i < y.rank; ++i) {
    int axis = order[i];
    if (y.dims[axis] == 1) continue;
    auto stride = [&](const TensorView& v) { return v.dims[axis] == 1 ? std::int64_t{0} : v.strides[axis]; };
    Axis now{y.dims[axis], stride(a), stride(b), y.strides[axis]};
    Axis* before = n > 0 ? &axes[n - 1] : nullptr;
    if (before && before->a == now.n * now.a && before->b == now.n * now.b && before->y == now.n * now.y) {
      *before = {before->n * now.n, now.a, now.b, now.y};
    } else {
      axes[n++] = now;
    }
  }
  if (n > 4) return unsupported("operands of 8 bits have too many axes");
  for (int i = 0; i < n; ++i) {
    int to = 4 - n + i;
    p.dims[to] = axes[i].n;
    p.a_stride[to] = axes[i].a;
    p.b_stride[to] = axes[i].b;
    p.y_stride[to] = axes[i].y;
  }
  if (n == 0) return {};
  if (p.y_stride[3] != 1 || p.a_stride[3] > 1 || p.b_stride[3] > 1 || p.a_stride[3] < 0 || p.b_stride[3] < 0)
    return invalid("operands of 8 bits are of another layout");
  return {};
}

Status setup_lookup(const KernelCall& call, void* state, KernelWork& work) {
  LookupStep s = from_params<LookupStep>(call.params);
  if (call.inputs.size() < 2 || !call.inputs[0] || !call.inputs[1] || call.outputs.empty() || !call.outputs[0])
    return invalid("lookup needs its operands");
  const TensorView &x = *call.inputs[0], &table = *call.inputs[1], &y = *call.outputs[0];
  if (!eight_bits(x.dtype) || !eight_bits(y.dtype) || table.dtype != y.dtype || table.count() != 256 ||
      !table.dense() || x.rank != y.rank || !std::equal(x.dims, x.dims + x.rank, y.dims))
    return invalid("lookup got operands of the wrong kind");
  kq::BinaryParams axes;
  MOTE_TRY(walk_axes(x, x, y, axes));
  if (axes.a_stride[3] != 1 && axes.dims[3] > 1) return invalid("lookup got operands of another layout");
  auto* st = new (state) State<kq::LookupParams>();
  kq::LookupParams& p = st->params;
  p.x = x.as<std::uint8_t>();
  p.y = y.as<std::uint8_t>();
  p.table = table.as<std::uint8_t>();
  std::copy_n(axes.dims, 4, p.dims);
  std::copy_n(axes.a_stride, 3, p.x_stride);
  std::copy_n(axes.y_stride, 3, p.y_stride);
  st->run = row_of(s.isa).lookup;
  if (std::int64_t tiles = kq::setup(&p); tiles > 0) work.add(run_state<kq::LookupParams>, tiles);
  return {};
}

Status setup_binary(const KernelCall& call, void* state, KernelWork& work) {
  BinaryStep s = from_params<BinaryStep>(call.params);
  if (call.inputs.size() < 8 || !call.inputs[0] || !call.inputs[3] || call.outputs.empty() || !call.outputs[0])
    return invalid("qlinear_binary needs its operands");
  const TensorView &a = *call.inputs[0], &b = *call.inputs[3], &y = *call.outputs[0];
  if (!takes(a.dtype, b.dtype, y.dtype, s.product != 0, s.fixed != 0) || a.rank != y.rank || b.rank != y.rank ||
      !scalars(call, {1, 4, 6}, DType::f32) || !scalars(call, {2}, a.dtype) || !scalars(call, {5}, b.dtype) ||
      !scalars(call, {7}, y.dtype))
    return invalid("qlinear_binary got operands of the wrong kind");
  for (int i = 0; i < y.rank; ++i) {
    for (const TensorView* v : {&a, &b}) {
      if (v->dims[i] != y.dims[i] && v->dims[i] != 1) return invalid("qlinear_binary got operands that do not fit");
    }
  }
  auto* st = new (state) State<kq::BinaryParams>();
  kq::BinaryParams& p = st->params;
  if (y.count() == 0) return {};
  p.a = a.as<std::uint8_t>();
  p.b = b.as<std::uint8_t>();
  p.y = y.as<std::uint8_t>();
  p.words = sixteen_bits(y.dtype);
  p.a_type = {is_signed_int(a.dtype), zero_of(*call.inputs[2])};
  p.b_type = {is_signed_int(b.dtype), zero_of(*call.inputs[5])};
  p.product = s.product != 0;
  float as = scale_of(*call.inputs[1]), bs = scale_of(*call.inputs[4]), ys = scale_of(*call.inputs[6]);
  p.a_scale = p.product ? as * bs / ys : as / ys;
  p.b_scale = (s.negative ? -bs : bs) / ys;
  p.fixed = s.fixed != 0;
  p.negative = s.negative != 0;
  if (p.fixed) {
    const FixedSum sum(as, bs, ys, y.dtype == DType::i16);
    p.a_fixed = sum.a;
    p.b_fixed = sum.b;
    p.y_fixed = p.product ? fixed_scale(static_cast<double>(p.a_scale)) : sum.y;
    p.left = sum.left;
  }
  if (!result_of(s, y.dtype, zero_of(*call.inputs[7]), p.y_type)) return invalid("qlinear_binary has a bad range");
  MOTE_TRY(walk_axes(a, b, y, p));
  st->run = row_of(s.isa).binary;
  if (std::int64_t tiles = kq::setup(&p); tiles > 0) work.add(run_state<kq::BinaryParams>, tiles);
  return {};
}

Status setup_pool(const KernelCall& call, void* state, KernelWork& work) {
  PoolStep s = from_params<PoolStep>(call.params);
  if (call.inputs.empty() || call.outputs.empty() || !call.inputs[0] || !call.outputs[0])
    return invalid("pool needs its operands");
  if (s.last && (call.inputs[0]->rank < 3 || call.outputs[0]->rank < 3))
    return invalid("pool got operands of the wrong kind");
  const TensorView x = s.last ? as_image(*call.inputs[0]) : *call.inputs[0],
                   y = s.last ? as_image(*call.outputs[0]) : *call.outputs[0];
  if (!s.window.valid() || x.rank != s.window.rank + 2 || y.rank != x.rank || !eight_bits(x.dtype) ||
      y.dtype != x.dtype || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1] ||
      (y.count() > 0 && !(has_pixels(x) && has_pixels(y))) ||
      (s.average && !(scalars(call, {1, 3}, DType::f32) && scalars(call, {2, 4}, x.dtype)))) {
    return invalid("pool got operands of the wrong kind");
  }
  auto* st = new (state) State<kq::PoolParams>();
  kq::PoolParams& p = st->params;
  p.x = x.as<std::uint8_t>();
  p.y = y.as<std::uint8_t>();
  p.average = s.average;
  p.count_pad = s.count_pad;
  p.x_type.is_signed = x.dtype == DType::i8;
  if (s.average) {
    p.x_type.zero = zero_of(*call.inputs[2]);
    p.scale = scale_of(*call.inputs[1]) / scale_of(*call.inputs[3]);
    if (!result_of(s, y.dtype, zero_of(*call.inputs[4]), p.y_type)) return invalid("pool has a bad range");
  }
  MOTE_TRY(bind_windows(s.window, s.global != 0, x, y, p));
  p.integer = s.integer != 0;
  if (p.integer && p.kernel[0] * p.kernel[1] * p.kernel[2] > 1 << 15) return invalid("pool has too large a window");
  st->run = row_of(s.isa).pool;
  if (std::int64_t tiles = kq::setup(&p); tiles > 0) work.add(run_state<kq::PoolParams>, tiles);
  return {};
}

void run_softmax(const void* state, kernels::TileRange range) noexcept {
  kq::softmax(static_cast<const SoftmaxState*>(state)->params, range);
}

// The table follows from the scale.
Status setup_softmax(const KernelCall& call, void* state, KernelWork& work) {
  SoftmaxStep s = from_params<SoftmaxStep>(call.params);
  if (call.inputs.size() < 2 || !call.inputs[0] || call.outputs.empty() || !call.outputs[0] ||
      !scalars(call, {1}, DType::f32))
    return invalid("qlinear_softmax needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (!eight_bits(x.dtype) || (y.dtype != x.dtype && y.dtype != DType::i16) || x.rank < 1 || x.rank != y.rank ||
      !std::equal(x.dims, x.dims + x.rank, y.dims) || !x.dense() || !y.dense())
    return invalid("qlinear_softmax got operands of the wrong kind");
  auto* st = new (state) SoftmaxState();
  kq::SoftmaxParams& p = st->params;
  p.x = x.as<std::uint8_t>();
  p.y = y.data;
  p.is_signed = x.dtype == DType::i8;
  p.wide = y.dtype == DType::i16;
  p.n = x.dims[x.rank - 1];
  p.rows = p.n > 0 ? x.count() / p.n : 0;
  work.table_bytes = sizeof(kq::Softmax8);
  if (call.table.size() >= sizeof(kq::Softmax8))
    p.table = new (call.table.data())
        kq::Softmax8(kq::softmax_table_8(static_cast<double>(scale_of(*call.inputs[1])), s.beta));
  if (std::int64_t tiles = kq::setup(&p); tiles > 0) work.add(run_softmax, tiles);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "qmap.softmax", .state_bytes = sizeof(SoftmaxState), .setup = setup_softmax},
    {.name = "qmap.lookup", .state_bytes = sizeof(State<kq::LookupParams>), .setup = setup_lookup},
    {.name = "qmap.binary", .state_bytes = sizeof(State<kq::BinaryParams>), .setup = setup_binary},
    {.name = "qmap.pool", .state_bytes = sizeof(State<kq::PoolParams>), .setup = setup_pool}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(qmap, claim, kKernels);

}  // namespace mote::cpu
