// AVX-512 F+BW+VL+DQ and VNNI in terms of AVX2, lane by lane where that has no like: with MOTE_EMULATE the kernel files
// for these instruction sets are compiled with this before everything else, so that their code, bounds and tails are
// tested on any x86 machine, and under sanitizers. What the vector layer uses is here, and no more; results have the
// bits of the real instructions, times have nothing to do with theirs.
#pragma once
#pragma GCC system_header  // some of the names below are macros of the compiler already

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace mote::simd::emulated {

#define MOTE_EMULATED [[maybe_unused, gnu::always_inline]] static inline

struct FloatHalves {
  __m256 low, high;
};
struct IntHalves {
  __m256i low, high;
};
MOTE_EMULATED FloatHalves halves(__m512 v) { return __builtin_bit_cast(FloatHalves, v); }
MOTE_EMULATED IntHalves halves(__m512i v) { return __builtin_bit_cast(IntHalves, v); }
MOTE_EMULATED __m512 joined(__m256 low, __m256 high) { return __builtin_bit_cast(__m512, (FloatHalves{low, high})); }
MOTE_EMULATED __m512i joined(__m256i low, __m256i high) { return __builtin_bit_cast(__m512i, (IntHalves{low, high})); }

template <class T, class V>
MOTE_EMULATED auto lanes(V v) {
  return __builtin_bit_cast(std::array<T, sizeof(V) / sizeof(T)>, v);
}
template <class V, class A>
MOTE_EMULATED V vector_of(const A& a) {
  return __builtin_bit_cast(V, a);
}
MOTE_EMULATED bool bit(std::uint64_t mask, std::size_t i) { return (mask >> i & 1) != 0; }

// Each lane by f.
template <class T, class V, class F>
MOTE_EMULATED V each(V a, V b, F f) {
  auto x = lanes<T>(a), y = lanes<T>(b);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = f(x[i], y[i]);
  return vector_of<V>(x);
}
template <class T, class V>
MOTE_EMULATED V blend(std::uint64_t mask, V no, V yes) {
  auto x = lanes<T>(no), y = lanes<T>(yes);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = bit(mask, i) ? y[i] : x[i];
  return vector_of<V>(x);
}
template <class V, class T>
MOTE_EMULATED V load(std::uint64_t mask, const void* p) {
  std::array<T, sizeof(V) / sizeof(T)> x{};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (bit(mask, i)) std::memcpy(&x[i], static_cast<const T*>(p) + i, sizeof(T));
  }
  return vector_of<V>(x);
}
template <class T, class V>
MOTE_EMULATED void store(void* p, std::uint64_t mask, V v) {
  auto x = lanes<T>(v);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (bit(mask, i)) std::memcpy(static_cast<T*>(p) + i, &x[i], sizeof(T));
  }
}
template <class V>
MOTE_EMULATED V whole(const void* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
MOTE_EMULATED void put(void* p, V v) {
  std::memcpy(p, &v, sizeof v);
}
// Lanes of 32 bits as bytes, held to [low, high] of what they are as U, cut off where these are U's own bounds.
template <class U>
MOTE_EMULATED __m128i bytes_of(__m512i v, U low, U high) {
  auto x = lanes<U>(v);
  std::array<std::uint8_t, 16> y{};
  for (std::size_t i = 0; i < 16; ++i) y[i] = static_cast<std::uint8_t>(x[i] < low ? low : x[i] > high ? high : x[i]);
  return vector_of<__m128i>(y);
}
MOTE_EMULATED __m128i low_bytes(__m512i v) { return bytes_of<std::uint32_t>(v, 0, UINT32_MAX); }
MOTE_EMULATED __m128i signed_bytes(__m512i v) { return bytes_of<std::int32_t>(v, -128, 127); }
MOTE_EMULATED __m128i unsigned_bytes(__m512i v) { return bytes_of<std::uint32_t>(v, 0, 255); }
template <class T, class V, class F>
MOTE_EMULATED std::uint64_t mask_of(V a, V b, F f) {
  auto x = lanes<T>(a), y = lanes<T>(b);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < x.size(); ++i) mask |= std::uint64_t{f(x[i], y[i])} << i;
  return mask;
}
// Sums of products of neighbours: four of a's unsigned by b's signed bytes, two of both's 16 bits.
template <class V>
MOTE_EMULATED V dot_bytes(V sum, V a, V b) {
  auto s = lanes<std::uint32_t>(sum);
  auto x = lanes<std::uint8_t>(a);
  auto y = lanes<std::int8_t>(b);
  for (std::size_t i = 0; i < x.size(); ++i) s[i / 4] += static_cast<std::uint32_t>(x[i] * y[i]);
  return vector_of<V>(s);
}
template <class V>
MOTE_EMULATED V dot_words(V sum, V a, V b) {
  auto s = lanes<std::uint32_t>(sum);
  auto x = lanes<std::int16_t>(a), y = lanes<std::int16_t>(b);
  for (std::size_t i = 0; i < x.size(); ++i) s[i / 2] += static_cast<std::uint32_t>(x[i] * y[i]);
  return vector_of<V>(s);
}
// 128-bit quarters: two of a, two of b.
MOTE_EMULATED __m512 quarters(__m512 a, __m512 b, unsigned which) {
  struct Quarters {
    __m128 v[4];
  };
  Quarters x = __builtin_bit_cast(Quarters, a), y = __builtin_bit_cast(Quarters, b);
  Quarters r{{x.v[which & 3], x.v[which >> 2 & 3], y.v[which >> 4 & 3], y.v[which >> 6 & 3]}};
  return __builtin_bit_cast(__m512, r);
}
MOTE_EMULATED __m512 permuted(__m512i index, __m512 a) {
  auto i = lanes<std::uint32_t>(index);
  auto x = lanes<float>(a);
  std::array<float, 16> y{};
  for (std::size_t l = 0; l < 16; ++l) y[l] = x[i[l] & 15];
  return vector_of<__m512>(y);
}
MOTE_EMULATED __m512 gathered(__m512i index, const float* p) {
  auto i = lanes<std::int32_t>(index);
  std::array<float, 16> y{};
  for (std::size_t l = 0; l < 16; ++l) y[l] = p[i[l]];
  return vector_of<__m512>(y);
}
MOTE_EMULATED __m512i sequence(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l,
                               int m, int n, int o, int p) {
  return joined(_mm256_setr_epi32(a, b, c, d, e, f, g, h), _mm256_setr_epi32(i, j, k, l, m, n, o, p));
}

