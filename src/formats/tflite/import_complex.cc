// Complex numbers, which are pairs of floats along a further axis where they are computed with.
#include "formats/tflite/compose.h"

namespace mote::tflite {

Status import_real(NodeContext& n) {
  n.output(0, complex_part(n, n.in(0), 0));
  return {};
}

Status import_imag(NodeContext& n) {
  n.output(0, complex_part(n, n.in(0), 1));
  return {};
}

Status import_complex_abs(NodeContext& n) {
  ValueId pairs = n.emit("bitcast", {n.in(0)}, {{"to", DType::f32}});
  n.output(0, n.emit("reduce_l2", {pairs, n.ints({-1})}, {{"keepdims", std::int64_t{0}}}));
  return {};
}

Status import_bitcast(NodeContext& n) {
  const fbs::Tensor* to = n.output_tensor(0);
  DType t = to ? dtype_of(to->type()) : DType::none;
  if (t == DType::none) return invalid("its result has no type that is known");
  n.output(0, n.emit("bitcast", {n.in(0)}, {{"to", t}}));
  return {};
}

// The transform of the last two axes, cut or padded with zeros to the given lengths: of the last one the half that
// real numbers need, then all of the one before.
Status import_rfft2d(NodeContext& n) {
  ValueId x = n.in(0);
  int rank = n.need_rank(x);
  Ints length = n.need_ints(1, "lengths");
  if (n.failed()) return {};
  if (rank < 2 || length.size() != 2 || length[0] < 1 || length[1] < 1) {
    return invalid("needs two axes and two lengths above 0");
  }
  x = sliced(n, x, {0, 0}, {length[0], length[1]}, {rank - 2, rank - 1});
  for (int i = 0; i < 2; ++i) {
    ValueId missing = n.emit("sub", {n.ints({length[static_cast<std::size_t>(i)]}), extent(n, x, rank - 2 + i)});
    x = n.emit("pad", {x, joined(n, {n.ints({0}), missing}), kNone, n.ints({rank - 2 + i})});
  }
  x = n.emit("dft", {unsqueezed(n, x, {rank}), kNone, n.scalar_int(rank - 1)}, {{"onesided", std::int64_t{1}}});
  x = n.emit("dft", {x, kNone, n.scalar_int(rank - 2)});
  n.output(0, n.emit("bitcast", {x}, {{"to", DType::c64}}));
  return {};
}

}  // namespace mote::tflite
