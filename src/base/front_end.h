// The audio front end of TensorFlow Lite Micro, exact to the bit: a Fourier transform in fixed point, roots, noise
// reduction, gain control and logarithms. Integers wrap where the fixed-point recipes do.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

namespace mote::front_end {

// By how many bits samples whose greatest magnitude is `most` can be shifted up in 16 bits.
inline std::int32_t headroom(std::int32_t most) {
  return std::max(0, 15 - static_cast<std::int32_t>(std::bit_width(static_cast<std::uint32_t>(most))));
}

// The Fourier transform of real numbers: one of half the length over pairs, radix 4 and then 2; every butterfly divides
// by its radix first. T: i16, i32 or f32; W holds a product. `go_on` is asked with the work that comes next, and where
// it says no the rest stays undone.

struct Unpaced {
  bool operator()(std::int64_t) const { return true; }
};

template <class T, class W, class GoOn = Unpaced>
struct Fft {
  struct Complex {
    T r, i;
  };
  static constexpr std::int64_t kTurn = 16;  // the work of a sine and a cosine
  static constexpr bool kFloat = std::is_floating_point_v<T>;
  static constexpr int kBits = static_cast<int>(sizeof(T)) * 8 - 1;
  static constexpr double kOne = kFloat ? 1.0 : static_cast<double>(std::numeric_limits<T>::max());

  static T number(double v) { return kFloat ? static_cast<T>(v) : static_cast<T>(std::floor(0.5 + kOne * v)); }
  static Complex unit(double phase) { return {number(std::cos(phase)), number(std::sin(phase))}; }
  static T rounded(W v) {
    if constexpr (kFloat)
      return v;
    else
      return static_cast<T>((v + (W{1} << (kBits - 1))) >> kBits);
  }
  static Complex add(Complex a, Complex b) { return {static_cast<T>(a.r + b.r), static_cast<T>(a.i + b.i)}; }
  static Complex sub(Complex a, Complex b) { return {static_cast<T>(a.r - b.r), static_cast<T>(a.i - b.i)}; }
  static Complex mul(Complex a, Complex b) {
    return {rounded(static_cast<W>(W{a.r} * b.r - W{a.i} * b.i)), rounded(static_cast<W>(W{a.r} * b.i + W{a.i} * b.r))};
  }
  static Complex part(Complex a, int radix) {
    if constexpr (kFloat)
      return a;
    else {
      W f = static_cast<W>(std::numeric_limits<T>::max() / radix);
      return {rounded(W{a.r} * f), rounded(W{a.i} * f)};
    }
  }
  static T half(T v) {
    if constexpr (kFloat)
      return v * T{0.5};
    else
      return static_cast<T>(v >> 1);
  }

  std::int64_t n;  // complex points
  bool inverse;
  std::vector<Complex> twiddles, super;
  GoOn go_on;

  Fft(std::int64_t points, bool inv, GoOn asked = {}) : n(points), inverse(inv), go_on(asked) {
    double sign = inv ? 1 : -1;
    for (std::int64_t i = 0; i < n && go_on(kTurn); ++i) {
      twiddles.push_back(unit(sign * 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n)));
    }
    for (std::int64_t i = 0; i < n / 2 && go_on(kTurn); ++i) {
      super.push_back(unit(sign * std::numbers::pi * (static_cast<double>(i + 1) / static_cast<double>(n) + 0.5)));
    }
    twiddles.resize(at(n));
    super.resize(at(n / 2));
  }

  void transform(const Complex* in, Complex* out, std::int64_t points, std::int64_t step) const {
    if (points == 1) {
      *out = *in;
      return;
    }
    std::int64_t radix = points % 4 == 0 ? 4 : 2, m = points / radix;
    for (std::int64_t k = 0; k < radix; ++k) transform(in + k * step, out + k * m, m, step * radix);
    for (std::int64_t k = 0; k < m && go_on(radix); ++k) {
      if (radix == 2) {
        Complex a = part(out[k], 2), b = mul(part(out[k + m], 2), twiddles[at(k * step)]);
        out[k + m] = sub(a, b);
        out[k] = add(a, b);
        continue;
      }
      Complex a = part(out[k], 4), b = mul(part(out[k + m], 4), twiddles[at(k * step)]),
              c = mul(part(out[k + 2 * m], 4), twiddles[at(2 * k * step)]),
              d = mul(part(out[k + 3 * m], 4), twiddles[at(3 * k * step)]);
      Complex minus = sub(a, c), plus = add(a, c), odd = add(b, d), turn = sub(b, d);
      out[k + 2 * m] = sub(plus, odd);
      out[k] = add(plus, odd);
      Complex up = {static_cast<T>(minus.r + turn.i), static_cast<T>(minus.i - turn.r)},
              down = {static_cast<T>(minus.r - turn.i), static_cast<T>(minus.i + turn.r)};
      out[k + m] = inverse ? down : up;
      out[k + 3 * m] = inverse ? up : down;
    }
  }