// Functions of the name of the instruction, from what AVX2 does to halves.
#define MOTE_HALVES_1(name, V) \
  MOTE_EMULATED V name(V a) { return joined(_mm256_##name(halves(a).low), _mm256_##name(halves(a).high)); }
#define MOTE_HALVES_2(name, V)                                                                                 \
  MOTE_EMULATED V name(V a, V b) {                                                                             \
    return joined(_mm256_##name(halves(a).low, halves(b).low), _mm256_##name(halves(a).high, halves(b).high)); \
  }
#define MOTE_HALVES_3(name, V)                                                    \
  MOTE_EMULATED V name(V a, V b, V c) {                                           \
    return joined(_mm256_##name(halves(a).low, halves(b).low, halves(c).low),     \
                  _mm256_##name(halves(a).high, halves(b).high, halves(c).high)); \
  }
#define MOTE_HALVES_SHIFT(name)                                                       \
  MOTE_EMULATED __m512i name(__m512i a, int n) {                                      \
    return joined(_mm256_##name(halves(a).low, n), _mm256_##name(halves(a).high, n)); \
  }
MOTE_HALVES_2(add_ps, __m512)
MOTE_HALVES_2(sub_ps, __m512)
MOTE_HALVES_2(mul_ps, __m512)
MOTE_HALVES_2(div_ps, __m512)
MOTE_HALVES_2(min_ps, __m512)
MOTE_HALVES_2(max_ps, __m512)
MOTE_HALVES_1(sqrt_ps, __m512)
MOTE_HALVES_3(fmadd_ps, __m512)
MOTE_HALVES_3(fnmadd_ps, __m512)
MOTE_HALVES_2(unpacklo_ps, __m512)
MOTE_HALVES_2(unpackhi_ps, __m512)
MOTE_HALVES_2(add_epi32, __m512i)
MOTE_HALVES_2(sub_epi32, __m512i)
MOTE_HALVES_2(mullo_epi32, __m512i)
MOTE_HALVES_2(mul_epi32, __m512i)
MOTE_HALVES_2(min_epi32, __m512i)
MOTE_HALVES_2(max_epi32, __m512i)
MOTE_HALVES_2(add_epi64, __m512i)
MOTE_HALVES_2(sub_epi64, __m512i)
MOTE_HALVES_2(madd_epi16, __m512i)
MOTE_HALVES_2(packs_epi32, __m512i)
MOTE_HALVES_2(packs_epi16, __m512i)
MOTE_HALVES_2(packus_epi16, __m512i)
MOTE_HALVES_2(unpacklo_epi8, __m512i)
MOTE_HALVES_2(unpackhi_epi8, __m512i)
MOTE_HALVES_2(unpacklo_epi16, __m512i)
MOTE_HALVES_2(unpackhi_epi16, __m512i)
MOTE_HALVES_2(shuffle_epi8, __m512i)
MOTE_HALVES_2(sllv_epi32, __m512i)
MOTE_HALVES_2(srav_epi32, __m512i)
MOTE_HALVES_2(sllv_epi64, __m512i)
MOTE_HALVES_SHIFT(slli_epi32)
MOTE_HALVES_SHIFT(srli_epi32)
MOTE_HALVES_SHIFT(srai_epi32)
MOTE_HALVES_SHIFT(slli_epi64)
MOTE_HALVES_SHIFT(srli_epi64)
MOTE_HALVES_SHIFT(srli_epi16)
#undef MOTE_HALVES_1
#undef MOTE_HALVES_2
#undef MOTE_HALVES_3
#undef MOTE_HALVES_SHIFT
MOTE_EMULATED __m512i logic(__m512i a, __m512i b, char op) {
  const IntHalves x = halves(a), y = halves(b);
  switch (op) {
    case '&':
      return joined(_mm256_and_si256(x.low, y.low), _mm256_and_si256(x.high, y.high));
    case '|':
      return joined(_mm256_or_si256(x.low, y.low), _mm256_or_si256(x.high, y.high));
    default:
      return joined(_mm256_xor_si256(x.low, y.low), _mm256_xor_si256(x.high, y.high));
  }
}
MOTE_EMULATED __m512d unpack_pd(__m512d a, __m512d b, bool high) {
  auto x = lanes<double>(a), y = lanes<double>(b);
  std::array<double, 8> r{};
  for (std::size_t i = 0; i < 8; i += 2) {
    r[i] = x[i + high];
    r[i + 1] = y[i + high];
  }
  return vector_of<__m512d>(r);
}
MOTE_EMULATED __m512i sra_64(__m512i a, __m512i n) {
  return each<std::int64_t>(
      a, n, [](std::int64_t x, std::int64_t by) { return static_cast<std::uint64_t>(by) > 63 ? x >> 63 : x >> by; });
}
MOTE_EMULATED __m512i widened(__m128i v, bool is_signed) {
  __m128i high = _mm_srli_si128(v, 8);
  return is_signed ? joined(_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(high))
                   : joined(_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(high));
}
MOTE_EMULATED __m512i words(__m256i v, bool is_signed) {
  __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
  return is_signed ? joined(_mm256_cvtepi16_epi32(low), _mm256_cvtepi16_epi32(high))
                   : joined(_mm256_cvtepu16_epi32(low), _mm256_cvtepu16_epi32(high));
}
MOTE_EMULATED __m512i bytes_as_words(__m256i v) {
  return joined(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)), _mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1)));
}
MOTE_EMULATED __m256i low_words(__m512i v) {
  auto x = lanes<std::uint32_t>(v);
  std::array<std::uint16_t, 16> y{};
  for (std::size_t i = 0; i < 16; ++i) y[i] = static_cast<std::uint16_t>(x[i]);
  return vector_of<__m256i>(y);
}
MOTE_EMULATED __m512 floats_of(__m512i v) {
  return joined(_mm256_cvtepi32_ps(halves(v).low), _mm256_cvtepi32_ps(halves(v).high));
}
MOTE_EMULATED __m512i nearest(__m512 v) {
  return joined(_mm256_cvtps_epi32(halves(v).low), _mm256_cvtps_epi32(halves(v).high));
}
MOTE_EMULATED __m512i truncated(__m512 v) {
  return joined(_mm256_cvttps_epi32(halves(v).low), _mm256_cvttps_epi32(halves(v).high));
}
MOTE_EMULATED __m512 from_half(__m256i v) {
  return joined(_mm256_cvtph_ps(_mm256_castsi256_si128(v)), _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1)));
}
MOTE_EMULATED __mmask16 signs(__m256 low, __m256 high) {
  return static_cast<__mmask16>(_mm256_movemask_ps(low) | _mm256_movemask_ps(high) << 8);
}

}  // namespace mote::simd::emulated

