// The elementary functions against double, and bit for bit between rows, CPUs and compilers.
//   default            every 4,096th f32 or so, f64 on samples
//   MOTE_EXHAUSTIVE=1  all f32 (about an hour on two cores)
//   MOTE_PRINT_MATH=1  also prints the figures of docs/numerics.md and the hashes of math_golden.inc
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>

#include "base/half.h"
#include "base/thread_pool.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/testing.h"
#include "simd/math64.h"

namespace mote::kernels::elementwise {
namespace {

double ref_sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double ref_softplus(double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x))); }
double reference(UnaryOp op, double x) {
  switch (op) {
    case UnaryOp::sqrt:
      return std::sqrt(x);
    case UnaryOp::rsqrt:
      return 1 / std::sqrt(x);
    case UnaryOp::exp:
      return std::exp(x);
    case UnaryOp::exp2:
      return std::exp2(x);
    case UnaryOp::expm1:
      return std::expm1(x);
    case UnaryOp::log:
      return std::log(x);
    case UnaryOp::log2:
      return std::log2(x);
    case UnaryOp::log1p:
      return std::log1p(x);
    case UnaryOp::sin:
      return std::sin(x);
    case UnaryOp::cos:
      return std::cos(x);
    case UnaryOp::tan:
      return std::tan(x);
    case UnaryOp::asin:
      return std::asin(x);
    case UnaryOp::acos:
      return std::acos(x);
    case UnaryOp::atan:
      return std::atan(x);
    case UnaryOp::sinh:
      return std::sinh(x);
    case UnaryOp::cosh:
      return std::cosh(x);
    case UnaryOp::tanh:
      return std::tanh(x);
    case UnaryOp::asinh:
      return std::asinh(x);
    case UnaryOp::acosh:
      return std::acosh(x);
    case UnaryOp::atanh:
      return std::atanh(x);
    case UnaryOp::erf:
      return std::erf(x);
    case UnaryOp::sigmoid:
      return ref_sigmoid(x);
    case UnaryOp::silu:
      return x * ref_sigmoid(x);
    case UnaryOp::softplus:
      return ref_softplus(x);
    case UnaryOp::log_sigmoid:
      return -ref_softplus(-x);
    case UnaryOp::mish:
      return x * std::tanh(ref_softplus(x));
    case UnaryOp::gelu:
      return 0.5 * x * std::erfc(-x * 0.70710678118654752440);
    default:
      return x * ref_sigmoid(1.5957691216057307118 * (x + 0.044715 * x * x * x));
  }
}

struct Row {
  UnaryOp op;
  double ulp, absolute;  // either may be met
  std::uint64_t sample_hash, full_hash;
};
constexpr Row kRows[] = {
#define MOTE_MATH(op, ulp, absolute, sample, full) {UnaryOp::op, ulp, absolute, sample, full},
#include "kernels/elementwise/math_golden.inc"
#undef MOTE_MATH
};

constexpr std::uint64_t kPowHash = 0x72d34dadb61c2becu;

bool flag(const char* name) {
  const char* v = std::getenv(name);
  return v && *v && *v != '0';
}

double ulp_at(double value) {
  float f = std::fabs(static_cast<float>(value));
  if (f < 0x1p-126f) return 0x1p-149;
  int e = 0;
  std::frexp(std::isinf(f) ? 0x1.fffffep127f : f, &e);
  return std::ldexp(1.0, e - 24);
}

struct Worst {
  double ulp = 0;
  float at = 0;
  int wrong = 0;  // NaN where there should be none, or the reverse, or a zero of the wrong sign
  std::uint64_t hash = 1469598103934665603u;
  void mix(std::uint64_t v) { hash = (hash ^ v) * 1099511628211u; }
};

void judge(const Row& row, float x, float got, Worst* w) {
  double want = reference(row.op, static_cast<double>(x)), g = static_cast<double>(got);
  auto rounded = static_cast<float>(want);
  if (want != want || got != got) {
    if ((want != want) != (got != got)) {
      ++w->wrong;
      w->at = x;
    }
    return;
  }
  if (rounded == got) {
    if (got == 0 && std::signbit(want) != std::signbit(g)) ++w->wrong;
    return;
  }
  constexpr double kBeyond = 0x1p128;  // where f32 would go on
  if (std::isinf(g)) g = std::copysign(kBeyond, g);
  if (std::isinf(rounded)) want = std::copysign(std::fmin(std::fabs(want), kBeyond), want);
  double error = std::fabs(g - want);
  if (error <= row.absolute) return;
  if (error / ulp_at(want) > w->ulp) {
    w->ulp = error / ulp_at(want);
    w->at = x;
  }
}

