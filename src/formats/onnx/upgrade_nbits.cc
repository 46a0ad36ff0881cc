// com.microsoft's MatMulNBits: products with weights of few bits in blocks.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/importer.h"

namespace mote::onnx {
namespace {

// A constant that is stored as it is.
const Constant* plain_constant(NodeImport& n, ValueId v) {
  ConstantId id = v == kNone ? kNone : n.importer().value(n.scope().function, v).constant;
  if (id == kNone) return nullptr;
  const Constant& c = n.importer().module().constants[static_cast<std::size_t>(id)];
  return c.encoding == Encoding::kPlain && c.transforms.empty() ? &c : nullptr;
}

// The bytes of a constant read as another packed type and shape; absent when the operand is no such constant.
ValueId reinterpreted(NodeImport& n, ValueId v, DType dtype, std::vector<std::int64_t> shape) {
  const Constant* plain = plain_constant(n, v);
  std::int64_t count = 1;
  for (std::int64_t d : shape) count *= d;
  if (!plain || static_cast<std::int64_t>(plain->size) != bytes_of(dtype, count)) return kNone;
  Constant c = *plain;
  c.type = Type::tensor(dtype, Shape(shape.begin(), shape.end()));
  c.stored_dtype = dtype;
  c.stored_shape = std::move(shape);
  return n.constant(std::move(c));
}

ValueId packed_constant(NodeImport& n, DType dtype, std::vector<std::int64_t> shape, std::vector<std::byte> bytes) {
  Constant c;
  c.name = n.name() + "/zero_point";
  c.stored_dtype = dtype;
  c.type = Type::tensor(dtype, Shape(shape.begin(), shape.end()));
  c.stored_shape = std::move(shape);
  c.size = bytes.size();
  c.source = std::make_shared<BufferSource>(std::move(bytes));
  return n.constant(std::move(c));
}

// Zero points [rows, blocks], each row of which starts at a byte of its own in the file.
ValueId packed_rows(NodeImport& n, ValueId v, DType dtype, std::int64_t rows, std::int64_t blocks) {
  const std::int64_t bits = bits_of(dtype), row = (blocks * bits + 7) / 8;
  if (blocks * bits % 8 == 0) return reinterpreted(n, v, dtype, {rows, blocks});
  const Constant* c = plain_constant(n, v);
  if (!c || static_cast<std::int64_t>(c->size) != rows * row) return kNone;
  const std::span<const std::byte> from = c->stored();
  std::vector<std::byte> to(static_cast<std::size_t>(bytes_of(dtype, rows * blocks)));
  const auto mask = static_cast<std::byte>((1 << bits) - 1);
  for (std::int64_t i = 0; i < rows * blocks; ++i) {
    const std::int64_t at = i / blocks * row * 8 + i % blocks * bits;
    const std::byte x = from[static_cast<std::size_t>(at / 8)] >> at % 8 & mask;
    to[static_cast<std::size_t>(i * bits / 8)] |= x << i * bits % 8;
  }
  return packed_constant(n, dtype, {rows, blocks}, std::move(to));
}

// Which column comes where, so that the columns of every block follow each other: g_idx has the block of each. Nothing
// where blocks are not of `block` columns.
std::optional<std::vector<std::int64_t>> column_order(std::span<const std::int64_t> g_idx, std::int64_t block) {
  std::vector<std::int64_t> order(g_idx.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return g_idx[static_cast<std::size_t>(a)] < g_idx[static_cast<std::size_t>(b)];
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (g_idx[static_cast<std::size_t>(order[i])] != static_cast<std::int64_t>(i) / block) return std::nullopt;
  }
  return order;
}

// Weights [rows, width] with their columns in that order; those behind it are 0.
ValueId ordered_columns(NodeImport& n, ValueId v, DType dtype, std::int64_t rows, std::int64_t width,
                        std::span<const std::int64_t> order) {
  const Constant* c = plain_constant(n, v);
  const std::int64_t bits = bits_of(dtype);
  if (!c || static_cast<std::int64_t>(c->size) != bytes_of(dtype, rows * width)) return kNone;
  const std::span<const std::byte> from = c->stored();
  std::vector<std::byte> to(from.size());
  const auto mask = static_cast<std::byte>((1 << bits) - 1);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::int64_t source = (r * width + order[i]) * bits,
                         target = (r * width + static_cast<std::int64_t>(i)) * bits;
      const std::byte x = from[static_cast<std::size_t>(source / 8)] >> source % 8 & mask;
      to[static_cast<std::size_t>(target / 8)] |= x << target % 8;
    }
  }
  return packed_constant(n, dtype, {rows, width}, std::move(to));
}

// What MatMulNBits states.
struct BlockProduct {
  std::int64_t k, columns, bits, block, blocks = 0;
  DType packed = DType::none;
};

