#include "simd/vec.h"
#include "simd/vec_cases.h"

namespace mote::simd::MOTE_SIMD_NS {

// All cases, each over kCount values a register at a time; the last register is partial (n lanes).
struct Runner {
  VecCases* t;

  template <class Fn>
  void each(const char* name, Fn fn) {
    std::uint32_t* out = t->out[t->used];
    t->name[t->used++] = name;
    for (int k = 0; k < VecCases::kCount; k += kLanes) {
      int n = VecCases::kCount - k < kLanes ? VecCases::kCount - k : kLanes;
      fn(k, n, reinterpret_cast<float*>(out) + k);
    }
  }
  template <class Fn>
  void floats(const char* name, Fn fn) {
    each(name, [&](int k, int n, float* out) {
      F32 r = fn(load_n(t->a + k, n), load_n(t->b + k, n), load_n(t->c + k, n));
      store_n(out, r, n);
    });
  }
  template <class Fn>
  void ints(const char* name, Fn fn) {
    each(name,
         [&](int k, int n, float* out) { store_n(out, as_f32(fn(load_n(t->i + k, n), load_n(t->j + k, n))), n); });
  }
  template <class Fn>
  void masks(const char* name, Fn fn) {
    floats(name, [&](F32 a, F32 b, F32) { return select(fn(a, b), set(1.0f), set(2.0f)); });
  }
};

inline void float_cases(Runner& r) {
  r.floats("add", [](F32 a, F32 b, F32) { return a + b; });
  r.floats("sub", [](F32 a, F32 b, F32) { return a - b; });
  r.floats("mul", [](F32 a, F32 b, F32) { return a * b; });
  r.floats("div", [](F32 a, F32 b, F32) { return a / b; });
  r.floats("sqrt", [](F32 a, F32, F32) { return sqrt(a); });
  r.floats("min", [](F32 a, F32 b, F32) { return min(a, b); });
  r.floats("max", [](F32 a, F32 b, F32) { return max(a, b); });
  r.floats("min_nan", [](F32 a, F32 b, F32) { return min_nan(a, b); });
  r.floats("max_nan", [](F32 a, F32 b, F32) { return max_nan(a, b); });
  r.floats("fma", [](F32 a, F32 b, F32 c) { return fma(a, b, c); });
  r.floats("fnma", [](F32 a, F32 b, F32 c) { return fnma(a, b, c); });
  r.floats("round_even", [](F32 a, F32, F32) { return round_even(a); });
  r.floats("floor", [](F32 a, F32, F32) { return floor(a); });
  r.floats("ceil", [](F32 a, F32, F32) { return ceil(a); });
  r.floats("trunc", [](F32 a, F32, F32) { return trunc(a); });
  r.floats("abs", [](F32 a, F32, F32) { return abs(a); });
  r.floats("neg", [](F32 a, F32, F32) { return neg(a); });
  r.floats("copysign", [](F32 a, F32 b, F32) { return copysign(a, b); });
  r.masks("less", [](F32 a, F32 b) { return a < b; });
  r.masks("less_equal", [](F32 a, F32 b) { return a <= b; });
  r.masks("equal", [](F32 a, F32 b) { return a == b; });
  r.masks("not_equal", [](F32 a, F32 b) { return a != b; });
  r.masks("and", [](F32 a, F32 b) { return (a < b) & (b < set(1.0f)); });
  r.masks("or", [](F32 a, F32 b) { return (a < b) | !(b < set(1.0f)); });
  r.floats("to_i32_sat", [](F32 a, F32, F32) { return as_f32(to_i32_sat(a)); });
  r.floats("to_i32", [](F32 a, F32, F32) { return as_f32(to_i32(max(min(a, set(1e9f)), set(-1e9f)))); });
}

inline void int_cases(Runner& r) {
  r.ints("iadd", [](I32 a, I32 b) { return a + b; });
  r.ints("isub", [](I32 a, I32 b) { return a - b; });
  r.ints("imul", [](I32 a, I32 b) { return a * b; });
  r.ints("iand", [](I32 a, I32 b) { return a & b; });
  r.ints("ior", [](I32 a, I32 b) { return a | b; });
  r.ints("ixor", [](I32 a, I32 b) { return a ^ b; });
  r.ints("imin", [](I32 a, I32 b) { return min(a, b); });
  r.ints("imax", [](I32 a, I32 b) { return max(a, b); });
  r.ints("shl", [](I32 a, I32) { return shl<5>(a); });
  r.ints("shr", [](I32 a, I32) { return shr<5>(a); });
  r.ints("sar", [](I32 a, I32) { return sar<5>(a); });
  r.ints("igreater", [](I32 a, I32 b) { return select(a > b, a, b); });
  r.ints("iequal", [](I32 a, I32 b) { return select(a == b, set_i32(1), set_i32(0)); });
  r.ints("to_f32", [](I32 a, I32) { return as_i32(to_f32(a)); });
}

inline void memory_cases(Runner& r) {
  VecCases* t = r.t;
  r.each("load_f16", [&](int k, int n, float* out) {
    store_n(out, n == kLanes ? load_f16(t->h + k) : load_f16_n(t->h + k, n), n);
  });
  r.each("load_f16_n", [&](int k, int n, float* out) { store_n(out, load_f16_n(t->h + k, n), n); });
  r.each("load_bf16_n", [&](int k, int n, float* out) { store_n(out, load_bf16_n(t->h + k, n), n); });
  r.each("load_bf16", [&](int k, int n, float* out) {
    store_n(out, n == kLanes ? load_bf16(t->h + k) : load_bf16_n(t->h + k, n), n);
  });
  r.each("load_i8", [&](int k, int n, float* out) {
    store_n(out, as_f32(load_i8_n(reinterpret_cast<const std::int8_t*>(t->bytes) + k, n)), n);
  });
  r.each("load_u8", [&](int k, int n, float* out) { store_n(out, as_f32(load_u8_n(t->bytes + k, n)), n); });
  r.each("gather", [&](int k, int n, float* out) { store_n(out, gather(t->a, load_n(t->j + k, n) & set_i32(31)), n); });
  // Result k of kCount: element (k % kLanes, k / kLanes) of a square of values, which every register width gives its
  // own.
  r.each("transpose", [&](int k, int n, float* out) {
    F32 rows[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      float line[kLanes];
      for (int j = 0; j < kLanes; ++j) line[j] = static_cast<float>(100 * i + j);
      rows[i] = load(line);
    }
    transpose(rows);
    bool right = true;
    for (int i = 0; i < kLanes; ++i) {
      float line[kLanes];
      store(line, rows[i]);
      for (int j = 0; j < kLanes; ++j) right = right && line[j] == static_cast<float>(100 * j + i);
    }
    for (int l = 0; l < n; ++l) out[l] = right ? static_cast<float>(k + l) : -1;
  });
  // Stores of fewer lanes than a register must leave the rest alone: 0xee.
  r.each("store_f16", [&](int k, int n, float* out) {
    std::uint16_t h[2 * kLanes];
    for (auto& v : h) v = 0xeeee;
    store_f16_n(h, load_n(t->a + k, n), n - 1);
    for (int l = 0; l < n; ++l) out[l] = static_cast<float>(h[l]);
    store_f16(h, load(t->b));
    out[0] += static_cast<float>(h[1]);
  });
  r.each("store_bf16", [&](int k, int n, float* out) {
    std::uint16_t h[2 * kLanes];
    for (auto& v : h) v = 0xeeee;
    store_bf16_n(h, load_n(t->a + k, n), n - 1);
    for (int l = 0; l < n; ++l) out[l] = static_cast<float>(h[l]);
    store_bf16(h, load(t->b));
    out[0] += static_cast<float>(h[1]);
  });
  r.each("store_i8", [&](int k, int n, float* out) {
    std::int8_t v[2 * kLanes];
    for (auto& x : v) x = -2;
    store_i8_n(v, load_n(t->i + k, n), n - 1);
    for (int l = 0; l < n; ++l) out[l] = v[l];
    store_i8(v, load(t->j));
    out[0] += v[1];
  });
  r.each("store_u8", [&](int k, int n, float* out) {
    std::uint8_t v[2 * kLanes];
    for (auto& x : v) x = 254;
    store_u8_n(v, load_n(t->i + k, n), n - 1);
    for (int l = 0; l < n; ++l) out[l] = v[l];
    store_u8(v, load(t->j));
    out[0] += v[1];
  });
}

// 16-lane folds: one result per 16 values.
inline void fold_cases(Runner& r) {
  VecCases* t = r.t;
  std::uint32_t* out = t->out[t->used];
  t->name[t->used++] = "fold16";
  for (int k = 0; k < VecCases::kCount; ++k) {
    float sum = fold16(load16(t->c + k % 32), [](F32 a, F32 b) { return a + b; });
    float difference = fold16(load16(t->c + k % 32), [](F32 a, F32 b) { return a - b; });  // tells the order
    std::memcpy(&out[k], (k & 1) != 0 ? &sum : &difference, 4);
  }
}

void run_cases(VecCases* cases) {
  Runner r{cases};
  float_cases(r);
  int_cases(r);
  memory_cases(r);
  fold_cases(r);
}

}  // namespace mote::simd::MOTE_SIMD_NS
