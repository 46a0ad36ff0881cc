// The conversions, for the ISA of the including file.
#include "kernels/convert/convert.h"
#include "simd/words.h"

namespace mote::kernels::convert::MOTE_SIMD_NS {
namespace {

using namespace simd::MOTE_SIMD_NS;

template <class T>
constexpr bool kFloating = static_cast<T>(0.5f) != static_cast<T>(0);
template <class T>
constexpr bool kSigned = static_cast<T>(-1) < static_cast<T>(0);
struct Bool {
  std::uint8_t v;
};
template <class T>
constexpr bool kBool = false;
template <>
constexpr bool kBool<Bool> = true;

// The greatest value, and one beyond it as a float.
template <class T>
constexpr T highest() {
  return static_cast<T>(~std::uint64_t{0} >> (64 - 8 * static_cast<int>(sizeof(T)) + (kSigned<T> ? 1 : 0)));
}
template <class T>
constexpr T lowest() {
  return kSigned<T> ? static_cast<T>(static_cast<std::uint64_t>(1) << (8 * static_cast<int>(sizeof(T)) - 1)) : T(0);
}

template <class To, class From>
MOTE_INLINE To converted(From v) {
  if constexpr (kBool<From> && kBool<To>) {
    return v;
  } else if constexpr (kBool<From>) {
    return static_cast<To>(v.v != 0);
  } else if constexpr (kBool<To>) {
    return {static_cast<std::uint8_t>(v != static_cast<From>(0))};
  } else if constexpr (kFloating<From> && !kFloating<To>) {
    // `beyond` is a power of two; the float below it converts.
    constexpr From beyond = static_cast<From>(std::uint64_t{1} << (8 * static_cast<int>(sizeof(To)) - 1)) *
                            static_cast<From>(kSigned<To> ? 1 : 2);
    constexpr From low = static_cast<From>(lowest<To>());
    const From safe = v > low && v < beyond ? v : low;
    const To inside = static_cast<To>(safe);
    return v != v ? To(0) : v >= beyond ? highest<To>() : inside;
  } else if constexpr (kFloating<To> && !kFloating<From> && sizeof(From) == 8) {
    return static_cast<To>(static_cast<double>(v));
  } else {
    return static_cast<To>(v);
  }
}

template <class To, class From>
void run_pair(const std::byte* x, std::byte* y, std::int64_t n) {
  const From* from = reinterpret_cast<const From*>(x);
  To* to = reinterpret_cast<To*>(y);
  for (std::int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i]);
}

template <class F>
MOTE_INLINE void with_type(DType t, F f) {
  switch (t) {
    case DType::f32:
      return f(float());
    case DType::f64:
      return f(double());
    case DType::i8:
      return f(std::int8_t());
    case DType::i16:
      return f(std::int16_t());
    case DType::i32:
      return f(std::int32_t());
    case DType::i64:
      return f(std::int64_t());
    case DType::u8:
      return f(std::uint8_t());
    case DType::u16:
      return f(std::uint16_t());
    case DType::u32:
      return f(std::uint32_t());
    case DType::u64:
      return f(std::uint64_t());
    default:
      return f(Bool());
  }
}

MOTE_INLINE bool is_half(DType t) { return t == DType::f16 || t == DType::bf16; }

MOTE_INLINE void widen(DType t, const std::byte* x, float* y, std::int64_t n) {
  auto from = reinterpret_cast<const std::uint16_t*>(x);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    if (m == kLanes) {
      store(y + i, t == DType::f16 ? load_f16(from + i) : load_bf16(from + i));
    } else {
      store_n(y + i, t == DType::f16 ? load_f16_n(from + i, m) : load_bf16_n(from + i, m), m);
    }
  }
}
MOTE_INLINE void narrow(DType t, const float* x, std::byte* y, std::int64_t n) {
  auto to = reinterpret_cast<std::uint16_t*>(y);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    F32 v = load_n(x + i, m);
    if (m == kLanes) {
      t == DType::f16 ? store_f16(to + i, v) : store_bf16(to + i, v);
    } else {
      t == DType::f16 ? store_f16_n(to + i, v, m) : store_bf16_n(to + i, v, m);
    }
  }
}

void run_native(DType from, DType to, const std::byte* x, std::byte* y, std::int64_t n) {
  with_type(from, [&](auto f) { with_type(to, [&](auto t) { run_pair<decltype(t), decltype(f)>(x, y, n); }); });
}

