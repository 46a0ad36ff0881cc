// idot: products of integers of 8 bits, or of 16 by 8 bits, exact: matrices, and channels-last convolutions whose rows
// are pixels. Sums of bytes are i32, which wraps; those of words are i64, or i32 where nothing can tell the difference.
//
//   sum[m, n] = bias[n] + sum over k of (a[m, k] - a_zero) (b[k, n] - b_zero[n])
//   i32: y = sum (of bytes only);   integers of 8 bits, and of 16 from words: y = clamp(scaled(sum) + y_zero, low,
//     high), where scaled is, by `recipe`, kHalfEven round_even(f32(sum) * scale[n]), kFixed scale_fixed(i32(sum),
//     scale[n]), kHalfAway round_half_away(f64(sum) * scale[n]), kFixedWide (of words only) scale_fixed_wide(sum,
//     scale[n])
//   f32: y = epilogue(f32(sum) * scale[n] + float_bias[n])
//
// A is u8 or i8, read in place by rows, or copied per tile: widened, where the row's depth is 2, and of a convolution
// the piece of the image under the tile, padded with a_zero, so that rows are places in it and taps offsets from them.
// B is packed once (pack) into panels of 16 columns, [k / depth][16][depth] signed bytes, k filled up with zeros (of a
// convolution after every stretch of taps that are neighbours in memory); behind the panels follow the columns' sums.
// On Arm, A's rows are packed as well, some at a time (packed_impl.h).
// Bytes that are unsigned are packed less 128, and their zero points likewise. Words of A are multiplied by pairs, in
// place or copied as they are, on every CPU (`depth` 2); unsigned ones are taken less 2^15, and their zero point
// likewise. `prepare`, one tile, turns zero points
// and scales, which may be values of the run, into what `run` adds. Class `exact`: integers everywhere; requantizing is
// f32 in one order.
#pragma once

#include <span>

#include "base/cpu.h"
#include "base/fixed_point.h"
#include "base/inline.h"
#include "kernels/epilogue.h"
#include "kernels/kernel.h"
#include "kernels/tiling.h"
#include "mote/dtype.h"

namespace mote::kernels::idot {

inline constexpr std::int64_t kPanel = 16;
// A depth: eight k, of which two columns stand side by side with the first four, then with the others.
inline constexpr int kHalves = 9;

constexpr std::int64_t quads_of(std::int64_t k) { return (k + 3) / 4; }
constexpr std::int64_t panels_of(std::int64_t n) { return (n + kPanel - 1) / kPanel; }
// Bytes of one packed [k, n], with its column sums.
MOTE_INLINE constexpr std::int64_t packed_size(std::int64_t k, std::int64_t n) {
  return panels_of(n) * (quads_of(k) * 64 + kPanel * 4);
}
// Taps of a convolution; channels-last, up to three spatial axes.
struct Window {
  std::int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1},
               dilation[3] = {1, 1, 1}, pad[3] = {};
  std::int64_t channels = 0;  // of a group
};

// Stretches of the taps that are neighbours in memory: how many, of how many bytes, and those filled up to whole steps.
struct Segments {
  std::int64_t count, length, pitch;
  std::int64_t packed_k() const { return count * pitch; }
};
Segments segments_of(std::int64_t k, int depth);  // of plain rows
Segments segments_of(const Window& window, int depth);

// Element (k, j) of the source lies at k * k_stride + j * n_stride; `depth` is that of the row that reads it.
void pack(const std::uint8_t* b, bool is_signed, const Segments& k, std::int64_t n, std::int64_t k_stride,
          std::int64_t n_stride, int depth, std::byte* out) noexcept;
// The same in pieces, of `k` plain rows by n columns and into zeros: the rows of k, from a multiple of 16 on, and
// columns of the source from `b` on.
struct Piece {
  std::int64_t k_begin, k_count, n_begin, n_count;
};
void pack_piece(const std::uint8_t* b, bool is_signed, std::int64_t k, std::int64_t n, const Piece& piece,
                std::int64_t k_stride, std::int64_t n_stride, int depth, std::byte* out) noexcept;

// How A is read: where it lies (rows, or the pixels of 1x1 windows), as copied pieces of the image, or pixel by pixel
// with all its taps.
enum class Access : std::uint8_t { kPlace, kImage, kPixels };
// How depthwise convolutions are computed; see depthwise.h. kPixels: by quads or pairs of taps where these are there.
enum class Depthwise : std::uint8_t { kPixels, kRows };

// A parameter that may be one value or one per column.
struct PerColumn {
  const std::byte* data = nullptr;  // null: zero
  std::int64_t count = 1;
};

