// Operators on quantized tensors.
#include "formats/tflite/node.h"

namespace mote::tflite {

// Constants of half precision stay as they are, with a cast.
Status import_dequantize(NodeContext& n) {
  ValueId x = n.in(0);
  n.output(0, is_float(n.dtype(x)) ? n.cast(x, DType::f32) : n.dequantized(0));
  return {};
}

Status import_quantize(NodeContext& n) {
  n.unsupported("QUANTIZE");
  return {};
}

}  // namespace mote::tflite
