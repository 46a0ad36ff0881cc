#include "quant/blocks.h"

#include <algorithm>
#include <cmath>

#include "quant/rewriter.h"

namespace mote::quant {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;

// Scale and zero point of one block of `count` weights, `stride` apart.
struct Levels {
  float scale = 1;
  std::uint8_t zero = 0;
  std::uint8_t level(float x) const {
    float q = std::nearbyint(x / scale) + static_cast<float>(zero);
    return static_cast<std::uint8_t>(std::clamp(q, 0.0f, 15.0f));
  }
  float back(std::uint8_t level) const { return (static_cast<float>(level) - static_cast<float>(zero)) * scale; }
};

Levels levels_of(const float* w, std::int64_t count, std::int64_t stride) {
  float low = 0, high = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    low = std::min(low, w[i * stride]);
    high = std::max(high, w[i * stride]);
  }
  Levels l;
  if (!(high - low > 1e-30f)) return l;
  l.scale = (high - low) / 15;
  l.zero = static_cast<std::uint8_t>(std::clamp(std::nearbyint(-low / l.scale), 0.0f, 15.0f));
  return l;
}

// The upper Cholesky factor of the inverse of the symmetric matrix h [n, n]; empty where h is not positive definite.
std::vector<double> inverse_factor(std::vector<double> h, std::size_t n) {
  // h = l l^T.
  for (std::size_t j = 0; j < n; ++j) {
    double d = h[j * n + j];
    for (std::size_t k = 0; k < j; ++k) d -= h[j * n + k] * h[j * n + k];
    if (!(d > 0)) return {};
    d = std::sqrt(d);
    h[j * n + j] = d;
    for (std::size_t i = j + 1; i < n; ++i) {
      double s = h[i * n + j];
      for (std::size_t k = 0; k < j; ++k) s -= h[i * n + k] * h[j * n + k];
      h[i * n + j] = s / d;
    }
  }
  // l's inverse, lower triangular.
  std::vector<double> li(n * n, 0);
  for (std::size_t j = 0; j < n; ++j) {
    li[j * n + j] = 1 / h[j * n + j];
    for (std::size_t i = j + 1; i < n; ++i) {
      double s = 0;
      for (std::size_t k = j; k < i; ++k) s -= h[i * n + k] * li[k * n + j];
      li[i * n + j] = s / h[i * n + i];
    }
  }
  // The inverse of h is li^T li = u^T u with u upper triangular: the factor of the inverse, row by row.
  std::vector<double> inverse(n * n, 0);
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i <= k; ++i) {
      double a = li[k * n + i];
      if (a == 0) continue;
      for (std::size_t j = 0; j <= k; ++j) inverse[i * n + j] += a * li[k * n + j];
    }
  }
  std::vector<double> u(n * n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    double d = inverse[i * n + i];
    for (std::size_t k = 0; k < i; ++k) d -= u[k * n + i] * u[k * n + i];
    if (!(d > 0)) return {};
    d = std::sqrt(d);
    for (std::size_t j = i; j < n; ++j) {
      double s = inverse[i * n + j];
      for (std::size_t k = 0; k < i; ++k) s -= u[k * n + i] * u[k * n + j];
      u[i * n + j] = s / d;
    }
  }
  return u;
}

Blocks empty_blocks(const Floats& w, std::int64_t block) {
  std::size_t depth = static_cast<std::size_t>(w.shape[0]), columns = static_cast<std::size_t>(w.shape[1]);
  std::size_t blocks = depth / static_cast<std::size_t>(block);
  return {std::vector<std::uint8_t>(depth * columns), std::vector<float>(columns * blocks),
          std::vector<std::uint8_t>(columns * blocks)};
}

}  // namespace

Blocks round_blocks(const Floats& w, std::int64_t block) {
  std::int64_t depth = w.shape[0], columns = w.shape[1], blocks = depth / block;
  Blocks out = empty_blocks(w, block);
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      const float* first = w.data.data() + b * block * columns + c;
      Levels l = levels_of(first, block, columns);
      out.scales[static_cast<std::size_t>(c * blocks + b)] = l.scale;
      out.zeros[static_cast<std::size_t>(c * blocks + b)] = l.zero;
      for (std::int64_t k = 0; k < block; ++k)
        out.levels[static_cast<std::size_t>(c * depth + b * block + k)] = l.level(first[k * columns]);
    }
  }
  return out;
}

