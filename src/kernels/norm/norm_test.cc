#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "kernels/testing.h"

namespace mote::kernels::norm {
namespace {

using testing::Data;
using testing::Scratch;
using Dims = std::vector<std::int64_t>;

struct Case {
  Dims dims, in, out, scale;
  std::uint32_t axes;
};
const std::vector<Case> kCases = {
    {{1, 1}, {1, 1}, {1, 1}, {0, 1}, 0b10},
    {{9, 37}, {37, 1}, {37, 1}, {0, 1}, 0b10},                                    // rows
    {{5, 5000}, {5000, 1}, {5008, 1}, {0, 1}, 0b10},                              // rows of two chunks, padded result
    {{37, 150}, {150, 1}, {150, 1}, {1, 0}, 0b01},                                // columns, scale per element
    {{2, 35, 21}, {735, 21, 1}, {735, 21, 1}, {0, 0, 1}, 0b010},                  // channels-last instance norm
    {{2, 21, 35}, {735, 35, 1}, {735, 35, 1}, {0, 1, 0}, 0b100},                  // channels-first instance norm
    {{2, 3, 7, 35}, {735, 245, 35, 1}, {735, 245, 35, 1}, {0, 7, 1, 0}, 0b1100},  // channels-first group norm
    {{2, 3, 7, 35}, {735, 7, 1, 21}, {735, 7, 1, 21}, {0, 7, 1, 0}, 0b1100},      // channels-last group norm
    {{3, 4, 6}, {24, 6, 1}, {24, 6, 1}, {0, 6, 1}, 0b110},                        // two axes as one
    {{4, 6, 8}, {48, 8, 1}, {1, 4, 24}, {0, 0, 1}, 0b100},                        // into a transposed result
    {{4200, 6}, {6, 1}, {6, 1}, {1, 0}, 0b01},                                    // columns of two chunks
};

Shape shape_of(const Case& c) {
  Shape s;
  s.rank = static_cast<int>(c.dims.size());
  std::copy(c.dims.begin(), c.dims.end(), s.dim);
  std::copy(c.in.begin(), c.in.end(), s.in_stride);
  std::copy(c.out.begin(), c.out.end(), s.out_stride);
  std::copy(c.scale.begin(), c.scale.end(), s.scale_stride);
  s.axes = c.axes;
  std::int64_t n = 1;
  for (int d = s.rank - 1; d >= 0; --d) {
    s.stat_stride[d] = n;
    if ((c.axes >> d & 1u) == 0) n *= s.dim[d];
  }
  return s;
}

// The formulas, in double.
void reference(Op op, const Case& c, double eps, const float* x, const float* scale, const float* shift, Data* out,
               Data* mean_out, Data* inverse_out) {
  std::int64_t kept = 1, reduced = 1;
  for (std::size_t d = 0; d < c.dims.size(); ++d) ((c.axes >> d & 1u) != 0 ? reduced : kept) *= c.dims[d];
  for (std::int64_t k = 0; k < kept; ++k) {
    struct Place {
      std::int64_t in = 0, out = 0, scale = 0;
    };
    std::vector<Place> places;
    for (std::int64_t r = 0; r < reduced; ++r) {
      Place at;
      std::int64_t ik = k, ir = r;
      for (std::size_t d = c.dims.size(); d-- > 0;) {
        std::int64_t& index = (c.axes >> d & 1u) != 0 ? ir : ik;
        std::int64_t i = index % c.dims[d];
        at.in += i * c.in[d];
        at.out += i * c.out[d];
        at.scale += i * c.scale[d];
        index /= c.dims[d];
      }
      places.push_back(at);
    }
    double most = -INFINITY, sum = 0, squares = 0, absolute = 0, e = 0, deviation = 0;
    auto n = static_cast<double>(reduced);
    for (auto& p : places) {
      double v = x[p.in];
      most = std::max(most, v);
      sum += v;
      squares += v * v;
      absolute += std::fabs(v);
    }
    for (auto& p : places) {
      e += std::exp(x[p.in] - most);
      deviation += (x[p.in] - sum / n) * (x[p.in] - sum / n);
    }
    double inverse = 1 / std::sqrt((op == Op::layer_norm ? deviation : squares) / n + eps);
    (*mean_out)[k] = static_cast<float>(op == Op::layer_norm ? sum / n : 0);
    (*inverse_out)[k] = static_cast<float>(inverse);
    for (auto& p : places) {
      double v = x[p.in], y = 0;
      switch (op) {
        case Op::softmax:
          y = std::exp(v - most) / e;
          break;
        case Op::log_softmax:
          y = v - most - std::log(e);
          break;
        case Op::layer_norm:
          y = (v - sum / n) * inverse * scale[p.scale] + shift[p.scale];
          break;
        case Op::rms_norm:
          y = v * inverse * scale[p.scale] + shift[p.scale];
          break;
        case Op::l1_norm:
          y = v / absolute;
          break;
        case Op::l2_norm:
          y = v / std::sqrt(squares);
          break;
      }
      (*out)[p.out] = static_cast<float>(y);
    }
  }
}

TEST(Norm, AgreesWithTheFormulasAndBetweenRows) {
  Data x(60000, 1), scale(8000, 2), shift(8000, 3);
  for (auto op : {Op::softmax, Op::log_softmax, Op::layer_norm, Op::rms_norm, Op::l1_norm, Op::l2_norm}) {
    for (std::size_t n = 0; n < kCases.size(); ++n) {
      Data want = Data::poisoned(60000), mean(256), inverse(256);
      reference(op, kCases[n], 1e-5, x.get(), scale.get(), shift.get(), &want, &mean, &inverse);
      Data first = Data::poisoned(60000);
      bool have_first = false;
      for (const Kernel& k : kernels()) {
        if (!k.run || !host_cpu().has(k.isa)) continue;
        Params p;
        Work w = setup(k, op, DType::f32, DType::f32, 1e-5f, shape_of(kCases[n]), &p);
        for (int parts : {1, 2, 3, 7}) {
          Data got = Data::poisoned(60000), m = Data::poisoned(256), i = Data::poisoned(256);
          p.in = x.get();
          p.out = got.get();
          bool affine = op == Op::layer_norm || op == Op::rms_norm;
          p.scale = affine ? scale.get() : nullptr;
          p.shift = affine ? shift.get() : nullptr;
          p.mean = m.get();
          p.inverse = i.get();
          testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes, parts);
          for (std::int64_t at = 0; parts == 1 && at < want.size(); ++at) {
            if (want[at] != want[at]) {
              ASSERT_NE(got[at], got[at]);  // untouched
            } else {
              ASSERT_NEAR(got[at], want[at], 4e-6 * (1 + std::fabs(want[at])))
                  << k.name << " case " << n << " at " << at;
            }
          }
          for (std::int64_t at = 0; affine && at < m.size(); ++at) {
            if (m[at] != m[at]) break;
            ASSERT_NEAR(m[at], mean[at], 1e-6);
            ASSERT_NEAR(i[at], inverse[at], 1e-5 * inverse[at]);
          }
          if (!have_first) first = got;
          have_first = true;
          ASSERT_TRUE(got.same_bits(first)) << k.name << " case " << n << " parts " << parts;
        }
      }
    }
  }
}

TEST(Norm, PiecesOfLongSequencesGiveTheBitsOfWholeOnes) {
  // Two sequences; of two axes, so that scale and shift come in runs that pieces cut.
  const std::int64_t n = 2, rows = 11, width = 12'007, length = rows * width;
  Data x(n * length, 1), scale(length, 2), shift(length, 3);
  const Dims stride = {length, width, 1};
  bool have_first = false;
  for (auto op : {Op::softmax, Op::log_softmax, Op::layer_norm, Op::rms_norm, Op::l1_norm, Op::l2_norm}) {
    for (const Dims& scale_stride : {Dims{0, width, 1}, Dims{0, 1, 0}, Dims{1, 0, 0}}) {
      Data first(n * length);
      have_first = false;
      for (const Kernel& k : kernels()) {
        if (!k.run || !host_cpu().has(k.isa)) continue;
        for (bool pieces : {false, true}) {
          Params p;
          Data got = Data::poisoned(n * length), mean = Data::poisoned(n), inverse = Data::poisoned(n);
          Work w = setup(k, op, DType::f32, DType::f32, 1e-5f,
                         shape_of({{n, rows, width}, stride, stride, scale_stride, 0b110}), &p);
          ASSERT_GE(w.tiles, n * 4) << k.name;
          Scratch partials(w.shared_bytes);
          p.in = x.get();
          p.out = got.get();
          bool affine = op == Op::layer_norm || op == Op::rms_norm;
          p.scale = affine ? scale.get() : nullptr;
          p.shift = affine ? shift.get() : nullptr;
          p.mean = mean.get();
          p.inverse = inverse.get();
          p.partials = reinterpret_cast<float*>(partials.get());
          if (pieces) {
            for (int round = 0; round < kRounds; ++round) {
              for (std::int64_t t = w.tiles; t-- > 0;)
                k.run(p, {round * w.tiles + t, round * w.tiles + t + 1, nullptr});
            }
          } else {
            p.pieces = 0;
            k.run(p, {0, n, nullptr});
          }
          if (!have_first) first = got;
          have_first = true;
          ASSERT_TRUE(got.same_bits(first)) << k.name << (pieces ? " in pieces" : " whole");
          for (std::int64_t i = 0; affine && i < n; ++i) ASSERT_EQ(inverse[i], inverse[i]);
        }
      }
    }
  }
}

TEST(Norm, LayoutDoesNotChangeBits) {
  // The same logical tensor [2, 21, 5*7], channels first and channels last.
  const std::int64_t n = 2, c = 21, hw = 35;
  Data first(n * c * hw, 5), last(n * c * hw);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < c; ++j) {
      for (std::int64_t k = 0; k < hw; ++k) last[(i * hw + k) * c + j] = first[(i * c + j) * hw + k];
    }
  }
  const Kernel& k = select(host_cpu());
  for (std::uint32_t axes : {0b010u, 0b100u, 0b110u}) {
    for (Op op : {Op::softmax, Op::layer_norm, Op::l2_norm}) {
      Data a(n * c * hw), b(n * c * hw);
      auto run = [&](const Dims& stride, Data& in, Data& out) {
        Params p;
        Work w = setup(k, op, DType::f32, DType::f32, 0, shape_of({{n, c, hw}, stride, stride, {0, 0, 0}, axes}), &p);
        p.in = in.get();
        p.out = out.get();
        testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes);
      };
      run({c * hw, hw, 1}, first, a);
      run({c * hw, 1, c}, last, b);
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < c; ++j) {
          for (std::int64_t l = 0; l < hw; ++l) {
            ASSERT_EQ(f32_to_bits(a[(i * c + j) * hw + l]), f32_to_bits(b[(i * hw + l) * c + j])) << axes;
          }
        }
      }
    }
  }
}