void apply(const Kernel& k, UnaryOp op, const float* x, float* y, std::int64_t n) {
  Params p;
  p.rank = 1;
  p.dim[0] = n;
  p.out = y;
  p.out_dtype = p.in[0].dtype = DType::f32;
  p.out_stride[0] = p.in[0].stride[0] = 1;
  p.in[0].data = x;
  p.inputs = p.op_count = 1;
  p.ops[0] = unary(op);
  Work w = setup(k, &p);
  testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes);
}

constexpr std::int64_t kBatch = 1 << 14;

// Batch `index` of all floats, or of one in 4,096.
void fill(bool all, std::int64_t index, float* x) {
  for (std::int64_t i = 0; i < kBatch; ++i) {
    auto k = static_cast<std::uint64_t>(index * kBatch + i);
    std::uint64_t bits = all ? k : k * 4096 + (k * 2654435761u >> 11) % 4096;
    x[i] = bits_to_f32(static_cast<std::uint32_t>(bits));
  }
}

Worst measure(const Kernel& k, const Row& row, bool all, bool check) {
  const std::int64_t parts = all ? 4096 : 16, batches = (all ? 1 << 20 : 1 << 16) / kBatch;
  std::vector<Worst> each(static_cast<std::size_t>(parts));
  ThreadPool::shared().parallel(allowed_threads(), parts, [&](std::int64_t begin, std::int64_t end, int) {
    std::vector<float> x(kBatch), y(kBatch);
    for (std::int64_t i = begin * batches; i < end * batches; ++i) {
      Worst& w = each[static_cast<std::size_t>(i / batches)];
      fill(all, i, x.data());
      apply(k, row.op, x.data(), y.data(), kBatch);
      for (std::size_t j = 0; j < x.size(); ++j) {
        w.mix(y[j] != y[j] ? 0x7fc00000u : f32_to_bits(y[j]));
        if (check) judge(row, x[j], y[j], &w);
      }
    }
  });
  Worst total;
  for (const Worst& w : each) {
    total.mix(w.hash);
    total.wrong += w.wrong;
    if (w.ulp > total.ulp || w.wrong > 0) {
      total.ulp = w.ulp;
      total.at = w.at;
    }
  }
  return total;
}

TEST(Math, F32WithinBoundsAndTheSameBitsEverywhere) {
  const bool all = flag("MOTE_EXHAUSTIVE"), print = flag("MOTE_PRINT_MATH");
  for (const Row& row : kRows) {
    bool best = true;
    for (const Kernel& k : kernels()) {
      if (!k.run || k.compute != DType::f32 || !active_cpu().has(k.isa)) continue;
      if (all && !best) continue;
      Worst w = measure(k, row, all, best);
      EXPECT_EQ(w.wrong, 0) << k.name << ' ' << name_of(row.op) << ' ' << w.at;
      EXPECT_LE(w.ulp, row.ulp) << k.name << ' ' << name_of(row.op) << " at " << w.at;
      EXPECT_EQ(w.hash, all ? row.full_hash : row.sample_hash) << k.name << ' ' << name_of(row.op);
      if (print && best) {
        std::printf("| %-11s | %.3f | %-13a | %016llx |\n", name_of(row.op).data(), w.ulp, static_cast<double>(w.at),
                    static_cast<unsigned long long>(w.hash));
        std::fflush(stdout);
      }
      best = false;
    }
  }
}

TEST(Math, ZerosInfinitiesAndEnds) {
  const float denormal = bits_to_f32(1), most = bits_to_f32(0x7f7fffffu), infinity = bits_to_f32(0x7f800000u);
  std::vector<float> x;
  for (float v : {0.0f, denormal, 0x1p-126f, 0.5f, 1.0f, 88.0f, 1e30f, most, infinity}) x.insert(x.end(), {v, -v});
  x.push_back(bits_to_f32(0x7fc00000u));
  for (const Row& row : kRows) {
    for (const Kernel& k : kernels()) {
      if (!k.run || k.compute != DType::f32 || !active_cpu().has(k.isa)) continue;
      std::vector<float> y(x.size());
      apply(k, row.op, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) {
        Worst w;
        judge(row, x[i], y[i], &w);
        EXPECT_TRUE(w.wrong == 0 && w.ulp <= row.ulp)
            << k.name << ' ' << name_of(row.op) << ' ' << x[i] << ": " << y[i];
      }
    }
  }
}

struct Pairs {
  std::uint64_t state = 88172645463325252u;
  std::uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
  // Any two floats, powers that stay in range, and small bases with integer exponents, by turns.
  void get(int turn, float* x, float* y) {
    std::uint64_t r = next();
    auto a = static_cast<std::uint32_t>(r), b = static_cast<std::uint32_t>(r >> 32);
    *x = bits_to_f32(a);
    *y = bits_to_f32(b);
    if (turn % 3 == 1) {
      *x = bits_to_f32(a & 0x7fffffffu);
      *y = static_cast<float>((b * 0x1p-32 * 300 - 150) / math64::log2(static_cast<double>(*x)));
    } else if (turn % 3 == 2) {
      *x = static_cast<float>(static_cast<int>(a % 2000001) - 1000000) * 3e-6f;
      *y = static_cast<float>(static_cast<int>(b % 61) - 30);
    }
  }
};