// x's sums over every block, times `by` [columns, blocks]: what zero points that are `by` less add to the product.
ValueId product_of_sums(NodeImport& n, ValueId x, ValueId by, const BlockProduct& p) {
  const std::size_t rank = n.has_rank(x) ? static_cast<std::size_t>(n.rank(x)) : 0;
  if (rank == 0) {
    n.unsupported("MatMulNBits with zero points in floating point and a first operand of unknown rank");
    return kNone;
  }
  if (p.k != p.blocks * p.block) {
    std::vector<std::int64_t> pads(2 * rank, 0);
    pads.back() = p.blocks * p.block - p.k;
    x = n.emit("pad", {x, n.ints(pads)});
  }
  std::vector<std::int64_t> split(rank - 1, 0);  // 0: the extent stays
  split.insert(split.end(), {p.blocks, p.block});
  x = n.emit("reshape", {x, n.ints(split)});
  x = n.emit("reduce_sum", {x, n.ints({-1})}, {{"keepdims", std::int64_t{0}}});
  return n.emit("matmul", {x, n.emit("transpose", {by}, {{"perm", std::vector<std::int64_t>{1, 0}}})});
}

}  // namespace

// Weights of 2, 4 or 8 bits in blocks along K, as (N, blocks * block_size), each block with a scale and a zero point;
// the last block may be longer than K. Zero points of the scales' type are those in the middle and a product more. With
// g_idx the columns of a block lie anywhere: they are brought together, and x's with them. accuracy_level allows less
// than the type of x; nothing less is computed.
Status matmul_n_bits(NodeImport& n) {
  BlockProduct p{n.attr_int("K", 0), n.attr_int("N", 0), n.attr_int("bits", 4), n.attr_int("block_size", 32)};
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  p.packed = p.bits == 2 ? DType::u2 : p.bits == 4 ? DType::u4 : DType::u8;
  const bool fits = (p.bits == 2 || p.bits == 4 || p.bits == 8) && p.block > 0 && p.k > 0 && p.columns > 0 &&
                    p.k < kMost && p.block < kMost && p.columns < kMost && p.block * p.bits % 8 == 0;
  ValueId x = n.in(0), w = kNone, zero = kNone, real_zero = kNone;
  if (fits) {
    p.blocks = (p.k + p.block - 1) / p.block;
    const std::int64_t width = p.blocks * p.block;
    w = reinterpreted(n, n.in(1), p.packed, {p.columns, width});
    if (w != kNone && n.has(4)) {
      std::optional<std::vector<std::int64_t>> groups, order;
      if (const Constant* c = plain_constant(n, n.in(4))) groups = small_ints(*c, static_cast<std::size_t>(width));
      if (groups && std::ssize(*groups) >= p.k) {
        order = column_order(std::span(*groups).first(static_cast<std::size_t>(p.k)), p.block);
      }
      if (!order) {
        n.unsupported("MatMulNBits with a g_idx that is no constant, or whose blocks are not of block_size columns");
        return {};
      }
      w = ordered_columns(n, w, p.packed, p.columns, width, *order);
      x = n.emit("gather", {x, n.ints(*order)}, {{"axis", std::int64_t{-1}}});
    }
  }
  if (w != kNone && n.has(3)) {
    if (is_float(n.dtype(n.in(3)))) {
      real_zero = n.in(3);
    } else if (zero = packed_rows(n, n.in(3), p.packed, p.columns, p.blocks); zero == kNone) {
      w = kNone;
    }
  }
  if (w == kNone) {
    if (!n.failed()) n.unsupported("MatMulNBits with such weights");
    return {};
  }
  if (zero == kNone) {
    const unsigned char middle = p.bits == 2 ? 0xaa : p.bits == 4 ? 0x88 : 0x80;
    std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_of(p.packed, p.columns * p.blocks)), std::byte{middle});
    zero = packed_constant(n, p.packed, {p.columns, p.blocks}, std::move(bytes));
  }
  const ValueId each = n.ints({p.columns, p.blocks});
  const ValueId scales = n.emit("reshape", {n.in(2), each});
  ValueId weights =
      n.emit("dequantize_linear", {w, scales, zero}, {{"axis", std::int64_t{1}}, {"block_size", p.block}});
  if (p.k != p.blocks * p.block) weights = n.emit("slice", {weights, n.ints({0}), n.ints({p.k}), n.ints({1})});
  ValueId y = n.emit("matmul", {x, n.emit("transpose", {weights}, {{"perm", std::vector<std::int64_t>{1, 0}}})});
  if (real_zero != kNone) {
    const ValueId middle = n.scalar_like(std::ldexp(1.0, static_cast<int>(p.bits) - 1), real_zero);
    const ValueId less = n.emit("sub", {middle, n.emit("reshape", {real_zero, each})});
    y = n.emit("add", {y, product_of_sums(n, x, n.emit("mul", {less, scales}), p)});
  }
  if (n.has(5)) y = n.emit("add", {y, n.in(5)});
  n.output(0, y);
  return {};
}

}  // namespace mote::onnx