// NOLINTBEGIN(bugprone-reserved-identifier): the names are the instructions'
#define MOTE_SIMD_EMULATED  // registers are not what they seem: no assembly
#define MOTE_E ::mote::simd::emulated
#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512VL__ 1
#define __AVX512DQ__ 1
#if defined(MOTE_EMULATED_VNNI)
#define __AVX512VNNI__ 1
#endif

#define _mm512_add_ps MOTE_E::add_ps
#define _mm512_sub_ps MOTE_E::sub_ps
#define _mm512_mul_ps MOTE_E::mul_ps
#define _mm512_div_ps MOTE_E::div_ps
#define _mm512_min_ps MOTE_E::min_ps
#define _mm512_max_ps MOTE_E::max_ps
#define _mm512_sqrt_ps MOTE_E::sqrt_ps
#define _mm512_fmadd_ps MOTE_E::fmadd_ps
#define _mm512_fnmadd_ps MOTE_E::fnmadd_ps
#define _mm512_unpacklo_ps MOTE_E::unpacklo_ps
#define _mm512_unpackhi_ps MOTE_E::unpackhi_ps
#define _mm512_unpacklo_pd(a, b) MOTE_E::unpack_pd(a, b, false)
#define _mm512_unpackhi_pd(a, b) MOTE_E::unpack_pd(a, b, true)
#define _mm512_add_epi32 MOTE_E::add_epi32
#define _mm512_sub_epi32 MOTE_E::sub_epi32
#define _mm512_mullo_epi32 MOTE_E::mullo_epi32
#define _mm512_mul_epi32 MOTE_E::mul_epi32
#define _mm512_min_epi32 MOTE_E::min_epi32
#define _mm512_max_epi32 MOTE_E::max_epi32
#define _mm512_add_epi64 MOTE_E::add_epi64
#define _mm512_sub_epi64 MOTE_E::sub_epi64
#define _mm512_madd_epi16 MOTE_E::madd_epi16
#define _mm512_packs_epi32 MOTE_E::packs_epi32
#define _mm512_packs_epi16 MOTE_E::packs_epi16
#define _mm512_packus_epi16 MOTE_E::packus_epi16
#define _mm512_unpacklo_epi8 MOTE_E::unpacklo_epi8
#define _mm512_unpackhi_epi8 MOTE_E::unpackhi_epi8
#define _mm512_unpacklo_epi16 MOTE_E::unpacklo_epi16
#define _mm512_unpackhi_epi16 MOTE_E::unpackhi_epi16
#define _mm512_shuffle_epi8 MOTE_E::shuffle_epi8
#define _mm512_and_si512(a, b) MOTE_E::logic(a, b, '&')
#define _mm512_or_si512(a, b) MOTE_E::logic(a, b, '|')
#define _mm512_xor_si512(a, b) MOTE_E::logic(a, b, '^')
#define _mm512_sllv_epi32 MOTE_E::sllv_epi32
#define _mm512_srav_epi32 MOTE_E::srav_epi32
#define _mm512_sllv_epi64 MOTE_E::sllv_epi64
#define _mm512_srav_epi64 MOTE_E::sra_64
#define _mm512_slli_epi32 MOTE_E::slli_epi32
#define _mm512_srli_epi32 MOTE_E::srli_epi32
#define _mm512_srai_epi32 MOTE_E::srai_epi32
#define _mm512_slli_epi64 MOTE_E::slli_epi64
#define _mm512_srli_epi64 MOTE_E::srli_epi64
#define _mm512_srli_epi16 MOTE_E::srli_epi16
#define _mm512_shuffle_f32x4 MOTE_E::quarters
#define _mm512_permutexvar_ps MOTE_E::permuted
#define _mm512_i32gather_ps(index, p, scale) MOTE_E::gathered(index, p)
#define _mm512_permute_ps(a, k) \
  MOTE_E::joined(_mm256_permute_ps(MOTE_E::halves(a).low, k), _mm256_permute_ps(MOTE_E::halves(a).high, k))
