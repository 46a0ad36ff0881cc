// resize on kernels/resize: the taps of every axis are computed once per shape.
#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/family.h"
#include "ops/element.h"
#include "ops/image/resize.h"

namespace mote::cpu {
namespace {

namespace kr = kernels::resize;

struct ResizeStep {
  ResizeRule rule;
  double fill = 0;
  // Per axis of x: the scale as given, 0 where it is the quotient of the extents; and the region of interest.
  double scale[kMaxRank] = {}, begin[kMaxRank] = {}, end[kMaxRank] = {};
  std::int32_t rank = 0, isa = 0;
};

struct ResizeState {
  kr::Params params;
  kernels::KernelFn<kr::Params> run;
};

void run_resize(const void* state, kernels::TileRange range) noexcept {
  const ResizeState& s = *static_cast<const ResizeState*>(state);
  s.run(s.params, range);
}

std::optional<std::vector<double>> numbers(const NodeView& n, int i) {
  if (!n.has(i)) return std::vector<double>();
  const Constant* c = n.constant(i);
  if (!c || c->encoding != Encoding::kPlain || !c->transforms.empty()) return std::nullopt;
  std::optional<std::vector<std::int64_t>> dims = constant_extents(*c->type.shape);
  if (!dims) return std::nullopt;
  TensorView v = TensorView::of(const_cast<std::byte*>(c->stored().data()), c->stored_dtype, *dims);
  if (v.count() > kMaxRank * 2 || static_cast<std::int64_t>(c->size) < v.bytes()) return std::nullopt;
  std::vector<double> out;
  for (std::int64_t k = 0; k < v.count(); ++k) out.push_back(load_f64(v, k));
  return out;
}

// The scales of all axes, where they can be told without running.
bool read_scales(const NodeView& n, ResizeStep& s) {
  std::fill_n(s.end, kMaxRank, 1.0);
  std::optional<std::vector<double>> roi = numbers(n, 1), scales = numbers(n, 2);
  std::vector<std::int64_t> listed = n.attr_ints("axes");
  if (listed.empty()) {
    for (int a = 0; a < s.rank; ++a) listed.push_back(a);
  }
  bool by_size = n.has(3), stretch = n.attr_string("keep_aspect_ratio_policy") == "stretch";
  if (scales && by_size && !scales->empty()) by_size = false;
  if ((by_size && !stretch) || (!by_size && (!scales || scales->size() != listed.size()))) return false;
  bool crop = s.rule.coordinates == ResizeRule::kCrop;
  if (crop && (!roi || roi->size() != 2 * listed.size())) return false;
  std::fill_n(s.scale, kMaxRank, 1.0);
  for (std::size_t i = 0; i < listed.size(); ++i) {
    std::size_t a = static_cast<std::size_t>(listed[i] < 0 ? listed[i] + s.rank : listed[i]);
    if (a >= static_cast<std::size_t>(s.rank)) return false;
    s.scale[a] = by_size ? 0 : (*scales)[i];
    if (crop) {
      s.begin[a] = (*roi)[i];
      s.end[a] = (*roi)[i + listed.size()];
    }
  }
  return true;
}

// Whether the filters of all axes but the last surely have few enough taps together.
bool few_row_taps(const NodeView& n, const ResizeStep& s) {
  if (s.rule.mode == ResizeRule::kNearest) return true;
  double taps = 1;
  for (int a = 0; a < s.rank; ++a) {
    std::size_t i = static_cast<std::size_t>(a);
    double scale = s.scale[i];
    std::optional<std::int64_t> in = (*n.type(0).shape)[i].known(), out;
    if (n.out_type(0).has_rank()) out = (*n.out_type(0).shape)[i].known();
    if (scale == 0 && in && out && *in > 0 && *out > 0) scale = static_cast<double>(*out) / static_cast<double>(*in);
    if (scale == 1) continue;
    if (scale == 0 && s.rule.antialias) return false;
    double shrink = s.rule.antialias ? std::min(scale, 1.0) : 1;
    double width = 2 * std::ceil((s.rule.mode == ResizeRule::kLinear ? 1 : 2) / shrink);
    taps *= width;
  }
  return taps <= static_cast<double>(kr::kMostRowTaps);
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name != "resize" || !n.type(0).has_rank() || n.type(0).rank() < 1 || n.type(0).rank() > kMaxRank)
    return std::nullopt;
  DType t = n.type(0).dtype;
  ResizeStep s;
  s.rule = resize_rule(*n.node.op, n.node.attrs);
  s.rank = n.type(0).rank();
  s.fill = n.attr_float("extrapolation_value");
  bool numeric = t == DType::f32 || t == DType::u8 || t == DType::i8;
  bool moved = s.rule.mode == ResizeRule::kNearest && bits_of(t) >= 8 &&
               (numeric || s.rule.coordinates != ResizeRule::kCrop || is_float(t));
  if ((!numeric && !moved) || !read_scales(n, s)) return std::nullopt;
  if (!few_row_taps(n, s)) return std::nullopt;
  const kr::Row& row = kr::select(options.cpu);
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = "resize";
  c.numerics = s.rule.mode == ResizeRule::kNearest ? Numerics::kExact : row.numerics;
  c.params = to_params(s);
  // The result of a graph lies row-major: then the smaller side is brought into that order.
  const std::vector<ValueId>& outs = n.function.outputs;
  bool last = std::find(outs.begin(), outs.end(), n.node.outputs[0]) != outs.end();
  c.inputs = {{last ? Layout::kPlain : Layout::kSame, false}, {Layout::kPlain, false}};
  c.outputs = {{last ? Layout::kPlain : Layout::kLike, true}};
  c.why = row.name;
  return c;
}

struct Extents {
  std::int64_t x, y, x_stride, y_stride;
  const ResizeTaps* taps;  // null: stays as it is
};

// Axes of the result's memory, outermost first, neighbours that stay as they are joined.
int order_axes(const TensorView& x, const TensorView& y, const std::vector<ResizeTaps>& taps, Extents* axes) {
  int order[kMaxRank], n = 0;
  for (int i = 0; i < y.rank; ++i) order[i] = i;
  std::stable_sort(order, order + y.rank, [&](int a, int b) { return y.strides[a] > y.strides[b]; });
  for (int i = 0; i < y.rank; ++i) {
    int a = order[i];
    bool stays = taps[static_cast<std::size_t>(a)].identity && taps[static_cast<std::size_t>(a)].outside.empty();
    if (stays && y.dims[a] == 1) continue;
    Extents e{x.dims[a], y.dims[a], x.strides[a], y.strides[a], stays ? nullptr : &taps[static_cast<std::size_t>(a)]};
    Extents* before = n > 0 ? &axes[n - 1] : nullptr;
    if (stays && before && !before->taps && before->x_stride == e.x * e.x_stride &&
        before->y_stride == e.y * e.y_stride) {
      *before = {before->x * e.x, before->y * e.y, e.x_stride, e.y_stride, nullptr};
    } else {
      axes[n++] = e;
    }
  }
  return n;
}

// Writes an axis' tables to `at` (unless it is null) and gives their size.
std::size_t fill_axis(const Extents& e, bool by_tap, std::byte* at, kr::Axis& axis) {
  axis.in = e.x;
  axis.out = e.y;
  axis.x_stride = e.x_stride;
  axis.y_stride = e.y_stride;
  if (!e.taps) return 0;
  axis.taps = e.taps->width;
  std::size_t out = static_cast<std::size_t>(e.y), taps = static_cast<std::size_t>(axis.taps), n = out * taps;
  std::size_t bytes = (n * 8 + out + 63) / 64 * 64;
  if (!at) return bytes;
  auto* index = reinterpret_cast<std::int32_t*>(at);
  auto* weight = reinterpret_cast<float*>(at + n * 4);
  auto* outside = reinterpret_cast<std::uint8_t*>(at + n * 8);
  for (std::size_t o = 0; o < out; ++o) {
    for (std::size_t t = 0; t < taps; ++t) {
      std::size_t to = by_tap ? t * out + o : o * taps + t;
      index[to] = static_cast<std::int32_t>(e.taps->index[o * taps + t]);
      weight[to] = static_cast<float>(e.taps->weight[o * taps + t]);
    }
    outside[o] = !e.taps->outside.empty() && e.taps->outside[o];
  }
  axis.index = index;
  axis.weight = weight;
  axis.outside = e.taps->outside.empty() ? nullptr : outside;
  return bytes;
}

Status fill_params(const KernelCall& call, std::span<const Extents> axes, kr::Params& p, KernelWork& work) {
  std::size_t count = axes.size();
  p.inner = 1;
  p.last = kr::Axis();
  if (count > 0 && !axes[count - 1].taps && axes[count - 1].x_stride == 1 && axes[count - 1].y_stride == 1) {
    p.inner = axes[--count].y;
  }
  if (count > kr::kMaxRowAxes + 1) return unsupported("resize: too many axes");
  for (std::byte* at : {static_cast<std::byte*>(nullptr), call.table.data()}) {
    if (at && call.table.size() < work.table_bytes) break;
    std::size_t used = 0;
    for (std::size_t a = 0; a < count; ++a) {
      bool last = a + 1 == count;
      kr::Axis& axis = last ? p.last : p.row[a];
      used += fill_axis(axes[a], last && p.inner == 1 && !p.move, at ? at + used : nullptr, axis);
    }
    work.table_bytes = used;
  }
  p.row_axes = count > 0 ? static_cast<std::int32_t>(count) - 1 : 0;
  std::int64_t taps = 1;
  for (int a = 0; a < p.row_axes; ++a) taps *= p.row[a].taps;
  if (taps > kr::kMostRowTaps) return unsupported("resize: the filter is too wide for this kernel");
  return {};
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  ResizeStep s = from_params<ResizeStep>(call.params);
  if (call.inputs.empty() || call.outputs.empty() || !call.inputs[0] || !call.outputs[0])
    return invalid("resize needs its operands");
  const TensorView &x = *call.inputs[0], &y = *call.outputs[0];
  if (x.rank != s.rank || y.rank != s.rank || x.dtype != y.dtype || bits_of(x.dtype) < 8)
    return invalid("resize got operands of the wrong kind");
  if (y.count() == 0) return {};
  std::vector<ResizeTaps> taps;
  double tables = 0;
  for (int a = 0; a < x.rank; ++a) {
    if (x.dims[a] < 1 || x.dims[a] > INT32_MAX || y.dims[a] > INT32_MAX) return invalid("resize: too long an axis");
    ResizeAxis axis{x.dims[a], y.dims[a], s.scale[a], false, s.begin[a], s.end[a]};
    axis.by_size = !(s.scale[a] > 0);
    if (axis.by_size) axis.scale = static_cast<double>(axis.out) / static_cast<double>(axis.in);
    if (!(std::fabs(static_cast<double>(axis.out) - static_cast<double>(axis.in) * axis.scale) <= 1))
      return invalid("resize got a result of another extent than its scale gives");
    tables += resize_tap_count(s.rule, axis);
    if (!(tables <= kMostResizeTaps)) return unsupported("resize: the filters of all axes are too large");
    taps.push_back(resize_taps(s.rule, axis));
  }
  auto* st = new (state) ResizeState();
  kr::Params& p = st->params;
  p.x = x.data;
  p.y = y.data;
  p.dtype = x.dtype;
  p.width = bits_of(x.dtype) / 8;
  p.move = std::all_of(taps.begin(), taps.end(), [](const ResizeTaps& t) { return t.width == 1; });
  if (!p.move && x.dtype != DType::f32 && x.dtype != DType::u8 && x.dtype != DType::i8)
    return invalid("resize got operands of the wrong kind");
  if (is_float(x.dtype) || bits_of(x.dtype) == 8) store_f64(TensorView::of(p.fill, x.dtype, {}), 0, s.fill);
  Extents axes[kMaxRank];
  int count = order_axes(x, y, taps, axes);
  MOTE_TRY(fill_params(call, {axes, static_cast<std::size_t>(count)}, p, work));
  kr::Work w = kr::setup(&p);
  work.thread_scratch = w.scratch_bytes;
  st->run = kr::select(capped(active_cpu(), static_cast<Isa>(s.isa))).run;
  if (w.tiles > 0) work.add(run_resize, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "resize", .state_bytes = sizeof(ResizeState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(resize, claim, kKernels);

}  // namespace mote::cpu
