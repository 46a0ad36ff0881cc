// philox_random_like: random numbers by a counter and a seed of the model's own.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "ops/element.h"
#include "ops/infer_util.h"
#include "ops/ops.h"
#include "ops/run_util.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"like", "f32 or f64; its shape and dtype count"},
                            {"counter", "i64, one element: how many blocks of four words were drawn before"}};
constexpr Slot kOutputs[] = {{"output", "the random numbers"},
                             {"next", "i64 scalar, the counter behind the blocks that were drawn", Arity::kOptional}};
constexpr AttrSpec kAttrs[] = {
    {"distribution", AttrKind::kString, "\"uniform\"", "uniform in [0, 1) or, of f32, the standard normal"},
    {"seed", AttrKind::kInt, "0", "the key"},
    {"seed2", AttrKind::kInt, "0", "the upper half of the counter"}};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kFloats));
  MOTE_TRY(check_dtype(ctx, 1, kInts));
  const std::string distribution = ctx.attr_string("distribution");
  if (distribution != "uniform" && distribution != "normal") return ctx.error("distribution is uniform or normal");
  const DType t = ctx.dtype(0);
  if (t != DType::none && t != DType::f32 && (t != DType::f64 || distribution == "normal"))
    return ctx.error("uniform numbers are f32 or f64, normal ones f32");
  if (ctx.has_rank(1) && known_count(ctx.shape(1)) != 1) return ctx.error("counter has one element");
  ctx.output(0, ctx.type(0));
  if (ctx.wants(1)) ctx.output(1, DType::i64, {});
  return {};
}

using Block = std::array<std::uint32_t, 4>;

// Ten rounds of Philox 4x32 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3).
Block philox(std::uint64_t key, std::uint64_t upper, std::uint64_t counter) {
  auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  std::uint32_t k0 = low(key), k1 = high(key);
  Block b = {low(counter), high(counter), low(upper), high(upper)};
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t p = std::uint64_t{0xd2511f53} * b[0], q = std::uint64_t{0xcd9e8d57} * b[2];
    b = {high(q) ^ b[1] ^ k0, low(q), high(p) ^ b[3] ^ k1, low(p)};
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  return b;
}

// In [0, 1), of 23 bits and of 52.
float to_f32(std::uint32_t x) { return static_cast<float>(x & 0x7fffff) * 0x1p-23f; }
double to_f64(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>((std::uint64_t{high & 0xfffff} << 32) | low) * 0x1p-52;
}

// Two numbers by Box and Muller's transform.
std::array<float, 2> normal(std::uint32_t a, std::uint32_t b) {
  const float radius = std::sqrt(-2.0f * std::log(std::max(to_f32(a), 1.0e-7f)));
  const auto angle = static_cast<float>(2 * std::numbers::pi * static_cast<double>(to_f32(b)));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

Status run(ReferenceContext& ctx) {
  MOTE_ASSIGN(std::vector<TensorView> outs, infer_outs(ctx));
  const TensorView& y = outs[0];
  const auto key = static_cast<std::uint64_t>(ctx.attr_int("seed")),
             upper = static_cast<std::uint64_t>(ctx.attr_int("seed2"));
  auto counter = static_cast<std::uint64_t>(load_i64(ctx.in(1), 0));
  const bool is_normal = ctx.attr_string("distribution") == "normal", wide = y.dtype == DType::f64;
  const std::int64_t count = y.count(), step = wide ? 2 : 4;
  for (std::int64_t i = 0; i < count && ctx.spend(step); i += step) {
    const Block b = philox(key, upper, counter++);
    std::array<float, 2> first = {}, second = {};
    if (is_normal) {
      first = normal(b[0], b[1]);
      second = normal(b[2], b[3]);
    }
    const std::array<double, 2> doubles = {to_f64(b[0], b[1]), to_f64(b[2], b[3])};
    const std::array<float, 4> normals = {first[0], first[1], second[0], second[1]};
    for (std::int64_t k = 0; k < std::min(step, count - i); ++k) {
      const auto at = static_cast<std::size_t>(k);
      if (wide)
        y.as<double>()[i + k] = doubles[at];
      else
        y.as<float>()[i + k] = is_normal ? normals[at] : to_f32(b[at]);
    }
  }
  if (ctx.wants(1)) outs[1].as<std::int64_t>()[0] = static_cast<std::int64_t>(counter);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(philox_random_like) = {
    .name = "philox_random_like",
    .doc =
        "Random numbers that depend on the seeds and the counter alone: Philox 4x32 of ten rounds, as TensorFlow draws "
        "them, row by row: a word for an f32, two for an f64 or for two normal numbers.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attrs = kAttrs,
    .infer = infer};
MOTE_DEFINE_REFERENCE(philox_random_like) = run;

}  // namespace mote
