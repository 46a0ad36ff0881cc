// lsh_projection: bits by locality sensitive hashing, with FarmHash's 64-bit fingerprint.
#include <bit>
#include <cstring>
#include <utility>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"seeds", "f32, [hashes, bits]"},
                            {"x", "[items, ...], numbers: their bytes count"},
                            {"weights", "f32, [items]; absent: ones", Arity::kOptional}};
constexpr Slot kOutputs[] = {
    {"y", "i32, [hashes * bits] of 0 and 1, or sparse: [hashes], bits as numbers plus hash << bits"}};
constexpr AttrSpec kAttrs[] = {{"sparse", AttrKind::kInt, "0", "1: one number for each hash"}};

// FarmHash's fingerprint of 64 bits, which is the same on every machine
// (https://github.com/google/farmhash, farmhashna::Hash64).
constexpr std::uint64_t kA = 0xc3a5c85c97cb3127, kB = 0xb492b66fbe98f273, kC = 0x9ae16a3b2f90404f;

struct Pair {
  std::uint64_t first = 0, second = 0;
};

std::uint64_t word(const unsigned char* p, int bytes = 8) {
  std::uint64_t v = 0;
  for (int i = 0; i < bytes; ++i) v |= std::uint64_t{p[i]} << (8 * i);
  return v;
}
std::uint64_t turned(std::uint64_t v, int right) { return std::rotr(v, right); }
std::uint64_t folded(std::uint64_t v) { return v ^ (v >> 47); }
std::uint64_t mixed(std::uint64_t u, std::uint64_t v, std::uint64_t by) {
  return folded((v ^ folded((u ^ v) * by)) * by) * by;
}

std::uint64_t short_hash(const unsigned char* s, std::uint64_t n) {  // 4 to 16 bytes
  const std::uint64_t by = kC + n * 2;
  if (n < 8) return mixed(n + (word(s, 4) << 3), word(s + n - 4, 4), by);
  const std::uint64_t a = word(s) + kC, b = word(s + n - 8);
  return mixed(turned(b, 37) * by + a, (turned(a, 25) + b) * by, by);
}

// The first steps for up to 64 bytes, of the first and last 16 ones; `a` becomes what the rest needs of it.
Pair outer_steps(const unsigned char* s, std::uint64_t n, std::uint64_t by, std::uint64_t factor, std::uint64_t* a) {
  *a = word(s) * factor;
  const std::uint64_t b = word(s + 8), c = word(s + n - 8) * by, d = word(s + n - 16) * kC;
  return {turned(*a + b, 43) + turned(c, 30) + d, *a + turned(b + kC, 18) + c};
}

std::uint64_t middle_hash(const unsigned char* s, std::uint64_t n) {  // 17 to 64 bytes
  const std::uint64_t by = kC + n * 2;
  std::uint64_t a;
  const Pair p = outer_steps(s, n, by, n <= 32 ? kB : kC, &a);
  if (n <= 32) return mixed(p.first, p.second, by);
  const std::uint64_t z = mixed(p.first, p.second, by), e = word(s + 16) * by, f = word(s + 24);
  const std::uint64_t g = (p.first + word(s + n - 32)) * by, h = (z + word(s + n - 24)) * by;
  return mixed(turned(e + f, 43) + turned(g, 30) + h, e + turned(f + a, 18) + g, by);
}

// The running state for longer ones, a block of 64 bytes after the other.
struct Blocks {
  std::uint64_t x, y, z;
  Pair v, w;

  static Pair weak(const unsigned char* s, std::uint64_t a, std::uint64_t b) {
    a += word(s);
    b = turned(b + a + word(s + 24), 21);
    const std::uint64_t start = a;
    a += word(s + 8) + word(s + 16);
    return {a + word(s + 24), b + turned(a, 44) + start};
  }
  // `by`: kB, or for the last block another factor and larger shares of v and w.
  void take(const unsigned char* s, std::uint64_t by, std::uint64_t share) {
    x = turned(x + y + v.first + word(s + 8), 37) * by;
    y = turned(y + v.second + word(s + 48), 42) * by;
    x ^= w.second * share;
    y += v.first * share + word(s + 40);
    z = turned(z + w.first, 33) * by;
    v = weak(s, v.second * by, x + w.first);
    w = weak(s + 32, z + w.second, y + word(s + 16));
    std::swap(z, x);
  }
};

