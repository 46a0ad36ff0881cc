// matmul, gemm and matmul_nbits on kernels/dot: weights packed once, activations as B packed per run by the kernel.
#include "kernels/dot/dot.h"

#include <algorithm>

#include "backends/cpu/block_weights.h"
#include "backends/cpu/epilogue.h"
#include "backends/cpu/family.h"
#include "backends/cpu/narrow_weights.h"

namespace mote::cpu {
namespace {

namespace kd = kernels::dot;

struct DotStep {
  std::int64_t k = 0, n = 0;  // of packed weights
  std::int64_t batch = 1;     // packed matrices
  std::int32_t packed = 0, trans_b = 0, has_bias = 0, isa = 0;
  std::int32_t pairs = 0, tiling = 0;  // pairs: of bf16
  std::int32_t store = 0;              // a Store; below 16 bits the operands are those of matmul_nbits
  std::int32_t has_zeros = 0;          // one for every block
  std::int64_t block = 0;
  float zero = 0;
  std::int32_t reserved = 0;
  EpilogueProgram epilogue;
};

struct DotState {
  kd::Params params;
  kernels::KernelFn<kd::Params> run;
};

void run_dot(const void* state, kernels::TileRange range) noexcept {
  const DotState& s = *static_cast<const DotState*>(state);
  s.run(s.params, range);
}

bool is_weight_type(DType t) { return t == DType::f32 || t == DType::f16 || t == DType::bf16; }

kd::Store store_of(const DotStep& s) { return static_cast<kd::Store>(s.store); }

std::int64_t packed_words(const DotStep& s) {
  if (store_of(s) != kd::Store::kF32) return kd::packed_bytes(store_of(s), s.k, s.n) / 4;
  return kd::packed_size(s.pairs ? kd::pairs_of(s.k) : s.k, s.n);
}

// Packs [batch, K, N] (or [batch, N, K]) matrix by matrix.
Packing pack_weights(const Constant& w, bool trans, DotStep& s) {
  std::vector<std::int64_t> dims = *constant_extents(*w.type.shape);
  if (dims.size() == 1) dims = trans ? std::vector<std::int64_t>{1, dims[0]} : std::vector<std::int64_t>{dims[0], 1};
  std::size_t rank = dims.size();
  s.k = dims[rank - (trans ? 1 : 2)];
  s.n = dims[rank - (trans ? 2 : 1)];
  for (std::size_t i = 0; i + 2 < rank; ++i) s.batch *= dims[i];
  Packing p;
  p.operand = 1;
  p.name = packing_name(std::string(trans ? "dot.nk" : "dot.kn") + (s.pairs ? ".bf16" : ""), store_of(s));
  std::int64_t k = s.k, n = s.n, batch = s.batch, each = packed_words(s) * 4;
  p.bytes = static_cast<std::size_t>(each * batch);
  auto pack = [store = store_of(s), pairs = s.pairs != 0, k](const kd::PackSource& source, std::int64_t rows,
                                                             std::int64_t columns, std::byte* to) {
    if (store != kd::Store::kF32) return kd::pack_halves(store, source, rows, columns, to, kd::panel_bytes(store, k));
    (pairs ? kd::pack_pairs : kd::pack)(source, rows, columns, reinterpret_cast<float*>(to),
                                        (pairs ? kd::pairs_of(k) : k) * kd::kPanel);
  };
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::byte* from = plain.data + b * k * n * (bits_of(plain.dtype) / 8);
      pack({from, plain.dtype, trans ? 1 : n, trans ? k : 1}, k, n, out.data() + b * each);
    }
  };
  if (rank != 2 || w.type.dtype != DType::f32 || s.pairs) return p;
  const std::int64_t element = kd::bits_of(store_of(s)) / 8;
  p.pack_part = [=](const TensorView& part, int axis, std::int64_t begin, std::span<std::byte> out) {
    const int k_axis = trans ? 1 : 0, n_axis = 1 - k_axis;
    kd::PackSource source{part.data, part.dtype, part.strides[k_axis], part.strides[n_axis]};
    pack(source, part.dims[k_axis], part.dims[n_axis],
         out.data() + begin * (axis == k_axis ? kd::kPanel : k) * element);
  };
  return p;
}