TEST(Norm, HalvesInPlaceAndEdges) {
  for (const Kernel& k : kernels()) {
    if (!k.run || !host_cpu().has(k.isa)) continue;
    Params p;
    std::vector<std::uint16_t> h(3 * 50), scale(50, f32_to_bf16(2.0f));
    for (std::size_t i = 0; i < h.size(); ++i) h[i] = f32_to_f16(static_cast<float>(i % 13) - 5);
    std::vector<std::uint16_t> before = h;
    Work w = setup(k, Op::rms_norm, DType::f16, DType::bf16, 0, shape_of({{3, 50}, {50, 1}, {50, 1}, {0, 1}, 2}), &p);
    p.in = p.out = h.data();
    p.scale = scale.data();
    testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes, 2);
    double squares = 0;
    for (int i = 0; i < 50; ++i) squares += std::pow(f16_to_f32(before[static_cast<std::size_t>(i)]), 2);
    EXPECT_NEAR(f16_to_f32(h[3]), f16_to_f32(before[3]) / std::sqrt(squares / 50) * 2, 2e-3);

    float edge[4] = {-INFINITY, 0, -INFINITY, 0}, out[4];
    w = setup(k, Op::softmax, DType::f32, DType::f32, 0, shape_of({{1, 4}, {4, 1}, {4, 1}, {0, 0}, 2}), &p);
    p.scale = nullptr;
    p.in = edge;
    p.out = out;
    testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[1], 0.5f);
    float nothing[4] = {};
    w = setup(k, Op::l2_norm, DType::f32, DType::f32, 0, shape_of({{1, 4}, {4, 1}, {4, 1}, {0, 0}, 2}), &p);
    p.in = nothing;
    p.out = out;
    testing::run_in_parts(k.run, p, w.tiles, w.scratch_bytes);
    EXPECT_EQ(out[2], 0);
  }
}

}  // namespace
}  // namespace mote::kernels::norm