struct Params {
  // A: rows of k elements, or pixels, `a_row` elements apart; pixels where `gather` is set.
  const std::uint8_t* a = nullptr;
  std::int64_t a_row = 0;
  bool a_signed = false, b_signed = true, gather = false;
  bool words = false;     // elements of A have 16 bits
  bool winograd = false;  // see winograd.h
  Window window;
  const std::byte* b = nullptr;  // packed
  // Of one product; `groups` of them with B, columns and channels side by side (convolutions), or `batch` with A, B and
  // C apart.
  std::int64_t m = 0, n = 0, k = 0, groups = 1, batch = 1;
  std::int64_t a_batch = 0, b_batch = 0, c_batch = 0;  // elements, bytes, elements
  std::byte* c = nullptr;
  std::int64_t c_row = 0;  // elements
  DType out = DType::i32;
  Recipe recipe = Recipe::kHalfEven;        // integers of 8 and 16 bits only
  const std::byte* a_zero = nullptr;        // one element, or null
  PerColumn b_zero;                         // bytes
  const std::int32_t* bias = nullptr;       // [groups * n]
  const std::int64_t* wide_bias = nullptr;  // the same, of words only
  // Scale: a_scale * b_scale[n] / y_scale, in f64 but for kHalfEven; f32: a_scale * b_scale[n].
  const float *a_scale = nullptr, *y_scale = nullptr;
  PerColumn b_scale;  // floats
  const std::byte* y_zero = nullptr;
  std::int32_t low = -(1 << 15), high = (1 << 16) - 1;  // what integers are clamped to, within their dtype
  const float* float_bias = nullptr;                    // f32 only: [groups * n]
  Epilogue epilogue;                                    // f32 only
  // A B that is an activation: packed by `pack_run`, `batch` of them, from here to `b`.
  const std::uint8_t* b_plain = nullptr;
  std::int64_t b_plain_batch = 0, b_k_stride = 0, b_n_stride = 0;
  // Memory of the step for what `prepare` finds, of the size that setup gives.
  std::byte* shared = nullptr;
  // By setup.
  Cut rows, cols;  // of a product: rows (kImage: lines of an image; winograd.h: its tiles), columns
  std::int64_t row_step = 0, row_tiles = 0;  // rows of a tile at most, tiles side by side
  bool signed_kernel = false;
  bool quads = false;      // of a depthwise convolution: multiplied by fours where weights are bytes
  std::int64_t steps = 0;  // of 64 bytes in a panel of B
  int depth = 4;
  Access access = Access::kPlace;
  Depthwise depthwise = Depthwise::kPixels;
  Segments segments{1, 0, 0};
  std::int64_t packed_rows = 0;  // of A at a time, where rows are packed
  // kImage: parts of a line, rows and columns of the image under a tile, and bytes from row to row of its copy.
  Cut strips;
  std::int64_t piece_rows = 1, piece_columns = 1, piece_pitch = 0;
};

struct Row {
  const char* name;
  Isa isa;
  Numerics numerics;
  KernelFn<Params> run, depthwise;                 // depthwise: see depthwise.h
  KernelFn<Params> run_words, depthwise_of_words;  // of A of 16 bits
  KernelFn<Params> run_winograd;                   // see winograd.h
  int winograd;                                    // channels side by side in its weights; 0: there is none
  Depthwise reads;
  bool signed_a;  // depth 8: as p.a_signed
  int depth;      // k that one step multiplies, packed side by side; 2: of A widened to 16 bits; or kHalves
};

std::span<const Row> kernels();
const Row& select(const CpuFeatures& cpu);
constexpr int depth_of(const Row& row, bool words) { return words ? 2 : row.depth; }

struct Work {
  std::int64_t tiles;
  std::size_t scratch_bytes, shared_bytes;
};
Work setup(const Row& row, Params* params);

// A thread's scratch: per row of a tile where it starts, the sum of its bytes, and sums of products that wait for more;
// offsets of the segments, copies.
struct RowScratch {
  std::int64_t at = 0, sums, partial, segments, packed, copy, bytes;
};
RowScratch row_scratch_of(const Params& p);

// Per column: f32 factors and float_bias, fixed-point multipliers and their shifts (of kFixedWide the upper bits of the
// multipliers, and how far products are shifted to the right), or f64 factors, in one place.
union Scales {
  struct {
    float *factor, *bias;
  } f32;
  struct {
    std::int32_t *multiplier, *shift;
  } fixed;
  double* f64;
};
// The scales in `words`, 2 * columns of 4 bytes.
Scales scales_at(std::int32_t* words, std::int64_t columns, Recipe recipe);
// Writes that of one column, from those of the operands.
void set_scale(const Params& p, std::int64_t column, std::int64_t at, const Scales& to);

std::int32_t y_zero_of(const Params& p);
std::int64_t bias_of(const Params& p, std::int64_t column);

// What `prepare` leaves in shared memory: per product and column, what is added and the scale; and the zero points.
struct Shared {
  std::int32_t* add;   // [groups * n], per batch where B's sums differ
  std::int32_t* zero;  // [groups * n]: of b, of its packed form
  Scales scales;       // [groups * n]
  // [0]: some b zero point is not 0; [1]: y's zero point; [2]: i32 is enough for sums of words; [3]: with kHalves, some
  // byte of B is -128; [4]: some factor of kHalfEven is not finite
  std::int32_t* flags;
  std::int64_t* wide_add;  // as add, of words
};
// Whether sums of words by i32 are as good as exact ones: no sum leaves i32, which `most`, a bound on what is added up
// and the bias, says; or i32 is what the recipe asks for.
constexpr bool narrow_sums(Recipe recipe, double most) { return recipe == Recipe::kFixed || most < 0x1p31 - 1; }
// The zero point of words, 0 where there is none, as they are stored.
std::int32_t word_zero(const Params& p);
// The greatest distance of a word from its zero point.
double word_reach(const Params& p);
Shared shared_of(const Params& p);
std::int64_t shared_bytes_of(const Params& p);
constexpr std::int64_t shared_columns(const Params& p) { return p.groups * panels_of(p.n) * kPanel; }

void pack_run(const Params& p, TileRange range) noexcept;  // tiles: batch
void prepare(const Params& p, TileRange range) noexcept;   // one tile

}  // namespace mote::kernels::idot