// Whether the packed matrices follow each other over the last batch axes of the result: no extent of 1 among those of
// the weights is repeated, but for leading ones.
bool follows_result(const Shape& w, const Shape& y) {
  std::size_t batch = w.size() < 2 ? 0 : w.size() - 2, first = 0;
  while (first < batch && w[first].is(1)) ++first;
  for (std::size_t i = first; i < batch; ++i) {
    std::size_t behind = w.size() - i;  // the result ends with as many axes, where it has all of them
    if (y.size() < behind || !(y[y.size() - behind] == w[i])) return false;
  }
  return true;
}

std::optional<Claim> claim_blocks(const NodeView& n, const TargetOptions& options) {
  if (n.type(0).dtype != DType::f32 || !n.out_type(0).has_rank() || n.type(0).rank() - 2 > kd::kMaxBatchDims)
    return std::nullopt;
  std::optional<BlockWeights> w = pack_blocks(n);
  DotStep s;
  if (!w || !claim_epilogue(n, RowOrder::kLastAxis, s.epilogue)) return std::nullopt;
  s.packed = 1;
  s.store = static_cast<std::int32_t>(w->store);
  s.k = w->k;
  s.n = w->n;
  s.block = w->block;
  s.zero = w->zero;
  s.has_zeros = w->has_zeros;
  s.has_bias = n.has(kBlockBias);
  const kd::Kernel& kernel = kd::select(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);
  Claim c;
  c.kernel = "dot";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.packings = std::move(w->packings);
  c.inputs = {{Layout::kRows, false},
              {Layout::kPacked, false},
              {Layout::kPacked, false},
              {s.has_zeros ? Layout::kPacked : Layout::kIgnored, false},
              {Layout::kPlain, false}};
  c.outputs = {{Layout::kRows, false}};
  c.why = std::string(kernel.name) + ", weights of " + std::to_string(kd::bits_of(w->store)) + " bits in blocks of " +
          std::to_string(std::min(w->block, w->k)) + ", widened in registers";
  return c;
}

std::optional<Claim> claim(const NodeView& n, const TargetOptions& options) {
  if (n.node.op->name == "matmul_nbits") return claim_blocks(n, options);
  bool gemm = n.node.op->name == "gemm";
  if (n.node.op->name != "matmul" && !gemm) return std::nullopt;
  std::string_view ta = gemm ? "transA" : "trans_a", tb = gemm ? "transB" : "trans_b";
  if (n.attr_int(ta) != 0 || !n.type(0).has_rank() || !n.type(1).has_rank() || !n.out_type(0).has_rank())
    return std::nullopt;
  if (n.type(0).dtype != DType::f32 || n.type(0).rank() < 1 || n.type(1).rank() < 1) return std::nullopt;
  DotStep s;
  s.trans_b = n.attr_int(tb) != 0;
  if (gemm && (n.attr_float("alpha") != 1 || n.attr_float("beta") != 1)) return std::nullopt;
  s.has_bias = n.has(2);
  if (s.has_bias) {
    const Type& bias = n.type(2);
    if (bias.dtype != DType::f32 || !bias.has_rank() || bias.rank() > 2) return std::nullopt;
    // One value per column; a gemm's C may be [N] or [1, N].
    Dim columns = n.out_type(0).rank() ? n.out_type(0).shape->back() : Dim(1);
    if (bias.rank() == 0 || !(bias.shape->back() == columns) || (bias.rank() == 2 && !(*bias.shape)[0].is(1)))
      return std::nullopt;
  }
  Claim c;
  const Constant* w = n.constant(1);
  if (w && is_weight_type(w->type.dtype) && !w->type.shape->empty() &&
      follows_result(*w->type.shape, *n.out_type(0).shape)) {
    s.packed = 1;
    s.pairs = computes_in_bf16(options);
    if (!s.pairs) s.store = static_cast<std::int32_t>(store_for(*w));
    if (volume(*w->type.shape).is(0)) return std::nullopt;
    c.packings.push_back(pack_weights(*w, s.trans_b, s));
  } else if (!is_weight_type(n.type(1).dtype)) {
    return std::nullopt;
  }
  if (n.type(0).rank() - 2 > kd::kMaxBatchDims || n.type(1).rank() - 2 > kd::kMaxBatchDims) return std::nullopt;
  if (!gemm && !claim_epilogue(n, RowOrder::kLastAxis, s.epilogue)) return std::nullopt;
  // The result of a vector on the right has rows only, and no last axis that the operands' columns could be.
  if (n.type(1).rank() == 1 && has_operands(s.epilogue)) return std::nullopt;
  const kd::Kernel& kernel = s.pairs ? kd::select_pairs(options.cpu) : kd::select(options.cpu);
  s.isa = static_cast<std::int32_t>(kernel.isa);
  c.kernel = "dot";
  c.numerics = kernel.numerics;
  c.params = to_params(s);
  c.inputs = {{Layout::kRows, false},
              {s.packed ? Layout::kPacked : Layout::kStrided, false},
              {Layout::kPlain, false},
              {Layout::kPlain, false}};
  c.outputs = {{Layout::kRows, false}};
  c.why = std::string(kernel.name) + (s.packed ? ", weights packed" : ", B packed per run");
  if (s.packed && !s.pairs) c.why += why_store(*w, store_of(s));
  return c;
}

