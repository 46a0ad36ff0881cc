#include "simd/vec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/half.h"
#include "simd/vec_cases.h"

namespace mote::simd {
namespace {

using Run = void (*)(VecCases*);
struct IsaRun {
  Isa isa;
  Run run;
};
const IsaRun kRuns[] = {
    {Isa::generic, scalar::run_cases},
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx2)
    {Isa::avx2, avx2::run_cases},
#endif
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx512)
    {Isa::avx512, avx512::run_cases},
#endif
#if defined(__aarch64__) && !defined(MOTE_WITHOUT_neon)
    {Isa::neon, neon::run_cases},
#endif
};

struct Inputs {
  static constexpr int kSize = 80;
  std::vector<float> a, b, c;
  std::vector<std::int32_t> i, j;
  std::vector<std::uint16_t> h;
  std::vector<std::uint8_t> bytes;

  explicit Inputs(unsigned seed) : a(kSize), b(kSize), c(kSize), i(kSize), j(kSize), h(kSize), bytes(kSize) {
    std::mt19937 gen(seed);
    const float special[] = {0.0f,   -0.0f,   1.0f,  -1.5f,         2.5f,           INFINITY, -INFINITY, NAN,
                             1e-40f, -3e-45f, 3e38f, 2147483648.0f, -2147483904.0f, 65520.0f, 65519.0f,  6e-8f};
    for (std::size_t k = 0; k < kSize; ++k) {
      auto any = [&] { return bits_to_f32(static_cast<std::uint32_t>(gen())); };
      auto small = [&] { return static_cast<float>(static_cast<int>(gen() % 2001) - 1000) * 0.0123f; };
      a[k] = k % 3 == 0 ? special[gen() % 16] : k % 3 == 1 ? any() : small();
      b[k] = k % 4 == 0 ? special[gen() % 16] : k % 4 == 1 ? any() : k % 4 == 2 ? a[k] : small();
      c[k] = small();
      i[k] = static_cast<std::int32_t>(gen()) >> (gen() % 30);
      j[k] = k % 5 == 0 ? i[k] : static_cast<std::int32_t>(gen()) >> (gen() % 30);
      h[k] = static_cast<std::uint16_t>(gen());
      bytes[k] = static_cast<std::uint8_t>(gen());
    }
    i[1] = INT32_MIN;
    j[1] = -1;
  }
  void give(VecCases* t) const {
    t->a = a.data() + 1;
    t->b = b.data() + 1;
    t->c = c.data() + 1;
    t->i = i.data() + 1;
    t->j = j.data() + 1;
    t->h = h.data() + 1;
    t->bytes = bytes.data() + 1;
  }
};

// Any NaN equals another, in results that are floats.
bool same(std::uint32_t x, std::uint32_t y, bool is_float) {
  auto nan = [](std::uint32_t v) { return (v & 0x7fffffffu) > 0x7f800000u; };
  return x == y || (is_float && nan(x) && nan(y));
}

TEST(Vec, EveryIsaDoesWhatPlainCodeDoes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Inputs in(seed);
    auto want = std::make_unique<VecCases>();
    in.give(want.get());
    scalar::run_cases(want.get());
    for (const IsaRun& r : kRuns) {
      if (!host_cpu().has(r.isa)) continue;
      auto got = std::make_unique<VecCases>();
      in.give(got.get());
      r.run(got.get());
      ASSERT_EQ(got->used, want->used);
      for (int op = 0; op < want->used; ++op) {
        std::string_view name = want->name[op];
        // Register-wide stores add the second lane's value to lane 0 of every register: compare only within one width.
        bool integer = name[0] == 'i' || name == "shl" || name == "shr" || name == "sar" || name.starts_with("to_i32");
        for (int k = 0; k < VecCases::kCount; ++k) {
          if (name.starts_with("store_")) continue;
          ASSERT_TRUE(same(want->out[op][k], got->out[op][k], !integer))
              << name_of(r.isa) << ' ' << name << " value " << k << ": " << std::hex << want->out[op][k] << ' '
              << got->out[op][k];
        }
      }
    }
  }
}

// Partial and whole stores against the scalar conversions, whatever the width.
TEST(Vec, StoresConvertSaturateAndKeepTheirHandsOff) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Inputs in(seed);
    for (const IsaRun& r : kRuns) {
      if (!host_cpu().has(r.isa)) continue;
      int width = r.isa == Isa::avx512 ? 16 : r.isa == Isa::avx2 ? 8 : 4;
      auto got = std::make_unique<VecCases>();
      in.give(got.get());
      r.run(got.get());
      for (int op = 0; op < got->used; ++op) {
        std::string_view name = got->name[op];
        if (!name.starts_with("store_")) continue;
        auto value = [&](int k, bool second) -> int {
          float f = second ? got->b[1] : got->a[k];
          std::int32_t v = second ? got->j[1] : got->i[k];
          if (name == "store_f16") return f32_to_f16(f);
          if (name == "store_bf16") return f32_to_bf16(f);
          return name == "store_i8" ? std::clamp(v, -128, 127) : std::clamp(v, 0, 255);
        };
        int untouched = name == "store_i8" ? -2 : name == "store_u8" ? 254 : 0xeeee;
        for (int k = 0; k < VecCases::kCount; ++k) {
          int lane = k % width;
          auto want = static_cast<float>(lane == width - 1 ? untouched : value(k, false));
          if (lane == 0) want += static_cast<float>(value(1, true));
          EXPECT_EQ(bits_to_f32(got->out[op][k]), want) << name_of(r.isa) << ' ' << name << ' ' << k;
        }
      }
    }
  }
}

}  // namespace
}  // namespace mote::simd
