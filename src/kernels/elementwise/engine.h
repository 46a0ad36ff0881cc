// Runs a program block by block: fetches each operand's block (in place where it can), applies the ops one after
// another to the whole block, stores the result. ISA-neutral; Ops says what the ops are:
//   using T                                                     the compute type, or one that has all its values
//   unary(op, x, a, b, out, n)   binary(op, x, y, out, n)       on views (below)
//   constant(type, a)                                           an immediate, where it is not a T
//   narrow(type, values, n)                                     results back to the compute type, where T is wider
#pragma once

#include <type_traits>

#include "base/half.h"
#include "kernels/compact.h"
#include "kernels/elementwise/block.h"
#include "kernels/elementwise/elementwise.h"
#include "simd/vec.h"

namespace mote::kernels::elementwise::MOTE_SIMD_NS {

using namespace simd::MOTE_SIMD_NS;  // NOLINT(google-build-using-namespace)

// n values, or one value n times.
template <class T>
struct View {
  const T* p;
  bool splat;
  MOTE_INLINE T at(std::int64_t i) const { return p[splat ? 0 : i]; }
};

template <class To, class From>
MOTE_INLINE void convert_run(const void* base, std::int64_t at, std::int64_t stride, std::int64_t n, To* out) {
  auto p = static_cast<const From*>(base) + at;
  if (stride == 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<To>(p[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<To>(p[i * stride]);
  }
}

// f16 and bf16, four bytes at a time.
template <bool kBf16>
MOTE_INLINE void widen_run(const void* base, std::int64_t at, std::int64_t stride, std::int64_t n, float* out) {
  auto p = static_cast<const std::uint16_t*>(base) + at;
  if (stride != 1) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = kBf16 ? bf16_to_f32(p[i * stride]) : f16_to_f32(p[i * stride]);
    return;
  }
  for (std::int64_t i = 0; i < n; i += kLanes) {
    int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    store_n(out + i, kBf16 ? load_bf16_n(p + i, m) : load_f16_n(p + i, m), m);
  }
}

// Integers of any type, as i64 or u64.
template <class T>
void load_integers(DType t, const void* base, std::int64_t at, std::int64_t stride, std::int64_t n, T* out) {
  switch (t) {
    case DType::i8:
      return convert_run<T, std::int8_t>(base, at, stride, n, out);
    case DType::i16:
      return convert_run<T, std::int16_t>(base, at, stride, n, out);
    case DType::i32:
      return convert_run<T, std::int32_t>(base, at, stride, n, out);
    case DType::u16:
      return convert_run<T, std::uint16_t>(base, at, stride, n, out);
    case DType::u32:
      return convert_run<T, std::uint32_t>(base, at, stride, n, out);
    case DType::i64:
    case DType::u64:
      return convert_run<T, T>(base, at, stride, n, out);
    default:
      return convert_run<T, std::uint8_t>(base, at, stride, n, out);
  }
}
template <class T>
inline constexpr bool kAnyInteger = kCompact && sizeof(T) == 8 && static_cast<T>(0.5f) == 0;

template <class T>
void load_run(DType t, const void* base, std::int64_t at, std::int64_t stride, std::int64_t n, T* out) {
  if constexpr (sizeof(T) == 4 && static_cast<T>(0.5f) != 0) {
    if (t == DType::f16) return widen_run<false>(base, at, stride, n, out);
    if (t == DType::bf16) return widen_run<true>(base, at, stride, n, out);
    if (t == DType::i8) return convert_run<T, std::int8_t>(base, at, stride, n, out);
    if (t == DType::u8) return convert_run<T, std::uint8_t>(base, at, stride, n, out);
  }
  if constexpr (kAnyInteger<T>) return load_integers(t, base, at, stride, n, out);
  if (t == DType::boolean) return convert_run<T, std::uint8_t>(base, at, stride, n, out);
  convert_run<T, T>(base, at, stride, n, out);
}

template <class T>
void store_run(DType t, const T* v, std::int64_t n, void* base, std::int64_t at, std::int64_t stride) {
  if (t == DType::boolean) {
    auto p = static_cast<std::uint8_t*>(base) + at;
    for (std::int64_t i = 0; i < n; ++i) p[i * stride] = v[i] != 0;
    return;
  }
  if constexpr (sizeof(T) == 4 && static_cast<T>(0.5f) != 0) {
    if (t == DType::f16 || t == DType::bf16) {
      auto p = static_cast<std::uint16_t*>(base) + at;
      for (std::int64_t i = 0; i < n; i += kLanes) {
        int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
        std::uint16_t h[kLanes];
        F32 x = load_n(v + i, m);
        t == DType::f16 ? store_f16(h, x) : store_bf16(h, x);
        for (int k = 0; k < m; ++k) p[(i + k) * stride] = h[k];
      }
      return;
    }
  }
  if constexpr (kAnyInteger<T>) {
    auto put = [&](auto* p) {
      for (std::int64_t i = 0; i < n; ++i) p[(at + i * stride)] = static_cast<std::remove_pointer_t<decltype(p)>>(v[i]);
    };
    if (bits_of(t) == 8) return put(static_cast<std::uint8_t*>(base));
    if (bits_of(t) == 16) return put(static_cast<std::uint16_t*>(base));
    if (bits_of(t) == 32) return put(static_cast<std::uint32_t*>(base));
  }
  auto p = static_cast<T*>(base) + at;
  for (std::int64_t i = 0; i < n; ++i) p[i * stride] = v[i];
}

// Where a row of the result lies in every operand. Moves from row to row without division.
struct Cursor {
  const Params& p;
  std::int64_t index[kMaxDims];
  std::int64_t in[kMaxInputs];
  std::int64_t out;

  MOTE_INLINE Cursor(const Params& params, std::int64_t row) : p(params), out(0) {
    for (int i = 0; i < p.inputs; ++i) in[i] = 0;
    for (int d = p.rank - 2; d >= 0; --d) {
      index[d] = row % p.dim[d];
      row /= p.dim[d];
      step(d, index[d]);
    }
  }
  MOTE_INLINE void step(int d, std::int64_t by) {
    for (int i = 0; i < p.inputs; ++i) in[i] += by * p.in[i].stride[d];
    out += by * p.out_stride[d];
  }
  MOTE_INLINE void next_row() {
    for (int d = p.rank - 2; d >= 0; --d) {
      step(d, 1);
      if (++index[d] < p.dim[d]) return;
      step(d, -p.dim[d]);
      index[d] = 0;
    }
  }
};

// Calls fn(offset of the row part in the operand, first element in the block, count) for the parts of elements [e, e +
// n).
template <class Fn>
MOTE_INLINE void each_part(const Params& p, const std::int64_t* stride, std::int64_t e, std::int64_t n, Fn fn) {
  const int last = p.rank - 1;
  const std::int64_t row = p.dim[last];
  std::int64_t index[kMaxDims], offset = 0, col = e % row, rest = e / row;
  for (int d = last - 1; d >= 0; --d) {
    index[d] = rest % p.dim[d];
    rest /= p.dim[d];
    offset += index[d] * stride[d];
  }
  for (std::int64_t done = 0; done < n;) {
    std::int64_t part = row - col < n - done ? row - col : n - done;
    fn(offset + col * stride[last], done, part);
    done += part;
    col = 0;
    for (int d = last - 1; d >= 0; --d) {
      offset += stride[d];
      if (++index[d] < p.dim[d]) break;
      offset -= p.dim[d] * stride[d];
      index[d] = 0;
    }
  }
}

template <class T>
struct Block {
  std::int64_t element, col;  // of the first one: in the result's order, and in its row
  std::int64_t n;
  const Cursor* cursor;  // null: the block may span rows
};

template <class T>
View<T> fetch(const Params& p, int i, const Block<T>& b, DType compute, T* buffer) {
  const Operand& o = p.in[i];
  const int last = p.rank - 1;
  const bool same = o.dtype == compute;
  const auto data = static_cast<const T*>(o.data);
  if (o.access == Access::kSplat) {
    load_run(o.dtype, o.data, 0, 1, 1, buffer);
    return {buffer, true};
  }
  if (o.access == Access::kLinear) {
    if (same) return {data + b.element, false};
    load_run(o.dtype, o.data, b.element, 1, b.n, buffer);
    return {buffer, false};
  }
  if (b.cursor) {
    const std::int64_t stride = o.stride[last], at = b.cursor->in[i] + b.col * stride;
    if (stride == 0) {
      load_run(o.dtype, o.data, at, 1, 1, buffer);
      return {buffer, true};
    }
    if (same && stride == 1) return {data + at, false};
    load_run(o.dtype, o.data, at, stride, b.n, buffer);
    return {buffer, false};
  }
  each_part(p, o.stride, b.element, b.n, [&](std::int64_t at, std::int64_t first, std::int64_t n) {
    load_run(o.dtype, o.data, at, o.stride[last], n, buffer + first);
  });
  return {buffer, false};
}

// Where the program may write its result at once, or null.
template <class T>
T* direct_out(const Params& p, const Block<T>& b, DType compute) {
  if (p.out_dtype != compute) return nullptr;
  if (p.out_access == Access::kLinear) return static_cast<T*>(p.out) + b.element;
  if (b.cursor && p.out_stride[p.rank - 1] == 1) return static_cast<T*>(p.out) + b.cursor->out + b.col;
  return nullptr;
}

template <class T>
void put(const Params& p, const Block<T>& b, const T* v) {
  const std::int64_t stride = p.out_stride[p.rank - 1];
  if (p.out_access == Access::kLinear) {
    store_run(p.out_dtype, v, b.n, p.out, b.element, 1);
  } else if (b.cursor) {
    store_run(p.out_dtype, v, b.n, p.out, b.cursor->out + b.col * stride, stride);
  } else {
    each_part(p, p.out_stride, b.element, b.n, [&](std::int64_t at, std::int64_t first, std::int64_t n) {
      store_run(p.out_dtype, v + first, n, p.out, at, stride);
    });
  }
}

// One op with its immediates: out = f(v, ...). `x` and `y` are its operands' views.
template <class Ops, class T>
MOTE_INLINE void apply_op(const EpilogueOp& op, T a, T b, View<T> v, View<T> x, View<T> y, T* out, std::int64_t n) {
  switch (op.form) {
    case Form::kUnary:
      return Ops::unary(static_cast<UnaryOp>(op.opcode), v, a, b, out, n);
    case Form::kBinary:
      return Ops::binary(static_cast<BinaryOp>(op.opcode), v, x, out, n);
    case Form::kReversed:
      return Ops::binary(static_cast<BinaryOp>(op.opcode), x, v, out, n);
    case Form::kSelect:
      for (std::int64_t i = 0; i < n; ++i) out[i] = x.at(i) != 0 ? v.at(i) : y.at(i);
      return;
  }
}

template <class Ops, class T>
void run_block(const Params& p, const Block<T>& b, DType compute, DType type, T* buffers) {
  View<T> in[kMaxInputs];
  for (int i = 0; i < p.inputs; ++i) in[i] = fetch(p, i, b, compute, buffers + (i + 1) * kBlock);
  T* const out = direct_out(p, b, compute);
  View<T> v = in[0];
  auto constant = [type](float a) {
    if constexpr (requires { Ops::constant(type, a); }) {
      return Ops::constant(type, a);
    } else {
      return static_cast<T>(a);
    }
  };
  T immediate = 0;
  auto operand = [&](std::int8_t index) -> View<T> {
    if (index == kImmediate) return {&immediate, true};
    return in[index == kStart ? 0 : index];
  };
  for (int k = 0; k < p.op_count; ++k) {
    const EpilogueOp& op = p.ops[k];
    immediate = constant(op.a);
    T* to = out && k == p.op_count - 1 ? out : buffers;
    apply_op<Ops>(op, immediate, constant(op.b), v, operand(op.operand), operand(op.operand2), to, b.n);
    if constexpr (requires { Ops::narrow(type, to, b.n); }) Ops::narrow(type, to, b.n);
    v = {to, false};
  }
  if (out && v.p == out) return;
  if (v.splat) {
    for (std::int64_t i = 0; i < b.n; ++i) buffers[i] = *v.p;
    v = {buffers, false};
  }
  put(p, b, v.p);
}

// `compute` is the type of Ops::T, `type` the compute type.
template <class Ops>
void run(const Params& p, TileRange range, DType compute, DType type) {
  using T = typename Ops::T;
  T* const buffers = reinterpret_cast<T*>(range.scratch);
  std::int64_t first = range.begin * p.tile_blocks, last = range.end * p.tile_blocks;
  if (last > p.blocks) last = p.blocks;
  if (first >= last) return;
  if (p.row_blocks == 0) {
    for (std::int64_t i = first; i < last; ++i) {
      std::int64_t e = i * kBlock, n = p.count - e < kBlock ? p.count - e : kBlock;
      run_block<Ops, T>(p, {e, 0, n, nullptr}, compute, type, buffers);
    }
    return;
  }
  const std::int64_t width = p.dim[p.rank - 1];
  std::int64_t row = first / p.row_blocks, part = first % p.row_blocks;
  Cursor cursor(p, row);
  for (std::int64_t i = first; i < last; ++i) {
    std::int64_t col = part * kBlock, n = width - col < kBlock ? width - col : kBlock;
    run_block<Ops, T>(p, {row * width + col, col, n, &cursor}, compute, type, buffers);
    if (++part == p.row_blocks) {
      part = 0;
      ++row;
      cursor.next_row();
    }
  }
}

}  // namespace mote::kernels::elementwise::MOTE_SIMD_NS
