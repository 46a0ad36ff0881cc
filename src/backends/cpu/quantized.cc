// matmul_integer, qlinear_matmul, conv_integer and qlinear_conv on kernels/idot, the qlinear ones of activations of 16
// bits too. Zero points and scales may be values of the run; where all are constants, what follows from them is
// computed once.
#include <algorithm>

#include "backends/cpu/epilogue.h"
#include "backends/cpu/family.h"
#include "backends/cpu/spatial.h"
#include "kernels/idot/depthwise.h"
#include "kernels/idot/idot.h"
#include "kernels/idot/winograd.h"
#include "kernels/scratch.h"
#include "ops/element.h"
#include "ops/quant/requantize.h"

namespace mote::cpu {
namespace {

namespace ki = kernels::idot;

struct QuantizedStep {
  Spatial window;
  std::int64_t group = 1, k = 0, n = 0;  // of one group; matmul: of a packed B
  std::int32_t conv = 0, linear = 0, packed = 0, isa = 0, b_signed = 0, fixed = 0;
  std::int32_t low = -(1 << 15), high = (1 << 16) - 1;
  std::int32_t last = 0, recipe = 0;     // images are [batch, space, channels]
  std::int32_t depth = 4, winograd = 0;  // winograd: as of the kernel's row, where it is used
  EpilogueProgram epilogue;
};

struct QuantizedState {
  ki::Params params;
  kernels::KernelFn<ki::Params> run;
};

void run_pack(const void* state, kernels::TileRange range) noexcept {
  ki::pack_run(static_cast<const QuantizedState*>(state)->params, range);
}
void run_prepare(const void* state, kernels::TileRange range) noexcept {
  ki::prepare(static_cast<const QuantizedState*>(state)->params, range);
}
void run_products(const void* state, kernels::TileRange range) noexcept {
  const QuantizedState& s = *static_cast<const QuantizedState*>(state);
  s.run(s.params, range);
}

void run_prepare_depthwise(const void* state, kernels::TileRange range) noexcept {
  ki::prepare_depthwise(static_cast<const QuantizedState*>(state)->params, range);
}

std::int64_t taps_of(const QuantizedStep& s) { return s.window.kernel[0] * s.window.kernel[1] * s.window.kernel[2]; }
// One channel in and out per group.
bool is_depthwise(const QuantizedStep& s) { return s.conv && s.group > 1 && s.n == 1 && s.k == taps_of(s); }

// The window of one group, extents apart.
ki::Window window_of(const QuantizedStep& s, std::int64_t k) {
  ki::Window w;
  for (int d = 0; d < 3; ++d) {
    w.kernel[d] = s.window.kernel[d];
    w.stride[d] = s.window.stride[d];
    w.dilation[d] = s.window.dilation[d];
    w.pad[d] = s.window.pad_begin[d];
  }
  w.channels = k / taps_of(s);
  return w;
}

ki::Segments segments_of(const QuantizedStep& s, std::int64_t k) {
  return s.conv ? ki::segments_of(window_of(s, k), s.depth) : ki::segments_of(k, s.depth);
}

// Bytes of the laid-out weights.
std::int64_t packed_bytes(const QuantizedStep& s, std::int64_t k, std::int64_t n) {
  if (is_depthwise(s)) return s.group * s.k;
  return s.group *
         (s.winograd ? ki::winograd_size(k / taps_of(s), n) : ki::packed_size(segments_of(s, k).packed_k(), n));
}

// Positions of the operands.
struct Slots {
  std::size_t a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
};
constexpr std::size_t kAbsent = 99;
constexpr Slots kInteger = {0, kAbsent, 2, 1, kAbsent, 3, kAbsent, kAbsent, kAbsent};
constexpr Slots kLinear = {0, 1, 2, 3, 4, 5, 6, 7, 8};

bool eight_bits(DType t) { return t == DType::u8 || t == DType::i8; }
bool words(DType t) { return t == DType::u16 || t == DType::i16; }

bool one_element(const NodeView& n, std::size_t i) {
  return i == kAbsent || !n.has(static_cast<int>(i)) ||
         (n.type(static_cast<int>(i)).has_rank() && volume(*n.type(static_cast<int>(i)).shape).is(1));
}

// One element, or a vector of `count`.
bool per_column(const NodeView& n, std::size_t i, const Dim& count) {
  if (one_element(n, i)) return true;
  const Type& t = n.type(static_cast<int>(i));
  return t.has_rank() && t.rank() == 1 && (*t.shape)[0] == count;
}

// Whether none of the operands but A is made in the run.
bool all_constant(const NodeView& n) {
  for (int i = 1; i < std::min(static_cast<int>(n.node.inputs.size()), 9); ++i) {
    if (n.has(i) && !n.constant(i)) return false;
  }
  return true;
}

// Weights of four bits are packed as bytes.
bool weights_type(const NodeView& n, const Slots& at) {
  const DType t = n.type(static_cast<int>(at.b)).dtype;
  return eight_bits(t) || (bits_of(t) < 8 && is_signed_int(t) && n.constant(static_cast<int>(at.b)));
}

bool claim_types(const NodeView& n, const Slots& at, bool linear) {
  const Type &a = n.type(static_cast<int>(at.a)), &b = n.type(static_cast<int>(at.b));
  const bool wide = linear && words(a.dtype);
  if ((!eight_bits(a.dtype) && !wide) || !weights_type(n, at) || !a.has_rank() || !b.has_rank()) return false;
  if (!one_element(n, at.a_zero) || !one_element(n, at.a_scale) || !one_element(n, at.y_scale) ||
      !one_element(n, at.y_zero))
    return false;
  if (!linear) return true;
  DType y = n.out_type(0).dtype;
  if (n.has(static_cast<int>(at.bias)) && n.type(static_cast<int>(at.bias)).dtype == DType::i64 && !wide) return false;
  for (std::size_t i : {at.a_scale, at.b_scale, at.y_scale}) {
    if (n.has(static_cast<int>(i)) && n.type(static_cast<int>(i)).dtype != DType::f32) return false;
  }
  return eight_bits(y) || (wide && words(y)) || y == DType::f32;
}

// The weights as bytes: those of the constant itself, or, of fewer than 8 bits, made in `made`.
const std::uint8_t* bytes_of(const TensorView& w, std::vector<std::uint8_t>& made) {
  if (eight_bits(w.dtype) && w.dense()) return w.as<std::uint8_t>();
  made.resize(static_cast<std::size_t>(w.count()));
  for (std::size_t i = 0; i < made.size(); ++i)
    made[i] = static_cast<std::uint8_t>(load_i64(w, static_cast<std::int64_t>(i)));
  return made.data();
}

// [outputs, channels, taps] as [outputs, taps, channels].
std::vector<std::uint8_t> channels_to_back(const std::uint8_t* w, std::int64_t outputs, std::int64_t channels,
                                           std::int64_t taps) {
  std::vector<std::uint8_t> turned(static_cast<std::size_t>(outputs * channels * taps));
  std::uint8_t* to = turned.data();
  for (std::int64_t o = 0; o < outputs; ++o, w += channels * taps) {
    for (std::int64_t t = 0; t < taps; ++t) {
      for (std::int64_t c = 0; c < channels; ++c) *to++ = w[c * taps + t];
    }
  }
  return turned;
}

Packing packing_of(std::size_t operand, const QuantizedStep& s, bool weights_last) {
  Packing p;
  p.operand = static_cast<std::int32_t>(operand);
  p.name = s.conv ? "iconv" : "idot";
  if (s.depth == 2) p.name += ".pairs";
  if (s.depth == 8) p.name += ".octets";
  if (s.depth == ki::kHalves) p.name += ".halves";
  const ki::Segments segments = segments_of(s, s.k);
  const int depth = s.depth;
  std::int64_t groups = s.group, k = s.k, n = s.n;
  std::int64_t taps = taps_of(s), all = packed_bytes(s, k, n), each = all / groups;
  p.bytes = static_cast<std::size_t>(all);
  bool conv = s.conv, is_signed = s.b_signed, depthwise = is_depthwise(s);
  const int winograd = s.winograd;
  if (depthwise) p.name = "iconv.depthwise";
  if (winograd > 0) p.name = winograd == 2 ? "iconv.winograd23.pairs" : "iconv.winograd23";
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    std::vector<std::uint8_t> made;
    const std::uint8_t* b = bytes_of(plain, made);
    if (depthwise) {
      auto* to = reinterpret_cast<std::uint8_t*>(out.data());
      for (std::int64_t t = 0; t < taps; ++t) {
        for (std::int64_t c = 0; c < groups; ++c) *to++ = b[c * taps + t];
      }
      return;
    }
    if (!conv) return ki::pack(b, is_signed, segments, n, n, 1, depth, out.data());
    if (winograd > 0) {
      const std::int64_t channels = k / taps;
      for (std::int64_t g = 0; g < groups; ++g)
        ki::pack_winograd(b + g * n * k, is_signed, channels, n, weights_last ? 1 : taps, weights_last ? channels : 1,
                          winograd, out.data() + g * each);
      return;
    }
    // Rows of A hold a tap's channels side by side.
    std::vector<std::uint8_t> turned;
    if (!weights_last && taps > 1) {
      turned = channels_to_back(b, groups * n, k / taps, taps);
      b = turned.data();
    }
    for (std::int64_t g = 0; g < groups; ++g)
      ki::pack(b + g * n * k, is_signed, segments, n, 1, k, depth, out.data() + g * each);
  };
  return p;
}

// Whether the zero points of weights are none to the kernels, which take bytes that are unsigned less 128.
bool weights_centred(const NodeView& n, const Slots& at, bool is_signed) {
  const auto i = static_cast<int>(at.b_zero);
  if (!n.has(i)) return is_signed;
  const Constant* c = n.constant(i);
  if (!c || c->encoding == Encoding::kStrings || !c->transforms.empty() || !eight_bits(c->stored_dtype)) return false;
  return std::ranges::all_of(c->stored(), [&](std::byte zero) { return zero == std::byte(is_signed ? 0 : 128); });
}

// Whether the CPU of `row` computes a convolution, whose weights are known, by Winograd's form.
bool by_winograd(const NodeView& n, const Slots& at, const QuantizedStep& s, const ki::Row& row) {
  const Type &x = n.type(0), &y = n.out_type(0);
  if (row.winograd == 0 || !eight_bits(x.dtype) || is_depthwise(s) || !y.has_rank() || y.rank() != x.rank() ||
      !weights_centred(n, at, s.b_signed))
    return false;
  ki::Window w = window_of(s, s.k);
  for (int d = 0; d < s.window.rank; ++d) {
    const auto axis = static_cast<std::size_t>(s.last ? d + 1 : d + 2);
    const Dim &in = (*x.shape)[axis], &out = (*y.shape)[axis];
    if (!in.is_const() || !out.is_const()) return false;
    w.in[3 - s.window.rank + d] = in.value();
    w.out[3 - s.window.rank + d] = out.value();
  }
  return ki::winograd_suits(w, s.n);
}

// Of a matrix of bytes.
decltype(Packing::pack_part) part_packing(const QuantizedStep& s) {
  return [k = s.k, n = s.n, is_signed = s.b_signed != 0, depth = s.depth](
             const TensorView& part, int axis, std::int64_t begin, std::span<std::byte> out) {
    ki::Piece piece{0, part.dims[0], 0, part.dims[1]};
    (axis == 0 ? piece.k_begin : piece.n_begin) = begin;
    ki::pack_piece(part.as<std::uint8_t>(), is_signed, k, n, piece, part.strides[0], part.strides[1], depth,
                   out.data());
  };
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  std::string_view op = n.node.op->name;
  const ki::Row& row = ki::select(options.cpu);
  QuantizedStep s;
  s.linear = op == "qlinear_matmul" || op == "qlinear_conv";
  s.conv = op == "conv_integer" || op == "qlinear_conv";
  if (!s.linear && !s.conv && op != "matmul_integer") return std::nullopt;
  const Slots& at = s.linear ? kLinear : kInteger;
  if (!claim_types(n, at, s.linear)) return std::nullopt;
  const bool wide = words(n.type(0).dtype);
  s.depth = ki::depth_of(row, wide);
  int b_slot = static_cast<int>(at.b);
  const Constant* b = n.constant(b_slot);
  const Type &at_type = n.type(0), &b_type = n.type(b_slot);
  s.b_signed = is_signed_int(b_type.dtype);
  s.packed = b != nullptr;
  Dim columns;
  bool weights_last = false;
  if (s.conv) {
    if (!b || b_type.rank() != at_type.rank() || b_type.rank() < 3) return std::nullopt;
    std::vector<std::int64_t> w = *constant_extents(*b_type.shape);
    s.last = is_channels_last(n);
    weights_last = n.attr_string("weight_layout") == "OXI";
    if (weights_last) std::rotate(w.begin() + 1, w.end() - 1, w.end());
    s.group = n.attr_int("group");
    if (s.group < 1 || w[0] % s.group != 0 || !read_spatial(n, {w.data() + 2, w.size() - 2}, s.window))
      return std::nullopt;
    s.n = w[0] / s.group;
    s.k = w[1] * s.window.kernel[0] * s.window.kernel[1] * s.window.kernel[2];
    columns = Dim(w[0]);
  } else {
    if (at_type.rank() < 2 || b_type.rank() < 2 || (b && b_type.rank() != 2)) return std::nullopt;
    const Shape &as = *at_type.shape, &bs = *b_type.shape;
    // Matrices of B one by one, each with its own of A; or one for all.
    if (bs.size() > 2 && !(bs.size() == as.size() && std::equal(bs.begin(), bs.end() - 2, as.begin())))
      return std::nullopt;
    columns = bs.back();
    if (b) {
      s.k = bs[0].value();
      s.n = bs[1].value();
    }
  }
  if (s.packed && (s.k < 1 || s.n < 1)) return std::nullopt;
  if (!per_column(n, at.b_scale, columns) || !per_column(n, at.b_zero, columns)) return std::nullopt;
  if (s.linear) {
    if (!per_column(n, at.bias, columns)) return std::nullopt;
    if (s.last && n.out_type(0).dtype == DType::f32) return std::nullopt;
    if (!claim_epilogue(n, s.conv ? RowOrder::kChannelsLast : RowOrder::kLastAxis, s.epilogue)) return std::nullopt;
    const std::optional<Recipe> recipe = recipe_of(n.attr_string("rounding"));
    if (!recipe || (*recipe == Recipe::kFixedWide && !wide)) return std::nullopt;
    s.recipe = static_cast<std::int32_t>(n.out_type(0).dtype == DType::f32 ? Recipe::kHalfEven : *recipe);
    if (std::vector<std::int64_t> range = n.attr_ints("y_range"); range.size() == 2) {
      s.low = static_cast<std::int32_t>(std::clamp<std::int64_t>(range[0], s.low, s.high));
      s.high = static_cast<std::int32_t>(std::clamp<std::int64_t>(range[1], s.low, s.high));
    }
  }
  if (s.conv && by_winograd(n, at, s, row)) s.winograd = row.winograd;
  s.fixed = s.packed && all_constant(n);
  s.isa = static_cast<std::int32_t>(row.isa);
  Claim c;
  c.kernel = "quantized";
  c.numerics = row.numerics;
  c.params = to_params(s);
  c.inputs.assign(10, {Layout::kPlain, false});
  if (s.conv && !s.last) {
    c.inputs[0] = c.inputs[9] = {Layout::kChannelsLast, true};
    c.outputs = {{Layout::kChannelsLast, true}};
  }
  if (s.packed) {
    c.inputs[at.b] = {Layout::kPacked, false};
    c.packings.push_back(packing_of(at.b, s, weights_last));
    const Type& b = n.type(static_cast<int>(at.b));
    if (!s.conv && b.rank() == 2 && eight_bits(b.dtype)) c.packings.back().pack_part = part_packing(s);
  }
  c.why = row.name;
  if (s.winograd) c.why += ", winograd23";
  if (wide) c.why += ", 16 by 8 bits";
  return c;
}

struct Operands {
  const KernelCall& call;
  const TensorView* operator()(std::size_t i) const { return i < call.inputs.size() ? call.inputs[i] : nullptr; }
};

// The parameters that `prepare` reads, of the sizes it takes for granted.
Status bind_parameters(const Operands& in, const Slots& at, bool linear, std::int64_t columns, DType a, DType b,
                       DType y, ki::Params& p) {
  auto fits = [&](const TensorView* v, DType type, bool vector) {
    return !v || (v->dtype == type && (v->count() == 1 || (vector && v->count() == columns)));
  };
  const TensorView *a_zero = in(at.a_zero), *b_zero = in(at.b_zero), *bias = in(at.bias), *a_scale = in(at.a_scale),
                   *b_scale = in(at.b_scale), *y_scale = in(at.y_scale), *y_zero = in(at.y_zero);
  const bool floating = y == DType::f32;
  if (!fits(a_zero, a, false) || !fits(b_zero, b, true) || !fits(a_scale, DType::f32, false) ||
      !fits(b_scale, DType::f32, true) || !fits(y_scale, DType::f32, false) || !fits(y_zero, y, false) ||
      (bias && ((bias->dtype != DType::i32 && !(floating && bias->dtype == DType::f32) &&
                 !(p.words && bias->dtype == DType::i64)) ||
                bias->count() != columns)) ||
      (linear && (!a_scale || !b_scale || (!floating && !y_scale))))
    return invalid("a scale or zero point does not fit");
  if (a_zero) p.a_zero = a_zero->data;
  if (b_zero) p.b_zero = {b_zero->data, b_zero->count()};
  if (bias && bias->dtype == DType::i32) p.bias = bias->as<std::int32_t>();
  if (bias && bias->dtype == DType::i64) p.wide_bias = bias->as<std::int64_t>();
  if (bias && bias->dtype == DType::f32) p.float_bias = bias->as<float>();
  if (linear) {
    p.a_scale = a_scale->as<float>();
    p.y_scale = y_scale ? y_scale->as<float>() : nullptr;
    p.b_scale = {b_scale->data, b_scale->count()};
    p.y_zero = y_zero ? y_zero->data : nullptr;
  }
  return {};
}

Status fill_conv(const QuantizedStep& s, const TensorView& x, const TensorView& y, ki::Params& p) {
  if (!s.window.valid() || !sizes_fit({s.window.kernel[0], s.window.kernel[1], s.window.kernel[2]}) ||
      !sizes_fit({s.k, s.n, s.group}))
    return invalid("a convolution of integers has a bad window");
  std::int64_t taps = taps_of(s);
  if (s.group < 1 || s.k < 1 || s.n < 1 || s.k % taps != 0 || x.rank != s.window.rank + 2 || y.rank != x.rank ||
      x.dims[0] != y.dims[0] || x.dims[1] != s.k / taps * s.group || y.dims[1] != s.n * s.group)
    return invalid("a convolution of integers got operands of the wrong shape");
  p.window.channels = s.k / taps;
  bool direct = taps == 1 && s.group == 1;
  for (int d = 0; d < 3; ++d) {
    int axis = d - (3 - s.window.rank) + 2;
    if (axis >= 2) {
      p.window.in[d] = x.dims[axis];
      p.window.out[d] = y.dims[axis];
      if (y.count() > 0 && p.window.out[d] != s.window.out(d, p.window.in[d]))
        return invalid("a convolution of integers got a result of the wrong extent");
    }
    p.window.kernel[d] = s.window.kernel[d];
    p.window.stride[d] = s.window.stride[d];
    p.window.dilation[d] = s.window.dilation[d];
    p.window.pad[d] = s.window.pad_begin[d];
    direct = direct && s.window.stride[d] == 1 && p.window.in[d] == p.window.out[d] && p.window.pad[d] == 0;
  }
  p.gather = !direct;
  p.groups = s.group;
  p.k = s.k;
  p.n = s.n;
  p.m = x.dims[0] * p.window.out[0] * p.window.out[1] * p.window.out[2];
  p.a_row = pixel_pitch(x);
  p.c_row = pixel_pitch(y);
  return {};
}

Status fill_matmul(const QuantizedStep& s, const TensorView& a, const TensorView& b, const TensorView& y,
                   ki::Params& p) {
  if (a.rank < 2 || y.rank != a.rank) return invalid("a product of integers got operands of the wrong shape");
  p.k = a.dims[a.rank - 1];
  p.n = y.dims[y.rank - 1];
  std::int64_t rows = a.dims[a.rank - 2], matrices = 1;
  for (int i = 0; i < a.rank - 2; ++i) matrices *= a.dims[i];
  if (!sizes_fit({matrices, rows, p.n}) || !sizes_fit({matrices, p.k, p.n}) || y.count() != matrices * rows * p.n ||
      (s.packed && (p.k != s.k || p.n != s.n)))
    return invalid("a product of integers got operands of the wrong shape");
  p.m = rows;
  p.a_row = p.k;
  p.c_row = p.n;
  p.batch = matrices;
  if (s.packed || b.rank == 2) {
    p.m = matrices * rows;
    p.batch = 1;
  } else if (b.rank != a.rank) {
    return invalid("a product of integers got operands of the wrong shape");
  }
  p.a_batch = p.m * p.k;
  p.c_batch = p.m * p.n;
  if (s.packed) return {};
  if (b.dims[b.rank - 2] != p.k || b.dims[b.rank - 1] != p.n || b.count() != p.batch * p.k * p.n)
    return invalid("a product of integers got operands of the wrong shape");
  p.b_plain = b.as<std::uint8_t>();
  p.b_plain_batch = p.k * p.n;
  p.b_k_stride = p.n;
  p.b_n_stride = 1;
  if (p.batch > 1) p.b_batch = ki::packed_size(segments_of(s, p.k).packed_k(), p.n);
  return {};
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  QuantizedStep s = from_params<QuantizedStep>(call.params);
  const Slots& at = s.linear ? kLinear : kInteger;
  Operands in{call};
  if (!in(at.a) || !in(at.b) || call.outputs.empty() || !call.outputs[0]) return invalid("an operand is missing");
  const TensorView& b = *in(at.b);
  if (s.last && (in(at.a)->rank < 3 || call.outputs[0]->rank < 3))
    return invalid("a convolution of integers got operands of the wrong shape");
  const TensorView a = s.last ? as_image(*in(at.a)) : *in(at.a),
                   y = s.last ? as_image(*call.outputs[0]) : *call.outputs[0];
  const auto recipe = static_cast<Recipe>(s.recipe);
  const bool wide = words(a.dtype);
  const bool whole = eight_bits(y.dtype) || (wide && words(y.dtype));
  const bool fits = s.linear ? whole || y.dtype == DType::f32 : y.dtype == DType::i32 && !wide;
  if ((recipe != Recipe::kHalfEven && recipe != Recipe::kFixed && recipe != Recipe::kHalfAway &&
       !(recipe == Recipe::kFixedWide && wide)) ||
      (recipe != Recipe::kHalfEven && !whole) || (!eight_bits(a.dtype) && !wide) || !fits || s.low > s.high ||
      s.low < -(1 << 15) || s.high >= 1 << 16 || (!s.packed && !eight_bits(b.dtype)) || (s.conv && !s.packed))
    return invalid("a product of integers got other dtypes");
  bool rows = s.conv ? has_pixels(a) && has_pixels(y) : a.dense() && y.dense();
  for (std::size_t i = 1; i < std::min<std::size_t>(call.inputs.size(), 9); ++i)
    rows = rows && (!call.inputs[i] || call.inputs[i]->dense());
  if (!rows && y.count() > 0) return invalid("a product of integers got operands that are not dense");
  const ki::Row& row = ki::select(capped(active_cpu(), static_cast<Isa>(s.isa)));
  if (s.depth != ki::depth_of(row, wide)) return invalid("a product of integers is laid out for another CPU");
  auto* st = new (state) QuantizedState();
  ki::Params& p = st->params;
  p.a = a.as<std::uint8_t>();
  p.words = wide;
  p.a_signed = is_signed_int(a.dtype);
  p.b_signed = s.packed ? s.b_signed != 0 : b.dtype == DType::i8;
  p.c = y.data;
  p.out = y.dtype;
  p.recipe = recipe;
  MOTE_TRY(s.conv ? fill_conv(s, a, y, p) : fill_matmul(s, a, b, y, p));
  // Filled up to whole steps, k grows to four times itself at most.
  if (!sizes_fit({p.m, p.k + 64, p.n + 64, s.group, p.batch, 8})) return invalid("a product of integers is too large");
  if (s.packed && b.bytes() < packed_bytes(s, p.k, p.n)) return invalid("too few packed weights");
  if (y.count() == 0) return {};
  MOTE_TRY(bind_parameters(in, at, s.linear, p.n * p.groups, a.dtype, p.b_signed ? DType::i8 : DType::u8, y.dtype, p));
  p.low = s.low;
  p.high = s.high;
  RowOrder order = s.conv ? RowOrder::kChannelsLast : RowOrder::kLastAxis;
  if (y.dtype == DType::f32) MOTE_TRY(bind_epilogue(s.epilogue, call, y, order, p.epilogue));
  bool depthwise = is_depthwise(s);
  p.winograd = s.winograd != 0;
  if (p.winograd) {
    st->run = row.run_winograd;
    if (!st->run || s.winograd != row.winograd || wide || depthwise || !s.conv || !ki::winograd_can(p.window) ||
        p.window.in[0] != p.window.out[0])
      return invalid("a convolution of integers names a form that it does not have");
  } else if (wide) {
    st->run = depthwise ? row.depthwise_of_words : row.run_words;
  } else {
    st->run = depthwise ? row.depthwise : row.run;
  }
  ki::Work w = p.winograd ? ki::setup_winograd(&p) : depthwise ? ki::setup_depthwise(row, &p) : ki::setup(row, &p);
  std::int64_t shared = (static_cast<std::int64_t>(w.shared_bytes) + 63) / 64 * 64;
  work.thread_scratch = w.scratch_bytes;
  p.b = b.data;
  if (s.packed && s.fixed) {
    work.table_bytes = kernels::scratch_size(shared);
    // In a file they may be values of the run, which are not there where only sizes are asked for.
    const auto operands = call.inputs.subspan(1, std::min<std::size_t>(call.inputs.size(), 9) - 1);
    const bool present = std::ranges::all_of(operands, [](const TensorView* v) { return !v || v->data; });
    if (call.table.size() >= work.table_bytes && present) {
      p.shared = call.table.data();
      depthwise ? ki::prepare_depthwise(p, {0, 1, nullptr}) : ki::prepare(p, {0, 1, nullptr});
    }
    work.add(run_products, w.tiles);
    return {};
  }
  p.shared = call.shared_scratch;
  std::int64_t packed = s.packed ? 0 : ki::packed_size(p.segments.packed_k(), p.n) * p.batch;
  work.shared_scratch = kernels::scratch_size(shared + packed);
  if (!s.packed) {
    p.b = call.shared_scratch ? call.shared_scratch + shared : nullptr;
    work.add(run_pack, p.batch);
  }
  work.add(depthwise ? run_prepare_depthwise : run_prepare, 1);
  work.add(run_products, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {{.name = "quantized", .state_bytes = sizeof(QuantizedState), .setup = setup}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(quantized, claim, kKernels);

}  // namespace mote::cpu