#define _mm512_roundscale_ps(a, k) \
  MOTE_E::joined(_mm256_round_ps(MOTE_E::halves(a).low, k), _mm256_round_ps(MOTE_E::halves(a).high, k))
#define _mm512_cvtps_ph(a, k) \
  _mm256_set_m128i(_mm256_cvtps_ph(MOTE_E::halves(a).high, k), _mm256_cvtps_ph(MOTE_E::halves(a).low, k))
#define _mm512_cmp_ps_mask(a, b, k)                                             \
  MOTE_E::signs(_mm256_cmp_ps(MOTE_E::halves(a).low, MOTE_E::halves(b).low, k), \
                _mm256_cmp_ps(MOTE_E::halves(a).high, MOTE_E::halves(b).high, k))
#define _mm512_set1_ps(x) MOTE_E::joined(_mm256_set1_ps(x), _mm256_set1_ps(x))
#define _mm512_set1_epi8(x) MOTE_E::joined(_mm256_set1_epi8(x), _mm256_set1_epi8(x))
#define _mm512_set1_epi32(x) MOTE_E::joined(_mm256_set1_epi32(x), _mm256_set1_epi32(x))
#define _mm512_set1_epi64(x) MOTE_E::joined(_mm256_set1_epi64x(x), _mm256_set1_epi64x(x))
#define _mm512_setzero_ps() MOTE_E::joined(_mm256_setzero_ps(), _mm256_setzero_ps())
#define _mm512_setzero_si512() MOTE_E::joined(_mm256_setzero_si256(), _mm256_setzero_si256())
#define _mm512_setr_epi32 MOTE_E::sequence
#define _mm512_broadcast_i32x4(x) MOTE_E::joined(_mm256_broadcastsi128_si256(x), _mm256_broadcastsi128_si256(x))
#define _mm512_castps_pd(x) __builtin_bit_cast(__m512d, x)
#define _mm512_castpd_ps(x) __builtin_bit_cast(__m512, x)
#define _mm512_castps_si512(x) __builtin_bit_cast(__m512i, x)
#define _mm512_castsi512_ps(x) __builtin_bit_cast(__m512, x)
#define _mm512_castsi512_si256(x) MOTE_E::halves(x).low
#define _mm512_castsi256_si512(x) MOTE_E::joined(x, x)
#define _mm512_extracti64x4_epi64(x, k) ((k) ? MOTE_E::halves(x).high : MOTE_E::halves(x).low)
#define _mm512_inserti64x4(a, b, k) \
  ((k) ? MOTE_E::joined(MOTE_E::halves(a).low, b) : MOTE_E::joined(b, MOTE_E::halves(a).high))
