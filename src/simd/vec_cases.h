// The vector layer, operation by operation, as one function per ISA that fills a table of results; vec_test.cc compares
// the tables. Included by files built for an ISA, so without the test framework.
#pragma once

#include <cstdint>

namespace mote::simd {

// One value in, one value out, for kCount independent values. Inputs are read at odd addresses.
struct VecCases {
  static constexpr int kCount = 48, kMax = 96;
  const float *a, *b, *c;
  const std::int32_t *i, *j;
  const std::uint16_t* h;
  const std::uint8_t* bytes;
  std::uint32_t out[kMax][kCount];
  const char* name[kMax];
  int used = 0;
};

#define MOTE_DECLARE_CASES(ns)     \
  namespace ns {                   \
  void run_cases(VecCases* cases); \
  }
MOTE_DECLARE_CASES(scalar)
MOTE_DECLARE_CASES(avx2)
MOTE_DECLARE_CASES(avx512)
MOTE_DECLARE_CASES(neon)
#undef MOTE_DECLARE_CASES

}  // namespace mote::simd