// One operand of the product: rows, columns and the axes before them, innermost batch axis last.
struct Matrix {
  std::int64_t rows = 1, cols = 1, row_stride = 0, col_stride = 0;
  std::int64_t batch[kd::kMaxBatchDims] = {1, 1, 1, 1}, stride[kd::kMaxBatchDims] = {};
};

bool to_matrix(const TensorView& v, Matrix& m) {
  int batch = v.rank - 2;
  if (batch > kd::kMaxBatchDims) return false;
  if (v.rank >= 2) {
    m.rows = v.dims[v.rank - 2];
    m.row_stride = v.strides[v.rank - 2];
  }
  m.cols = v.dims[v.rank - 1];
  m.col_stride = v.strides[v.rank - 1];
  for (int i = 0; i < batch; ++i) {
    int to = kd::kMaxBatchDims - batch + i;
    m.batch[to] = v.dims[i];
    m.stride[to] = v.dims[i] == 1 ? 0 : v.strides[i];
  }
  return true;
}

// The scales and zero points of weights in blocks.
Status bind_blocks(const DotStep& s, const KernelCall& call, kd::Narrow& w) {
  std::int64_t scales = kd::panels_of(s.n) * kd::kPanel * kd::blocks_of(s.k, s.block);
  auto has = [&](std::size_t i, std::int64_t bytes) {
    return call.inputs.size() > i && holds_packed(call.inputs[i], bytes);
  };
  if (!has(kBlockScales, scales * 4) || (s.has_zeros && !has(kBlockZeros, scales)))
    return invalid("dot got too few scales or zero points");
  w.block = s.block;
  w.scales = reinterpret_cast<const float*>(call.inputs[kBlockScales]->data);
  if (s.has_zeros) w.zeros = reinterpret_cast<const std::uint8_t*>(call.inputs[kBlockZeros]->data);
  w.zero = s.zero;
  return {};
}