std::uint64_t fingerprint(ReferenceContext& ctx, const unsigned char* s, std::uint64_t n) {
  if (n <= 16) return short_hash(s, n);
  if (n <= 64) return middle_hash(s, n);
  constexpr std::uint64_t kSeed = 81;
  Blocks b{kSeed * kC + word(s), kSeed * kB + 113, folded((kSeed * kB + 113) * kC + 113) * kC, {}, {}};
  for (std::uint64_t at : ctx.range((n - 1) / 64, 16)) b.take(s + at * 64, kB, 1);
  const std::uint64_t by = kB + ((b.z & 0xff) << 1);
  b.w.first += (n - 1) & 63;
  b.v.first += b.w.first;
  b.w.first += b.v.first;
  b.take(s + n - 64, by, 9);
  return mixed(mixed(b.v.first, b.w.first, by) + folded(b.y) * kA + b.z, mixed(b.v.second, b.w.second, by) + b.x, by);
}

Status infer_lsh(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kNumbers | kBool));
  if (ctx.dtype(0) != DType::none && ctx.dtype(0) != DType::f32) return ctx.error("seeds: are not f32");
  if (ctx.has(2) && ctx.dtype(2) != DType::none && ctx.dtype(2) != DType::f32) return ctx.error("weights: are not f32");
  MOTE_TRY(check_rank(ctx, 0, 2, 2));
  MOTE_TRY(check_rank(ctx, 1, 1, 1000));
  MOTE_TRY(check_rank(ctx, 2, 1, 1));
  if (!ctx.has_rank(0)) return ctx.output(0, DType::i32, {ctx.fresh()}), Status();
  const Dim hashes = ctx.shape(0)[0], bits = ctx.shape(0)[1];
  if (bits.is_const() && bits.value() > 32) return ctx.error("seeds: are for more than 32 bits");
  ctx.output(0, DType::i32, {ctx.attr_int("sparse") != 0 ? hashes : hashes * bits});
  return {};
}

// Whether the weighted sum of the fingerprints of (seed, item) is above zero; they count as signed integers.
bool sign_of(ReferenceContext& ctx, std::span<unsigned char> key, float seed, const TensorView& x,
             const float* weights) {
  const std::size_t bytes = key.size() - sizeof seed;
  std::memcpy(key.data(), &seed, sizeof seed);
  double score = 0;
  for (std::int64_t i : ctx.range(x.dims[0], 8)) {
    const unsigned char* item = x.as<unsigned char>() + static_cast<std::size_t>(i) * bytes;
    for (auto [begin, end] : ctx.pieces(bytes))
      std::memcpy(key.data() + sizeof seed + begin, item + begin, end - begin);
    const auto v = static_cast<double>(static_cast<std::int64_t>(fingerprint(ctx, key.data(), key.size())));
    score += weights ? static_cast<double>(weights[i]) * v : v;
  }
  return score > 0;
}

Status run_lsh(ReferenceContext& ctx) {
  const TensorView &seeds = ctx.in(0), &x = ctx.in(1);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  if (seeds.dims[1] > 32) return invalid("lsh_projection: seeds for more than 32 bits");
  if (ctx.has(2) && ctx.in(2).count() != x.dims[0])
    return invalid("lsh_projection: there are not as many weights as items");
  const float* weights = ctx.has(2) ? ctx.in(2).as<float>() : nullptr;
  const bool sparse = ctx.attr_int("sparse") != 0;
  const auto item = static_cast<std::size_t>(x.dims[0] == 0 ? 0 : bytes_of(x.dtype, x.count() / x.dims[0]));
  MOTE_ASSIGN(std::span<std::byte> scratch, ctx.scratch(item + sizeof(float)));
  const std::span<unsigned char> key(reinterpret_cast<unsigned char*>(scratch.data()), scratch.size());
  const std::int64_t bits = seeds.dims[1];
  for (std::int64_t h : ctx.range(seeds.dims[0])) {
    std::uint64_t number = 0;
    for (std::int64_t b : ctx.range(bits)) {
      const bool bit = sign_of(ctx, key, seeds.as<float>()[h * bits + b], x, weights);
      if (!sparse) y.as<std::int32_t>()[h * bits + b] = bit;
      number = number * 2 + bit;
    }
    number += static_cast<std::uint64_t>(h) << bits;
    if (sparse) y.as<std::int32_t>()[h] = static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
  }
  return {};
}

}  // namespace

MOTE_DEFINE_OP(lsh_projection) = {.name = "lsh_projection",
                                  .doc = "Bits that are alike for inputs that are: signs of sums of hashes.",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attrs = kAttrs,
                                  .infer = infer_lsh};
MOTE_DEFINE_REFERENCE(lsh_projection) = run_lsh;

}  // namespace mote