// A block of f32 between the two where one side has 16 bits.
void cast_block(const CastParams& p, std::int64_t at, std::int64_t n) {
  alignas(64) float wide[512];
  std::byte* block = reinterpret_cast<std::byte*>(wide);
  const std::byte* x = p.x + at * p.from_bytes;
  std::byte* y = p.y + at * p.to_bytes;
  if (is_half(p.from)) {
    if (p.to == DType::f32) return widen(p.from, x, reinterpret_cast<float*>(y), n);
    widen(p.from, x, wide, n);
    x = block;
  } else if (p.from == DType::f32) {
    return narrow(p.to, reinterpret_cast<const float*>(x), y, n);
  } else {
    run_native(p.from, DType::f32, x, block, n);
  }
  is_half(p.to) ? narrow(p.to, wide, y, n) : run_native(DType::f32, p.to, x, y, n);
}

template <class Q>
MOTE_INLINE I32 load_q(const Q* p, int n) {
  if constexpr (sizeof(Q) == 1) {
    if constexpr (kSigned<Q>) {
      return n == kLanes ? load_i8(p) : load_i8_n(p, n);
    } else {
      return n == kLanes ? load_u8(p) : load_u8_n(p, n);
    }
  } else {
    Q part[kLanes] = {};
    if (n < kLanes) {
      for (int i = 0; i < n; ++i) part[i] = p[i];
      p = part;
    }
    if constexpr (kSigned<Q>) {
      return load_i16(p);
    } else {
      return load_u16(p);
    }
  }
}
template <class Q>
MOTE_INLINE void store_q(Q* p, I32 v, int n) {
  if constexpr (sizeof(Q) == 1) {
    if constexpr (kSigned<Q>) {
      n == kLanes ? store_i8(p, v) : store_i8_n(p, v, n);
    } else {
      n == kLanes ? store_u8(p, v) : store_u8_n(p, v, n);
    }
  } else {
    if (n == kLanes) return store_16(p, v);
    Q part[kLanes];
    store_16(part, v);
    for (int i = 0; i < n; ++i) p[i] = part[i];
  }
}

template <class Q>
MOTE_INLINE I32 quantized(F32 x, F32 scale, F32 zero, bool away) {
  F32 q = x / scale;
  // The greatest value below a half, so that what lies just under one is not taken up by the sum.
  q = away ? trunc(q + copysign(set(0x1.fffffep-2f), q)) : round_even(q);
  F32 v = min(max(q, set(static_cast<float>(lowest<Q>())) - zero), set(static_cast<float>(highest<Q>())) - zero);
  return to_i32(select(is_nan(q), zero - zero, v + zero));
}

// A masked store is many times the price of a whole one on some CPUs.
MOTE_INLINE F32 load_part(const float* p, int n) { return n == kLanes ? load(p) : load_n(p, n); }
MOTE_INLINE void store_part(float* p, F32 v, int n) { n == kLanes ? store(p, v) : store_n(p, v, n); }

// Calls f(first element, how many, channel, step of the channel) for runs of [begin, end) under one scale, or, where
// channels are innermost, along them.
template <class F>
MOTE_INLINE void each_run(const ScaleParams& p, std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t e = begin; e < end;) {
    std::int64_t run = p.channels == 1 ? end - begin : p.length == 1 ? p.channels : p.length;
    std::int64_t at = p.channels == 1 ? 0 : e % run, n = run - at < end - e ? run - at : end - e;
    std::int64_t channel = p.channels == 1 ? 0 : p.length == 1 ? at : e / p.length % p.channels;
    f(e, n, channel, p.channels > 1 && p.length == 1);
    e += n;
  }
}

template <class Q>
void quantize_as(const ScaleParams& p, std::int64_t begin, std::int64_t end) {
  const float* x = reinterpret_cast<const float*>(p.x);
  const Q* zeros = reinterpret_cast<const Q*>(p.zero);
  Q* y = reinterpret_cast<Q*>(p.y);
  each_run(p, begin, end, [&](std::int64_t e, std::int64_t n, std::int64_t c, bool along) {
    F32 scale = set(p.scale[c]), zero = set(zeros ? static_cast<float>(zeros[c]) : 0.0f);
    for (std::int64_t i = 0; i < n; i += kLanes) {
      int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      if (along) {
        scale = load_part(p.scale + c + i, m);
        if (zeros) zero = to_f32(load_q(zeros + c + i, m));
      }
      store_q(y + e + i, quantized<Q>(load_part(x + e + i, m), scale, zero, p.away), m);
    }
  });
}

