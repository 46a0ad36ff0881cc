#include "backends/cpu/block_weights.h"

#include <bit>
#include <cstring>
#include <memory>

#include "base/checked.h"
#include "ops/element.h"

namespace mote::cpu {
namespace {

namespace kd = kernels::dot;
using i64 = std::int64_t;

std::optional<kd::Store> store_of(DType t) {
  switch (t) {
    case DType::u8:
    case DType::i8:
      return kd::Store::kU8;
    case DType::u4:
    case DType::i4:
      return kd::Store::kU4;
    case DType::u2:
    case DType::i2:
      return kd::Store::kU2;
    default:
      return std::nullopt;
  }
}

bool is_signed(DType t) { return t == DType::i8 || t == DType::i4 || t == DType::i2; }

// What makes unsigned integers of a signed type's.
i64 shift_of(DType t) { return is_signed(t) ? i64{1} << (bits_of(t) - 1) : 0; }

// Element (column, k) of a matrix [n, depth], or [depth, n].
struct Integers final : kd::PackIntegers {
  TensorView view;
  i64 column_stride, k_stride, shift;

  Integers(const TensorView& v, int k_axis)
      : view(v), column_stride(v.strides[1 - k_axis]), k_stride(v.strides[k_axis]), shift(shift_of(v.dtype)) {}
  unsigned at(i64 j, i64 k) const override {
    return static_cast<unsigned>(load_i64(view, j * column_stride + k * k_stride) + shift);
  }
};

// Words as they are stored, of columns whose depth is whole words.
void pack_rows(const Integers& from, kd::Store store, i64 k, i64 n, std::byte* out) {
  const i64 row = from.column_stride * kd::bits_of(store) / 8,
            words = (k + kd::per_word(store) - 1) / kd::per_word(store);
  const std::uint32_t flip = from.shift == 0           ? 0
                             : store == kd::Store::kU8 ? 0x80808080u
                             : store == kd::Store::kU4 ? 0x88888888u
                                                       : 0xaaaaaaaau;
  for (i64 col = 0; col < n; col += kd::kPanel) {
    for (i64 w = 0; w < words; ++w) {
      for (i64 j = col; j < col + kd::kPanel; ++j, out += 4) {
        if (j >= n) continue;
        std::uint32_t word;
        std::memcpy(&word, from.view.data + j * row + w * 4, sizeof word);
        word ^= flip;
        std::memcpy(out, &word, sizeof word);
      }
    }
  }
}

Packing pack_integers(kd::Store store, i64 k, i64 n, int k_axis) {
  Packing p;
  p.operand = kBlockWeights;
  p.name = k_axis == 1 ? "dot.blocks.nk" : "dot.blocks.kn";
  p.name += "." + std::to_string(k);
  p.bytes = static_cast<std::size_t>(kd::packed_bytes(store, k, n));
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    const Integers from(plain, k_axis);
    const bool whole_words =
        std::endian::native == std::endian::little && k_axis == 1 && plain.dims[1] % kd::per_word(store) == 0;
    if (whole_words) return pack_rows(from, store, k, n, out.data());
    kd::pack_integers(store, from, k, n, out.data());
  };
  return p;
}

// Scales or zero points, [n, blocks] or [blocks, n], in panels of 16 columns.
template <class T, class Load>
Packing pack_params(int operand, i64 blocks, i64 n, int k_axis, Load load) {
  Packing p;
  p.operand = operand;
  p.name = (k_axis == 1 ? "dot.params.nk." : "dot.params.kn.") + std::to_string(blocks);
  p.bytes = static_cast<std::size_t>(kd::panels_of(n) * kd::kPanel * blocks) * sizeof(T);
  p.pack = [=](const TensorView& plain, std::span<std::byte> out) {
    std::byte* to = out.data();
    for (i64 col = 0; col < n; col += kd::kPanel) {
      for (i64 b = 0; b < blocks; ++b) {
        for (i64 j = col; j < col + kd::kPanel; ++j, to += sizeof(T)) {
          if (j >= n) continue;
          const T value = load(plain, j * plain.strides[1 - k_axis] + b * plain.strides[k_axis]);
          std::memcpy(to, &value, sizeof value);
        }
      }
    }
  };
  return p;
}

// The one zero point of all blocks.
std::optional<i64> one_zero(const Constant& c) {
  if (c.encoding == Encoding::kStrings || !c.transforms.empty()) return std::nullopt;
  const std::optional<i64> stored = element_count(c.stored_shape);
  const i64 count = c.encoding == Encoding::kFill ? 1 : stored.value_or(0);
  if (count < 1 || static_cast<i64>(c.stored().size()) < bytes_of(c.stored_dtype, count)) return std::nullopt;
  const TensorView v =
      TensorView::of(const_cast<std::byte*>(c.stored().data()), c.stored_dtype, std::vector<i64>{count});
  const i64 first = load_i64(v, 0);
  for (i64 i = 1; i < count; ++i) {
    if (load_i64(v, i) != first) return std::nullopt;
  }
  return first;
}

}  // namespace

std::optional<BlockWeights> pack_blocks(const NodeView& n) {
  const Constant *w = n.constant(kBlockWeights), *scales = n.constant(kBlockScales), *zeros = n.constant(kBlockZeros);
  if (!w || !scales || (n.has(kBlockZeros) && !zeros) || !n.type(0).has_rank()) return std::nullopt;
  if (!w->type.is_static() || !scales->type.is_static() || scales->type.dtype != DType::f32) return std::nullopt;
  const std::optional<kd::Store> store = store_of(w->type.dtype);
  const int k_axis = static_cast<int>(n.attr_int("k_axis"));
  const Shape& shape = *w->type.shape;
  const Dim& depth = n.type(0).shape->back();
  if (!store || w->type.rank() != 2 || !depth.is_const()) return std::nullopt;
  BlockWeights b{.store = *store,
                 .k = depth.value(),
                 .n = shape[static_cast<std::size_t>(1 - k_axis)].value(),
                 .block = n.attr_int("block_size")};
  const bool words = b.block >= b.k || b.block % kd::per_word(*store) == 0;
  if (!words || b.k < 1 || b.n < 1 || b.k > shape[static_cast<std::size_t>(k_axis)].value()) return std::nullopt;
  const i64 blocks = kd::blocks_of(b.k, b.block), shift = shift_of(w->type.dtype);
  b.packings.push_back(pack_integers(*store, b.k, b.n, k_axis));
  b.packings.push_back(pack_params<float>(kBlockScales, blocks, b.n, k_axis,
                                          [](const TensorView& v, i64 i) { return v.as<float>()[i]; }));
  const std::optional<i64> zero = zeros ? one_zero(*zeros) : std::optional<i64>(0);
  b.has_zeros = !zero;
  if (zero) {
    b.zero = static_cast<float>(*zero + shift);
  } else {
    b.packings.push_back(pack_params<std::uint8_t>(
        kBlockZeros, blocks, b.n, k_axis,
        [shift](const TensorView& v, i64 i) { return static_cast<std::uint8_t>(load_i64(v, i) + shift); }));
  }
  return b;
}

}  // namespace mote::cpu
