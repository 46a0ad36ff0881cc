// Adding blocks of columns back into an image.
#include "ops/infer_util.h"
#include "ops/nn/window.h"
#include "ops/ops.h"
#include "ops/run_util.h"
#include "ops/widen.h"

namespace mote {
namespace {

constexpr Slot kInputs[] = {{"input", "[N, C * elements of a block, blocks]"},
                            {"image_shape", "i64: spatial extents of the image"},
                            {"block_shape", "i64: extents of a block"}};
constexpr Slot kOutputs[] = {{"output", "[N, C, image_shape]: the sum of all blocks that cover an element"}};
constexpr AttrSpec kAttrs[] = {kDilationsAttr, kPadsAttr, kStridesAttr};

Status infer(InferContext& ctx) {
  MOTE_TRY(check_dtype(ctx, 0, kNumbers));
  MOTE_TRY(check_rank(ctx, 0, 3, 3));
  for (int i : {1, 2}) {
    MOTE_TRY(check_dtype(ctx, i, kInts));
    MOTE_TRY(check_rank(ctx, i, 1, 1));
  }
  const KnownValue *image = ctx.value(1), *block = ctx.value(2);
  std::optional<std::size_t> space;
  for (int i : {1, 2}) {
    if (ctx.has_rank(i) && ctx.shape(i)[0].is_const()) space = static_cast<std::size_t>(ctx.shape(i)[0].value());
  }
  if (image) space = image->size();
  if (!space || *space + 2 > kMaxRank) return ctx.output(0, Type::tensor(ctx.dtype(0))), Status();
  if (block && block->size() != *space) return ctx.error("image_shape and block_shape differ in length");
  Shape x = ctx.has_rank(0) ? ctx.shape(0) : ctx.fresh_shape(3);
  Shape y = {x[0], ctx.fresh()};
  if (block) {
    Dim elements = volume(*block);
    if (elements.is_const() && elements.value() <= 0) return ctx.error("block_shape: must be positive");
    if (elements.is_const() && x[1].is_const() && x[1].value() % elements.value() != 0) {
      return ctx.error(x[1].to_string() + " rows are no multiple of a block's " + elements.to_string() + " elements");
    }
    y[1] = floordiv(x[1], elements);
  }
  for (std::size_t i = 0; i < *space; ++i) y.push_back(image ? (*image)[i] : ctx.fresh());
  if (image && block) {
    auto window = window_of(ctx.op(), ctx.attrs(), *image, *block);
    if (!window.ok()) return ctx.error(std::string(window.status().message()));
    Dim blocks = 1;
    for (const WindowAxis& a : *window) blocks = blocks * a.out;
    if (blocks.is_const() && x[2].is_const() && !(blocks == x[2])) {
      return ctx.error("the image takes " + blocks.to_string() + " blocks, the input has " + x[2].to_string());
    }
  }
  ctx.output(0, ctx.dtype(0), std::move(y));
  return {};
}

Status run(ReferenceContext& ctx) {
  const TensorView& x = ctx.in(0);
  MOTE_ASSIGN(TensorView y, infer_out(ctx));
  std::vector<std::int64_t> block = read_ints(ctx.in(2));
  MOTE_ASSIGN(Window window, window_of(ctx.op(), ctx.attrs(), dims_of(y, 2, y.rank - 2),
                                       std::vector<Dim>(block.begin(), block.end())));
  MOTE_ASSIGN(auto sums, wide_scratch(ctx, y.count()));
  const std::vector<std::int64_t> blocks = outputs_of(window);
  std::int64_t row = 0;
  for (std::int64_t plane : ctx.range(y.dims[0] * y.dims[1])) {
    for_each_index(ctx, block, [&](std::span<const std::int64_t> k) {
      std::int64_t from = row++ * x.dims[2];
      for_each_index(ctx, blocks, [&](std::span<const std::int64_t> o) {
        std::int64_t to = plane * y.strides[1];
        bool inside = true;
        for (std::size_t a = 0; a < window.size(); ++a) {
          std::int64_t i = window[a].source(o[a], k[a]);
          inside = inside && i >= 0;
          to += i * y.strides[a + 2];
        }
        if (inside) sums[static_cast<std::size_t>(to)] += load_f64(x, from);
        ++from;
      });
    });
  }
  narrow(ctx, sums, y);
  return {};
}

}  // namespace

MOTE_DEFINE_OP(col2im) = {.name = "col2im",
                          .doc = "Adds blocks of columns back into an image: the inverse of im2col.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attrs = kAttrs,
                          .infer = infer,
                          .shape_operands = 0b110};
MOTE_DEFINE_REFERENCE(col2im) = run;

}  // namespace mote
