// The f32 and f64 kernels of one ISA and its apply_epilogue. ISA-neutral; an ISA's file includes it and nothing more.
#pragma once

#include "kernels/compact.h"
#include "kernels/elementwise/engine.h"
#include "kernels/elementwise/float_ops.h"

namespace mote::kernels::elementwise::MOTE_SIMD_NS {

template <class V>
inline constexpr int kWidth = kLanes;
template <>
inline constexpr int kWidth<F64> = 1;

template <class V, class T>
MOTE_INLINE V load_part(const T* p, int n) {
  if constexpr (kIsF64<V>) {
    return load(p);
  } else {
    return n == kLanes ? load(p) : load_n(p, n);
  }
}
template <class V, class T>
MOTE_INLINE void store_part(T* p, V v, int n) {
  if constexpr (kIsF64<V>) {
    store(p, v);
  } else {
    n == kLanes ? store(p, v) : store_n(p, v, n);
  }
}

// Ops of so few instructions that the loop around them counts. A compact build has none.
constexpr bool cheap(BinaryOp op) {
  return !kCompact && op != BinaryOp::pow && op != BinaryOp::mod && op != BinaryOp::fmod;
}
constexpr bool cheap(UnaryOp op) {
  if (kCompact) return false;
  return op < UnaryOp::exp || op == UnaryOp::relu || op == UnaryOp::clip || op == UnaryOp::hard_sigmoid ||
         op == UnaryOp::hard_swish || op == UnaryOp::leaky_relu || op == UnaryOp::sigmoid || op == UnaryOp::silu;
}

// out[i] = fn(i, lanes) a register at a time. The code of fn is there twice if cheap, else once.
template <class V, bool kCheap, class T, class Fn>
MOTE_INLINE void map(T* out, std::int64_t n, Fn fn) {
  std::int64_t i = 0;
  if constexpr (kCheap) {
    for (; i + kWidth<V> <= n; i += kWidth<V>) store_part(out + i, fn(i, kWidth<V>), kWidth<V>);
  }
  for (; i < n; i += kWidth<V>) {
    int m = static_cast<int>(n - i < kWidth<V> ? n - i : kWidth<V>);
    store_part(out + i, fn(i, m), m);
  }
}

template <class V>
struct FloatOps {
  using T = std::conditional_t<kIsF64<V>, double, float>;

  template <UnaryOp Op>
  static void unary(const T* x, T a, T b, T* out, std::int64_t n) {
    const V va = number<V>(static_cast<double>(a)), vb = number<V>(static_cast<double>(b));
    map<V, cheap(Op)>(out, n, [&](std::int64_t i, int m) { return apply<Op>(load_part<V>(x + i, m), va, vb); });
  }
  static void unary(UnaryOp op, View<T> x, T a, T b, T* out, std::int64_t n) {
    if (x.splat) {
      T once;
      unary(op, {x.p, false}, a, b, &once, 1);
      for (std::int64_t i = 0; i < n; ++i) out[i] = once;
      return;
    }
    switch (op) {
#define MOTE_X(name)  \
  case UnaryOp::name: \
    return unary<UnaryOp::name>(x.p, a, b, out, n);
      MOTE_UNARY_OPS(MOTE_X)
#undef MOTE_X
    }
  }

  template <BinaryOp Op>
  static void binary(View<T> x, View<T> y, T* out, std::int64_t n) {
    if constexpr (!cheap(Op)) {
      const V vx = number<V>(static_cast<double>(*x.p)), vy = number<V>(static_cast<double>(*y.p));
      return map<V, false>(out, n, [&](std::int64_t i, int m) {
        return apply<Op>(x.splat ? vx : load_part<V>(x.p + i, m), y.splat ? vy : load_part<V>(y.p + i, m));
      });
    }
    if (x.splat && y.splat) {  // one value, then copies of it
      T once;
      binary<Op>({x.p, false}, {y.p, false}, &once, 1);
      for (std::int64_t i = 0; i < n; ++i) out[i] = once;
    } else if (x.splat) {
      const V vx = number<V>(static_cast<double>(*x.p));
      map<V, true>(out, n, [&](std::int64_t i, int m) { return apply<Op>(vx, load_part<V>(y.p + i, m)); });
    } else if (y.splat) {
      const V vy = number<V>(static_cast<double>(*y.p));
      map<V, true>(out, n, [&](std::int64_t i, int m) { return apply<Op>(load_part<V>(x.p + i, m), vy); });
    } else {
      map<V, true>(
          out, n, [&](std::int64_t i, int m) { return apply<Op>(load_part<V>(x.p + i, m), load_part<V>(y.p + i, m)); });
    }
  }
  static void binary(BinaryOp op, View<T> x, View<T> y, T* out, std::int64_t n) {
    switch (op) {
#define MOTE_X(name)   \
  case BinaryOp::name: \
    return binary<BinaryOp::name>(x, y, out, n);
      MOTE_BINARY_OPS(MOTE_X)
#undef MOTE_X
    }
  }
};

void run_f32(const Params& p, TileRange range) noexcept { run<FloatOps<F32>>(p, range, DType::f32, DType::f32); }

}  // namespace mote::kernels::elementwise::MOTE_SIMD_NS

namespace mote::kernels::MOTE_SIMD_NS {

// Whether the block and all that the program reads beside it lie row after row, so that it may be taken for one row.
MOTE_INLINE bool is_one_row(const Epilogue& program, const EpilogueBlock& b) {
  if (b.c_row != b.n || b.row_step != 1) return false;
  for (int k = 0; k < program.count; ++k) {
    for (std::int8_t index : {program.ops[k].operand, program.ops[k].operand2}) {
      if (index < 0) continue;
      const EpilogueOperand& o = program.operands[index];
      if (o.row_stride != b.n * o.col_stride) return false;
    }
  }
  return true;
}

void apply_epilogue(const Epilogue& program, const EpilogueBlock& block) noexcept {
  namespace e = elementwise::MOTE_SIMD_NS;
  constexpr std::int64_t kPart = 512;
  float start[kPart];
  bool keep = false;
  for (int k = 0; k < program.count; ++k) {
    keep = keep || program.ops[k].operand == kStart || program.ops[k].operand2 == kStart;
  }
  const bool one = is_one_row(program, block);
  const std::int64_t rows = one ? 1 : block.rows, n = one ? block.rows * block.n : block.n;
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = block.row + r * block.row_step;
    for (std::int64_t done = 0; done < n; done += kPart) {
      const std::int64_t m = n - done < kPart ? n - done : kPart;
      float* v = block.c + r * block.c_row + done;
      for (std::int64_t i = 0; keep && i < m; ++i) start[i] = v[i];
      for (int k = 0; k < program.count; ++k) {
        const EpilogueOp& op = program.ops[k];
        auto operand = [&](std::int8_t index) -> e::View<float> {
          if (index == kImmediate) return {&op.a, true};
          if (index == kStart) return {start, false};
          const EpilogueOperand& o = program.operands[index];
          return {o.data + row * o.row_stride + (block.col + done) * o.col_stride, o.col_stride == 0};
        };
        e::apply_op<e::FloatOps<e::F32>, float>(op, op.a, op.b, {v, false}, operand(op.operand), operand(op.operand2),
                                                v, m);
      }
    }
  }
}

}  // namespace mote::kernels::MOTE_SIMD_NS
