// Functions of two and more tensors.
#include "formats/tflite/compose.h"

namespace mote::tflite {

// The quotient rounded down. Of integers: truncated, and one less where the remainder has the other sign.
Status import_floor_div(NodeContext& n) {
  ValueId x = n.in(0), y = n.in(1), q = n.emit("div", {x, y});
  DType t = n.dtype(x);
  if (is_float(t)) {
    n.output(0, n.emit("floor", {q}));
    return {};
  }
  ValueId zero = n.scalar(0, t);
  ValueId signs = n.emit("xor", {n.emit("less", {x, zero}), n.emit("less", {y, zero})});
  ValueId rest = n.emit("not", {n.emit("equal", {n.emit("mod", {x, y}), zero})});
  n.output(0, n.emit("sub", {q, n.emit("cast", {n.emit("and", {signs, rest})}, {{"to", t}})}));
  return {};
}

// The angle of the point (x, y), y first. Signs are those of the bits: -0 is below.
Status import_atan2(NodeContext& n) {
  ValueId y = n.in(0), x = n.in(1);
  DType t = n.dtype(y);
  ValueId zero = n.scalar(0, t), height = n.emit("abs", {y}), width = n.emit("abs", {x});
  constexpr double kPi = 3.14159265358979323846;
  auto below = [&](ValueId v) {
    return n.emit("or", {n.emit("less", {v, zero}), n.emit("less", {n.emit("reciprocal", {v}), zero})});
  };
  ValueId angle = n.emit("atan", {n.emit("div", {height, width})});
  ValueId nowhere = n.emit("equal", {n.emit("add", {height, width}), zero});
  angle = n.emit("where", {nowhere, zero, angle});
  ValueId far = n.emit("and", {n.emit("is_inf", {x}), n.emit("is_inf", {y})});
  angle = n.emit("where", {far, n.scalar(kPi / 4, t), angle});
  angle = n.emit("where", {below(x), n.emit("sub", {n.scalar(kPi, t), angle}), angle});
  n.output(0, n.emit("where", {below(y), n.emit("neg", {angle}), angle}));
  return {};
}

Status import_squared_difference(NodeContext& n) {
  ValueId d = n.emit("sub", {n.in(0), n.in(1)});
  n.output(0, n.emit("mul", {d, d}));
  return {};
}

Status import_not_equal(NodeContext& n) {
  n.output(0, n.emit("not", {n.emit("equal", {n.in(0), n.in(1)})}));
  return {};
}

// x > y ? x : y, where what is no number decides as C does: y is taken.
Status import_maximum(NodeContext& n) {
  ValueId x = n.in(0), y = n.in(1);
  n.output(0, is_float(n.dtype(x)) ? n.emit("where", {n.emit("greater", {x, y}), x, y}) : n.emit("max", {x, y}));
  return {};
}
Status import_minimum(NodeContext& n) {
  ValueId x = n.in(0), y = n.in(1);
  n.output(0, is_float(n.dtype(x)) ? n.emit("where", {n.emit("less", {x, y}), x, y}) : n.emit("min", {x, y}));
  return {};
}

// Bits that are shifted in are copies of the sign; a shift past the width counts as one by all bits but one.
Status import_right_shift(NodeContext& n) {
  // By as many bits as there are the first one stays: LiteRT shifts by one less, of unsigned numbers too.
  const DType t = n.dtype(n.in(1));
  const ValueId by = n.emit("min", {n.in(1), n.scalar(static_cast<double>(bits_of(t) - 1), t)});
  n.same("bit_shift", {n.in(0), is_signed_int(t) ? n.in(1) : by}, {{"direction", std::string("RIGHT")}});
  return {};
}

Status import_add_n(NodeContext& n) {
  n.same("sum", n.all_inputs());
  return {};
}

// The condition is a scalar, of the operands' shape, or has an element for each index of their first axis.
Status import_select(NodeContext& n) {
  ValueId c = n.in(0);
  int rank = n.need_rank(n.in(1));
  if (n.need_rank(c) == 1 && rank > 1) {
    Ints axes;
    for (int i = 1; i < rank; ++i) axes.push_back(i);
    c = unsqueezed(n, c, std::move(axes));
  }
  n.output(0, n.emit("where", {c, n.in(1), n.in(2)}));
  return {};
}

}  // namespace mote::tflite
