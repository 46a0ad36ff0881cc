#include "formats/tflite/quantization.h"

#include "base/text.h"

namespace mote::tflite {
namespace {

Result<Quantization> blockwise(const fbs::BlockwiseQuantization& b) {
  Quantization q;
  if (b.block_size() <= 0) return invalid(concat("block size ", b.block_size(), " is not positive"));
  q.block = b.block_size();
  q.scale_tensor = b.scales();
  q.zero_point_tensor = b.zero_points();
  return q;
}

}  // namespace

Result<Quantization> quantization_of(const fbs::Tensor& tensor) {
  const fbs::Quantization* p = tensor.quantization();
  if (!p) return Quantization();
  if (const fbs::BlockwiseQuantization* b = p->details_as_Blockwise()) return blockwise(*b);
  if (p->details_as_MultiAxis()) return unsupported("quantization along several axes");
  if (size_of(p->scale()) == 0) return Quantization();
  Quantization q;
  q.scales.assign(p->scale()->begin(), p->scale()->end());
  q.zero_points = ints_of(p->zero_point());
  q.axis = p->quantized_dimension();
  std::size_t n = q.scales.size();
  if (q.zero_points.empty()) q.zero_points.assign(n, 0);
  if (q.zero_points.size() == 1) q.zero_points.assign(n, q.zero_points[0]);
  if (q.zero_points.size() != n) {
    return invalid(concat("has ", n, " scales and ", q.zero_points.size(), " zero points"));
  }
  if (n == 1) {
    q.axis = 0;
    return q;
  }
  std::vector<std::int64_t> shape = ints_of(tensor.shape());
  if (q.axis < 0 || static_cast<std::size_t>(q.axis) >= shape.size() ||
      shape[static_cast<std::size_t>(q.axis)] != static_cast<std::int64_t>(n)) {
    return invalid(concat("has ", n, " scales along axis ", q.axis, " of ", shape_text(shape)));
  }
  return q;
}

bool is_quantized(const fbs::Tensor& tensor) {
  DType t = dtype_of(tensor.type());
  if (!is_int(t) || bits_of(t) > 16 || !tensor.quantization()) return false;
  return size_of(tensor.quantization()->scale()) != 0 ||
         tensor.quantization()->details_type() != fbs::QuantizationDetails::NONE;
}

}  // namespace mote::tflite