Blocks round_blocks_jointly(const Floats& w, std::int64_t block, std::span<const double> h) {
  std::size_t depth = static_cast<std::size_t>(w.shape[0]), columns = static_cast<std::size_t>(w.shape[1]);
  std::size_t per = static_cast<std::size_t>(block), blocks = depth / per;
  std::vector<double> damped(h.begin(), h.end());
  double mean = 0;
  for (std::size_t i = 0; i < depth; ++i) mean += damped[i * depth + i] / static_cast<double>(depth);
  if (!(mean > 0)) return round_blocks(w, block);
  for (std::size_t i = 0; i < depth; ++i) damped[i * depth + i] += 0.01 * mean;
  std::vector<double> u = inverse_factor(std::move(damped), depth);
  if (u.empty()) return round_blocks(w, block);

  Blocks out = empty_blocks(w, block);
  Floats left = w;
  std::vector<Levels> levels(columns);
  std::vector<float> lost(columns);
  for (std::size_t k = 0; k < depth; ++k) {
    float* row = left.data.data() + k * columns;
    for (std::size_t c = 0; c < columns; ++c) {
      std::size_t b = c * blocks + k / per;
      if (k % per == 0) {
        levels[c] = levels_of(row + c, block, static_cast<std::int64_t>(columns));
        out.scales[b] = levels[c].scale;
        out.zeros[b] = levels[c].zero;
      }
      std::uint8_t level = levels[c].level(row[c]);
      out.levels[c * depth + k] = level;
      lost[c] = static_cast<float>(static_cast<double>(row[c] - levels[c].back(level)) / u[k * depth + k]);
    }
    for (std::size_t j = k + 1; j < depth; ++j) {
      float share = static_cast<float>(u[k * depth + j]);
      if (share == 0) continue;
      float* later = left.data.data() + j * columns;
      for (std::size_t c = 0; c < columns; ++c) later[c] -= share * lost[c];
    }
  }
  return out;
}

Result<Moments> moments(const Module& m, const Chosen& chosen, SampleSource& samples, const QuantizeOptions& options,
                        const Link& link) {
  Moments out;
  std::map<ValueId, std::int64_t> depths;
  for (const Layer* l : chosen) depths[l->x] = l->depth;
  auto next = depths.begin();
  while (next != depths.end()) {
    std::vector<ValueId> observed;
    for (std::int64_t bytes = 0; next != depths.end(); ++next) {
      bytes += next->second * next->second * 8;
      if (!observed.empty() && bytes > kMostBytes) break;
      observed.push_back(next->first);
      out[next->first].assign(static_cast<std::size_t>(next->second * next->second), 0);
    }
    MOTE_ASSIGN(Runner runner, Runner::create(m, link, options.threads, observed));
    MOTE_TRY(samples.rewind());
    std::int64_t done = 0;
    for (;;) {
      MOTE_ASSIGN(const Sample* sample, samples.next());
      if (!sample) break;
      MOTE_TRY(runner.run(*sample));
      if (options.progress) options.progress("products of inputs", ++done, 0);
      for (std::size_t i = 0; i < observed.size(); ++i) {
        std::vector<double>& h = out[observed[i]];
        std::size_t n = static_cast<std::size_t>(depths[observed[i]]);
        for_rows(runner.observed(i), [&](const float* x, std::int64_t count, std::int64_t stride, std::int64_t) {
          if (static_cast<std::size_t>(count) != n) return;
          for (std::size_t a = 0; a < n; ++a) {
            double v = static_cast<double>(x[static_cast<std::int64_t>(a) * stride]);
            if (v == 0) continue;
            for (std::size_t b = 0; b < n; ++b)
              h[a * n + b] += v * static_cast<double>(x[static_cast<std::int64_t>(b) * stride]);
          }
        });
      }
    }
  }
  return out;
}

Status make_weight_only_4(Module& m, const Chosen& chosen, const Moments& moments, const QuantizeOptions& options) {
  Rewriter rewrite(m);
  for (NodeId i = 0; i < static_cast<NodeId>(rewrite.old().size()); ++i) {
    Node n = rewrite.old()[at(i)];
    auto it = std::ranges::find(chosen, i, [](const Layer* l) { return l->node; });
    if (it == chosen.end()) {
      rewrite.keep(std::move(n));
      continue;
    }
    const Layer& l = **it;
    MOTE_ASSIGN(Floats w, product_weights(m, l, n));
    auto h = moments.find(l.x);
    Blocks b = h == moments.end() ? round_blocks(w, options.block) : round_blocks_jointly(w, options.block, h->second);
    auto packed = [](const std::vector<std::uint8_t>& levels) {
      std::vector<std::byte> bytes((levels.size() + 1) / 2, std::byte{0});
      for (std::size_t k = 0; k < levels.size(); ++k) bytes[k / 2] |= static_cast<std::byte>(levels[k] << (k % 2 * 4));
      return bytes;
    };
    std::string name = rewrite.function().values[at(n.inputs[1])].name;
    std::int64_t blocks = l.depth / options.block;
    ValueId q = rewrite.constant(name + "_4bit", DType::u4, {l.channels, l.depth}, packed(b.levels));
    ValueId s = rewrite.constant(name + "_scales", DType::f32, {l.channels, blocks},
                                 to_bytes(std::span<const float>(b.scales)));
    ValueId z = rewrite.constant(name + "_zero_points", DType::u4, {l.channels, blocks}, packed(b.zeros));
    ValueId wide =
        rewrite.add(name, "dequantize_linear", {q, s, z}, {{"axis", std::int64_t{1}}, {"block_size", options.block}});
    ValueId turned = rewrite.add(name, "transpose", {wide}, {{"perm", std::vector<std::int64_t>{1, 0}}});
    MOTE_ASSIGN(ValueId bias, product_bias(rewrite, l, n));
    if (bias == kNone) {
      rewrite.put(n, "matmul", {n.inputs[0], turned});
    } else {
      ValueId y = rewrite.add(n.name, "matmul", {n.inputs[0], turned});
      rewrite.put(n, "add", {y, bias});
    }
  }
  return rewrite.finish();
}

}  // namespace mote::quant