  // 2n real numbers -> n + 1 complex ones.
  void forward(const T* time, Complex* freq, Complex* work) const {
    transform(reinterpret_cast<const Complex*>(time), work, n, 1);
    Complex dc = part(work[0], 2);
    freq[0] = {static_cast<T>(dc.r + dc.i), T{0}};
    freq[n] = {static_cast<T>(dc.r - dc.i), T{0}};
    for (std::int64_t k = 1; k <= n / 2 && go_on(2); ++k) {
      Complex a = part(work[k], 2), b = part({work[n - k].r, static_cast<T>(-work[n - k].i)}, 2);
      Complex even = add(a, b), odd = mul(sub(a, b), super[at(k - 1)]);
      freq[k] = {half(static_cast<T>(even.r + odd.r)), half(static_cast<T>(even.i + odd.i))};
      freq[n - k] = {half(static_cast<T>(even.r - odd.r)), half(static_cast<T>(odd.i - even.i))};
    }
  }

  void backward(const Complex* freq, T* time, Complex* work) const {
    work[0] = part({static_cast<T>(freq[0].r + freq[n].r), static_cast<T>(freq[0].r - freq[n].r)}, 2);
    for (std::int64_t k = 1; k <= n / 2 && go_on(2); ++k) {
      Complex a = part(freq[k], 2), b = part({freq[n - k].r, static_cast<T>(-freq[n - k].i)}, 2);
      Complex even = add(a, b), odd = mul(sub(a, b), super[at(k - 1)]);
      work[k] = add(even, odd);
      work[n - k] = sub(even, odd);
      work[n - k].i = static_cast<T>(-work[n - k].i);
    }
    transform(work, reinterpret_cast<Complex*>(time), n, 1);
  }

  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
};

// The root of a sum of energies, to nearest.
inline std::uint32_t rounded_root(std::uint64_t v) {
  std::uint64_t r = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit != 0; bit >>= 1) {
    if ((r + bit) * (r + bit) <= v) r += bit;
  }
  std::uint64_t most = v >> 32 == 0 ? 0xffff : 0xffffffff;
  if (v - r * r > r && r != most) ++r;
  return static_cast<std::uint32_t>(r);
}

// Weights of a signal and of its noise estimate, in units of 2^-bits.
struct Smoothing {
  std::uint64_t share, rest, least;  // of the signal, of the estimate so far, the least share of the signal that stays
  std::int64_t up, bits;             // fraction bits of the estimate, of the weights
  bool clamps;                       // the estimate is at most the signal
};
struct Cleaned {
  std::uint32_t signal, estimate;
};
inline Cleaned subtract_noise(std::uint32_t v, std::uint32_t noise, const Smoothing& s) {
  const std::uint32_t signal = v << s.up;
  auto estimate = static_cast<std::uint32_t>((signal * s.share + noise * s.rest) >> s.bits);
  const std::uint32_t taken = std::min(estimate, signal);
  if (s.clamps) estimate = taken;
  return {std::max((signal - taken) >> s.up, static_cast<std::uint32_t>((v * s.least) >> s.bits)), estimate};
}

// gain(x): pieces of parabolas, two values and then four numbers per power of two.
inline std::int16_t gain_of(std::uint32_t x, const std::int16_t* gains) {
  if (x <= 2) return gains[x];
  int width = static_cast<int>(std::bit_width(x));
  const std::int16_t* piece = gains + 4 * width - 6;
  std::int32_t f = static_cast<std::int32_t>((width < 11 ? x << (11 - width) : x >> (width - 11)) & 0x3ff);
  std::int32_t v = (std::int32_t{piece[2]} * f) >> 5;
  v += static_cast<std::int32_t>(static_cast<std::uint32_t>(std::int32_t{piece[1]}) << 5);
  v = static_cast<std::int32_t>(static_cast<std::uint32_t>(v) * static_cast<std::uint32_t>(f));
  return static_cast<std::int16_t>(((v + (1 << 14)) >> 15) + piece[0]);
}

// x^2 / 4 below 2, x - 1 from there on: 12 fraction bits in, 6 out.
inline std::uint32_t shrunk(std::uint32_t x) { return x < 2u << 12 ? (x * x) >> 20 : (x >> 6) - 64; }

// 65536 * (log2(1 + k / 128) - k / 128), which is what a straight line leaves out.
inline std::int32_t bow(std::uint32_t k) {
  double f = static_cast<double>(k) / 128;
  return k >= 128 ? 0 : static_cast<std::int32_t>(std::floor(65536 * (std::log2(1 + f) - f) + 0.5));
}

// scale times the natural logarithm of x.
inline std::uint32_t fixed_log(std::uint32_t x, std::uint32_t scale) {
  std::uint32_t whole = static_cast<std::uint32_t>(std::bit_width(x)) - 1;
  std::uint64_t rest = std::uint64_t{x} - (std::uint64_t{1} << whole);
  auto f = static_cast<std::int32_t>(whole < 16 ? rest << (16 - whole) : rest >> (whole - 16));
  std::uint32_t k = static_cast<std::uint32_t>(f) >> 9;
  std::int32_t a = bow(k), b = bow(k + 1), at = f - static_cast<std::int32_t>(k << 9);
  std::uint32_t log2 = (whole << 16) + static_cast<std::uint32_t>(f + a + (((b - a) * at) >> 16));
  auto natural = static_cast<std::uint32_t>((std::uint64_t{45426} * log2 + 32768) >> 16);
  return (scale * natural + 32768) >> 16;
}

}  // namespace mote::front_end