Status setup(const KernelCall& call, void* state, KernelWork& work) {
  DotStep s = from_params<DotStep>(call.params);
  if (s.store < 0 || s.store > static_cast<std::int32_t>(kd::Store::kU2) ||
      (s.store != 0 && (s.packed == 0 || s.pairs != 0)))
    return invalid("dot names weights that there are not");
  const bool blocks = kd::has_blocks(store_of(s));
  if (blocks && (s.block < 1 || s.batch != 1 || !sizes_fit({s.k}) || !sizes_fit({s.block}) ||
                 !sizes_fit({s.k + s.block, s.n}) || (s.block < s.k && s.block % kd::per_word(store_of(s)) != 0)))
    return invalid("dot got blocks of another size");
  if (call.inputs.size() < 2 || !call.inputs[0] || !call.inputs[1] || call.outputs.empty() || !call.outputs[0])
    return invalid("dot needs its operands");
  const TensorView &a = *call.inputs[0], &b = *call.inputs[1], &y = *call.outputs[0];
  if (a.dtype != DType::f32 || y.dtype != DType::f32 || a.rank < 1)
    return invalid("dot got operands of the wrong kind");
  auto* st = new (state) DotState();
  kd::Params& p = st->params;
  kd::Shape shape;
  Matrix ma, mb;
  if (!to_matrix(a, ma)) return invalid("dot got operands of the wrong rank");
  bool vector_b = false;
  if (s.packed) {
    if (s.batch < 1 || !sizes_fit({s.k, s.n, s.batch}) || !holds_packed(&b, packed_words(s) * s.batch * 4))
      return invalid("dot got too few packed weights");
    mb.rows = s.k;
    mb.cols = s.n;
    vector_b = s.n == 1 && y.rank == std::max(a.rank, 2) - 1 && a.rank > 1;
  } else {
    if (b.rank < 1 || !to_matrix(b, mb)) return invalid("dot got operands of the wrong rank");
    if (!is_weight_type(b.dtype)) return invalid("dot got operands of the wrong kind");
    if (b.rank == 1) {
      vector_b = true;
      mb.rows = b.dims[0];
      mb.row_stride = b.strides[0];
      mb.cols = 1;
      mb.col_stride = 0;
    } else if (s.trans_b) {
      std::swap(mb.rows, mb.cols);
      std::swap(mb.row_stride, mb.col_stride);
    }
    if (s.pairs) return invalid("dot of pairs needs packed weights");
    shape.b_packed = false;
    shape.b_dtype = b.dtype;
    shape.b_k_stride = mb.row_stride;
    shape.b_n_stride = mb.col_stride;
  }
  shape.m = ma.rows;
  shape.k = ma.cols;
  shape.n = mb.cols;
  if (!sizes_fit({shape.m, shape.k, shape.n})) return invalid("dot got operands that are too large");
  if (mb.rows != shape.k)
    return invalid("the inner extents are " + std::to_string(shape.k) + " and " + std::to_string(mb.rows));
  if (ma.col_stride != 1 && ma.cols > 1) return invalid("dot got rows that are not contiguous");
  shape.a_row = ma.rows > 1 ? ma.row_stride : shape.k;

  // The result: [batch..., M, N] without the axes that a vector operand lacks.
  int y_batch = y.rank - (a.rank > 1 ? 1 : 0) - (vector_b ? 0 : 1);
  if (y_batch < 0 || y_batch > kd::kMaxBatchDims) return invalid("dot got a result of the wrong rank");
  std::int64_t y_rows = a.rank > 1 ? y.dims[y_batch] : 1, y_cols = vector_b ? 1 : y.dims[y.rank - 1];
  if (y_rows != shape.m || y_cols != shape.n) return invalid("dot got a result of the wrong shape");
  shape.c_row = a.rank > 1 ? y.strides[y_batch] : shape.n;
  if (shape.m <= 1) shape.c_row = shape.n;
  if (!vector_b && shape.n > 1 && y.strides[y.rank - 1] != 1)
    return invalid("dot got a result whose rows are not contiguous");
  std::int64_t packed_stride[kd::kMaxBatchDims] = {};
  if (s.packed && s.batch > 1) {
    // Packed matrices follow each other over the result's batch axes.
    std::int64_t stride = packed_words(s), left = s.batch;
    for (int i = y_batch; i-- > 0 && left > 1;) {
      int to = kd::kMaxBatchDims - y_batch + i;
      packed_stride[to] = stride;
      if (y.dims[i] <= 0 || left % y.dims[i] != 0) return invalid("dot got weights of another batch");
      left /= y.dims[i];
      stride *= y.dims[i];
    }
    if (left != 1) return invalid("dot got weights of another batch");
  }
  for (int i = 0; i < kd::kMaxBatchDims; ++i) {
    int axis = i - (kd::kMaxBatchDims - y_batch);
    shape.batch[i] = axis >= 0 ? y.dims[axis] : 1;
    shape.c_batch[i] = axis >= 0 ? y.strides[axis] : 0;
    shape.a_batch[i] = ma.stride[i];
    shape.b_batch[i] = s.packed ? packed_stride[i] : mb.stride[i];
    bool repeats = ma.batch[i] == 1 && (s.packed ? packed_stride[i] == 0 : mb.batch[i] == 1);
    if ((repeats && shape.batch[i] != 1) || (ma.batch[i] != 1 && ma.batch[i] != shape.batch[i]) ||
        (!s.packed && mb.batch[i] != 1 && mb.batch[i] != shape.batch[i])) {
      return invalid("batch extents do not broadcast");
    }
  }
  if (!sizes_fit({shape.m, shape.n + 32, shape.k, shape.batch[0], shape.batch[1], shape.batch[2], shape.batch[3]}))
    return invalid("dot got operands that are too large");
  // One matrix of weights for all: rows of all batches are rows of one product, where they follow each other evenly.
  if (s.packed && s.batch == 1) {
    for (int i = kd::kMaxBatchDims; i-- > 0;) {
      if (shape.batch[i] == 1) continue;
      bool even =
          shape.m == 1 || (shape.a_batch[i] == shape.m * shape.a_row && shape.c_batch[i] == shape.m * shape.c_row);
      if (!even) break;
      if (shape.m == 1) {
        shape.a_row = shape.a_batch[i];
        shape.c_row = shape.c_batch[i];
      }
      shape.m *= shape.batch[i];
      shape.batch[i] = 1;
      shape.a_batch[i] = shape.c_batch[i] = 0;
    }
  }
  if (y.count() == 0) return {};
  p.a = a.as<float>();
  p.b = b.data;
  p.c = y.as<float>();
  if (blocks) MOTE_TRY(bind_blocks(s, call, p.narrow));
  const std::size_t at = blocks ? kBlockBias : 2;
  if (const TensorView* bias = s.has_bias && call.inputs.size() > at ? call.inputs[at] : nullptr) {
    if (bias->dtype != DType::f32 || bias->count() != shape.n || !bias->dense())
      return invalid("dot got a bias of the wrong size");
    p.bias = bias->as<float>();
  }
  if (vector_b && has_operands(s.epilogue)) return invalid("dot got an epilogue that does not fit its result");
  MOTE_TRY(bind_epilogue(s.epilogue, call, y, RowOrder::kLastAxis, p.epilogue));
  const CpuFeatures cpu = capped(active_cpu(), static_cast<Isa>(s.isa));
  const kd::Kernel& kernel = s.pairs ? kd::select_pairs(cpu) : kd::select(cpu);
  shape.pairs = s.pairs != 0;
  shape.store = store_of(s);
  if (s.tiling < 0 || s.tiling >= kernels::kTilingCount) return invalid("dot names tiles that there are not");
  shape.tiling = static_cast<kernels::Tiling>(s.tiling);
  kd::Work w = kd::setup(kernel, shape, &p);
  work.thread_scratch = w.scratch_bytes;
  st->run = kernel.run;
  if (w.tiles > 0) work.add(run_dot, w.tiles);
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "dot", .state_bytes = sizeof(DotState), .setup = setup, .tiling = offsetof(DotStep, tiling)}};

}  // namespace

MOTE_DEFINE_CPU_FAMILY(dot, claim, kKernels);

}  // namespace mote::cpu
