// Operators that move elements.
#include "formats/tflite/node.h"

namespace mote::tflite {

Status import_concatenation(NodeContext& n) {
  auto* o = n.options<fbs::ConcatenationOptions>(fbs::BuiltinOptions::Concatenation);
  ValueId v = n.emit("concat", n.all_inputs(), {{"axis", std::int64_t{o ? o->axis() : 0}}});
  n.output(0, n.activate(v, o ? o->activation() : fbs::Activation::NONE));
  return {};
}

// The shape is an operand, or else an option.
Status import_reshape(NodeContext& n) {
  auto* o = n.options<fbs::ReshapeOptions>(fbs::BuiltinOptions::Reshape);
  ValueId shape = n.has(1) ? n.as_i64(n.in(1)) : n.ints(ints_of(o ? o->new_shape() : nullptr));
  // A zero is an extent of none here.
  n.output(0, n.emit("reshape", {n.in(0), shape}, {{"allowzero", std::int64_t{1}}}));
  return {};
}

}  // namespace mote::tflite