#define _mm512_cvtss_f32(x) _mm256_cvtss_f32(MOTE_E::halves(x).low)
#define _mm512_cvtepi32_ps MOTE_E::floats_of
#define _mm512_cvtps_epi32 MOTE_E::nearest
#define _mm512_cvttps_epi32 MOTE_E::truncated
#define _mm512_cvtph_ps MOTE_E::from_half
#define _mm512_cvtepi8_epi32(x) MOTE_E::widened(x, true)
#define _mm512_cvtepu8_epi32(x) MOTE_E::widened(x, false)
#define _mm512_cvtepi16_epi32(x) MOTE_E::words(x, true)
#define _mm512_cvtepu16_epi32(x) MOTE_E::words(x, false)
#define _mm512_cvtepi8_epi16 MOTE_E::bytes_as_words
#define _mm512_cvtepi32_epi16 MOTE_E::low_words
#define _mm512_cvtepi32_epi8 MOTE_E::low_bytes
#define _mm512_cvtsepi32_epi8 MOTE_E::signed_bytes
#define _mm512_cvtusepi32_epi8 MOTE_E::unsigned_bytes
#define _mm512_mask_cvtepi32_storeu_epi8(p, m, v) MOTE_E::store<std::uint8_t>(p, m, MOTE_E::low_bytes(v))
#define _mm512_mask_cvtsepi32_storeu_epi8(p, m, v) MOTE_E::store<std::uint8_t>(p, m, MOTE_E::signed_bytes(v))
#define _mm512_mask_cvtusepi32_storeu_epi8(p, m, v) MOTE_E::store<std::uint8_t>(p, m, MOTE_E::unsigned_bytes(v))
#define _mm512_cmpgt_epi32_mask(a, b) \
  static_cast<__mmask16>(MOTE_E::mask_of<std::int32_t>(a, b, [](auto x, auto y) { return x > y; }))
