// The block kernel for pairs of bf16 on AVX-512 BF16.
#define MOTE_DOT_PAIRS
#include "kernels/dot/block_impl.h"

namespace mote::kernels::dot {

void block_pairs_avx512bf16(const Block& block) noexcept { avx512bf16::run_block(block); }

void round_pairs_avx512bf16(const float* src, std::int64_t n, float* dst) noexcept {
  for (; n >= 32; n -= 32, src += 32, dst += 16) {
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(src + 16), _mm512_loadu_ps(src));
    _mm512_storeu_si512(dst, reinterpret_cast<const __m512i&>(pair));
  }
  if (n == 0) return;
  const auto low = static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1);
  const auto high = static_cast<__mmask16>(n <= 16 ? 0 : (1u << (n - 16)) - 1);
  const auto words = static_cast<__mmask16>((1u << (n + 1) / 2) - 1);
  const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, src + 16), _mm512_maskz_loadu_ps(low, src));
  _mm512_mask_storeu_epi32(dst, words, reinterpret_cast<const __m512i&>(pair));
}

}  // namespace mote::kernels::dot