TEST(Math, PowOnPairs) {
  const int n = 1 << 19;
  std::vector<float> x(n), y(n);
  Pairs pairs;
  for (int i = 0; i < n; ++i) pairs.get(i, &x[static_cast<std::size_t>(i)], &y[static_cast<std::size_t>(i)]);
  bool best = true;
  for (const Kernel& k : kernels()) {
    if (!k.run || k.compute != DType::f32 || !active_cpu().has(k.isa)) continue;
    std::vector<float> z(n);
    Params p;
    p.rank = 1;
    p.dim[0] = n;
    p.out = z.data();
    p.out_dtype = p.in[0].dtype = p.in[1].dtype = DType::f32;
    p.out_stride[0] = p.in[0].stride[0] = p.in[1].stride[0] = 1;
    p.in[0].data = x.data();
    p.in[1].data = y.data();
    p.inputs = 2;
    p.op_count = 1;
    p.ops[0] = binary(BinaryOp::pow, 1);
    Work work = setup(k, &p);
    testing::run_in_parts(k.run, p, work.tiles, work.scratch_bytes);
    Worst w;
    int wrong = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      w.mix(z[i] != z[i] ? 0x7fc00000u : f32_to_bits(z[i]));
      if (!best) continue;
      double want = std::pow(static_cast<double>(x[i]), static_cast<double>(y[i]));
      if (want != want || z[i] != z[i]) {
        wrong += (want != want) != (z[i] != z[i]);
      } else if (static_cast<float>(want) != z[i]) {
        wrong += std::isinf(z[i]) && std::fabs(want) < 0x1.ffffffp127;
        if (!std::isinf(z[i])) w.ulp = std::fmax(w.ulp, std::fabs(static_cast<double>(z[i]) - want) / ulp_at(want));
      }
    }
    EXPECT_EQ(wrong, 0) << k.name;
    EXPECT_LE(w.ulp, 1.1) << k.name;
    EXPECT_EQ(w.hash, kPowHash) << k.name;
    if (flag("MOTE_PRINT_MATH") && best) {
      std::printf("| pow         | %.3f | pairs | %016llx |\n", w.ulp, static_cast<unsigned long long>(w.hash));
    }
    best = false;
  }
}

struct Row64 {
  const char* name;
  double (*ours)(double);
  long double (*theirs)(long double);
  double low, high, ulp;
  std::uint64_t hash;
};
constexpr Row64 kRows64[] = {
#define MOTE_MATH64(name, low, high, ulp, hash) \
  {#name, math64::name, [](long double x) -> long double { return std::name(x); }, low, high, ulp, hash},
#include "kernels/elementwise/math_golden.inc"
#undef MOTE_MATH64
};

TEST(Math, F64OnSamples) {
  constexpr bool kWide = std::numeric_limits<long double>::digits > 60;  // else there is nothing to compare with
  for (const Row64& row : kRows64) {
    Pairs random;
    Worst w;
    double at = 0;
    for (int i = 0; i < 40000; ++i) {
      std::uint64_t r = random.next();
      double x = (i & 1) != 0 ? __builtin_bit_cast(double, r)
                              : row.low + (row.high - row.low) * (static_cast<double>(r >> 11) * 0x1p-53);
      double got = row.ours(x);
      w.mix(got != got ? 0x7ff8000000000000u : __builtin_bit_cast(std::uint64_t, got));
      long double want = kWide ? row.theirs(x) : got;
      auto rounded = static_cast<double>(want);
      if (want != want || got != got) {
        EXPECT_EQ(want != want, got != got) << row.name << ' ' << x;
      } else if (rounded != got && !std::isinf(rounded) && !std::isinf(got)) {
        int e = 0;
        std::frexp(rounded, &e);
        long double unit = std::fabs(rounded) < 0x1p-1022 ? 0x1p-1074L : std::ldexp(1.0L, e - 53);
        auto error = static_cast<double>(std::fabs(static_cast<long double>(got) - want) / unit);
        if (error > w.ulp) {
          w.ulp = error;
          at = x;
        }
      } else {
        EXPECT_EQ(rounded, got) << row.name << ' ' << x;
      }
    }
    EXPECT_LE(w.ulp, row.ulp) << row.name << " at " << at;
    EXPECT_EQ(w.hash, row.hash) << row.name;
    if (flag("MOTE_PRINT_MATH")) {
      std::printf("| f64 %-7s | %.3f | %-13a | %016llx |\n", row.name, w.ulp, at,
                  static_cast<unsigned long long>(w.hash));
    }
  }
}

}  // namespace
}  // namespace mote::kernels::elementwise