#define _mm512_cmpeq_epi32_mask(a, b) \
  static_cast<__mmask16>(MOTE_E::mask_of<std::int32_t>(a, b, [](auto x, auto y) { return x == y; }))
#define _mm512_cmpeq_epi8_mask(a, b) MOTE_E::mask_of<std::int8_t>(a, b, [](auto x, auto y) { return x == y; })
#define _kand_mask16(a, b) static_cast<__mmask16>((a) & (b))
#define _kor_mask16(a, b) static_cast<__mmask16>((a) | (b))
#define _knot_mask16(a) static_cast<__mmask16>(~(a))
#define _mm512_mask_blend_ps MOTE_E::blend<float>
#define _mm512_mask_blend_epi32 MOTE_E::blend<std::int32_t>
#define _mm512_mask_or_epi32(no, m, a, b) MOTE_E::blend<std::int32_t>(m, no, MOTE_E::logic(a, b, '|'))
#define _mm512_mask_shuffle_epi8(no, m, a, b) MOTE_E::blend<std::int8_t>(m, no, MOTE_E::shuffle_epi8(a, b))
#define _mm512_loadu_ps MOTE_E::whole<__m512>
#define _mm512_loadu_si512 MOTE_E::whole<__m512i>
#define _mm512_loadu_epi8 MOTE_E::whole<__m512i>
#define _mm256_loadu_epi8 MOTE_E::whole<__m256i>
#define _mm_loadu_epi8 MOTE_E::whole<__m128i>
#define _mm512_storeu_ps MOTE_E::put
#define _mm512_storeu_si512 MOTE_E::put
#define _mm512_storeu_epi8 MOTE_E::put
#define _mm256_storeu_epi8 MOTE_E::put
#define _mm_storeu_epi8 MOTE_E::put
#define _mm512_maskz_loadu_ps MOTE_E::load<__m512, float>
#define _mm512_maskz_loadu_epi32 MOTE_E::load<__m512i, std::int32_t>
#define _mm512_maskz_loadu_epi8 MOTE_E::load<__m512i, std::int8_t>
#define _mm256_maskz_loadu_epi16 MOTE_E::load<__m256i, std::int16_t>
#define _mm_maskz_loadu_epi8 MOTE_E::load<__m128i, std::int8_t>
#define _mm512_mask_storeu_ps MOTE_E::store<float>
#define _mm512_mask_storeu_epi32 MOTE_E::store<std::int32_t>
#define _mm512_mask_storeu_epi8 MOTE_E::store<std::int8_t>
#define _mm256_mask_storeu_epi16 MOTE_E::store<std::int16_t>
#define _mm_mask_storeu_epi8 MOTE_E::store<std::int8_t>
#define _mm512_dpbusd_epi32 MOTE_E::dot_bytes
#define _mm256_dpbusd_epi32 MOTE_E::dot_bytes
#define _mm_dpbusd_epi32 MOTE_E::dot_bytes
#define _mm512_dpwssd_epi32 MOTE_E::dot_words
// NOLINTEND(bugprone-reserved-identifier)