template <class Q>
void dequantize_as(const ScaleParams& p, std::int64_t begin, std::int64_t end) {
  const Q* x = reinterpret_cast<const Q*>(p.x);
  const Q* zeros = reinterpret_cast<const Q*>(p.zero);
  float* y = reinterpret_cast<float*>(p.y);
  each_run(p, begin, end, [&](std::int64_t e, std::int64_t n, std::int64_t c, bool along) {
    F32 scale = set(p.scale[c]), zero = set(zeros ? static_cast<float>(zeros[c]) : 0.0f);
    for (std::int64_t i = 0; i < n; i += kLanes) {
      int m = static_cast<int>(n - i < kLanes ? n - i : kLanes);
      if (along) {
        scale = load_part(p.scale + c + i, m);
        if (zeros) zero = to_f32(load_q(zeros + c + i, m));
      }
      store_part(y + e + i, (to_f32(load_q(x + e + i, m)) - zero) * scale, m);
    }
  });
}

// i32 does not fit f32: rounded once, from double.
void dequantize_wide(const ScaleParams& p, std::int64_t begin, std::int64_t end) {
  auto x = reinterpret_cast<const std::int32_t*>(p.x);
  auto zeros = reinterpret_cast<const std::int32_t*>(p.zero);
  float* y = reinterpret_cast<float*>(p.y);
  for (std::int64_t e = begin; e < end; ++e) {
    std::int64_t c = e / p.length % p.channels;
    double zero = zeros ? static_cast<double>(zeros[c]) : 0;
    y[e] = static_cast<float>((static_cast<double>(x[e]) - zero) * static_cast<double>(p.scale[c]));
  }
}

}  // namespace

// NOLINTBEGIN(misc-definitions-in-headers): one namespace per including file
void cast(const CastParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * kTile, end = range.end * kTile < p.count ? range.end * kTile : p.count;
  if (!is_half(p.from) && !is_half(p.to)) {
    if (begin < end) run_native(p.from, p.to, p.x + begin * p.from_bytes, p.y + begin * p.to_bytes, end - begin);
    return;
  }
  for (std::int64_t at = begin; at < end; at += 512) cast_block(p, at, end - at < 512 ? end - at : 512);
}

void quantize(const ScaleParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * kTile, end = range.end * kTile < p.count ? range.end * kTile : p.count;
  if (p.dtype == DType::u8) return quantize_as<std::uint8_t>(p, begin, end);
  if (p.dtype == DType::i8) return quantize_as<std::int8_t>(p, begin, end);
  if (p.dtype == DType::u16) return quantize_as<std::uint16_t>(p, begin, end);
  quantize_as<std::int16_t>(p, begin, end);
}

void dequantize(const ScaleParams& p, TileRange range) noexcept {
  std::int64_t begin = range.begin * kTile, end = range.end * kTile < p.count ? range.end * kTile : p.count;
  if (p.dtype == DType::u8) return dequantize_as<std::uint8_t>(p, begin, end);
  if (p.dtype == DType::i8) return dequantize_as<std::int8_t>(p, begin, end);
  if (p.dtype == DType::u16) return dequantize_as<std::uint16_t>(p, begin, end);
  if (p.dtype == DType::i16) return dequantize_as<std::int16_t>(p, begin, end);
  dequantize_wide(p, begin, end);
}

// NaN is neither least nor greatest.
void range(const DynamicParams& p, TileRange tiles) noexcept {
  for (std::int64_t t = tiles.begin; t < tiles.end; ++t) {
    std::int64_t i = t * kTile, end = i + kTile < p.count ? i + kTile : p.count;
    F32 low[2] = {set(0.0f), set(0.0f)}, high[2] = {low[0], low[0]};
    auto take = [&](int r, F32 v) {
      low[r] = min(v, low[r]);
      high[r] = max(v, high[r]);
    };
    for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
      take(0, load(p.x + i));
      take(1, load(p.x + i + kLanes));
    }
    for (; i < end; i += kLanes) take(0, load_n(p.x + i, static_cast<int>(end - i < kLanes ? end - i : kLanes)));
    float lows[kLanes], highs[kLanes];
    store(lows, min(low[0], low[1]));
    store(highs, max(high[0], high[1]));
    for (int l = 1; l < kLanes; ++l) {
      lows[0] = lows[l] < lows[0] ? lows[l] : lows[0];
      highs[0] = highs[l] > highs[0] ? highs[l] : highs[0];
    }
    p.partial[2 * t] = lows[0];
    p.partial[2 * t + 1] = highs[0];
  }
}
// NOLINTEND(misc-definitions-in-headers)

}  // namespace mote::kernels::convert::MOTE_SIMD_NS
