// Which row or function an operator goes through.
#include <algorithm>

#include "base/text.h"
#include "formats/tflite/node.h"

namespace mote::tflite {
namespace {

// Types of quantized operands and results, for messages: "i8 and i32".
std::string types_text(const std::vector<const fbs::Tensor*>& tensors) {
  std::vector<std::string> names;
  for (const fbs::Tensor* t : tensors) {
    std::string name(mote::name_of(dtype_of(t->type())));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return join(names, " and ");
}

bool alike(const std::vector<const fbs::Tensor*>& tensors) {
  Result<Quantization> first = quantization_of(*tensors[0]);
  return first.ok() && first->per_tensor() && std::all_of(tensors.begin(), tensors.end(), [&](const fbs::Tensor* t) {
           Result<Quantization> q = quantization_of(*t);
           return q.ok() && *q == *first;
         });
}

Status convert_custom(NodeContext& n) {
  if (ConvertFn f = find_custom(n.op_name())) return f(n);
  const ImportOptions& options = n.importer().options();
  std::string_view name = text_of(n.importer().file().code(n.proto()).custom_code());
  if (const Op* op = options.custom_op ? options.custom_op(name) : nullptr) return import_custom_op(n, *op);
  if (name.starts_with("Flex")) {
    n.unsupported(concat(n.op_name(), ", an operator of TensorFlow itself (convert the model without SELECT_TF_OPS)"));
  } else {
    n.unsupported(concat("custom operator ", quoted(name), " (a plugin may add it, see --plugin)"));
  }
  return {};
}

}  // namespace

bool can_convert(NodeContext& n, const Row* row) {
  if (n.op() != fbs::BuiltinOperator::CUSTOM) return row || find_quantized(n.op());
  const ImportOptions& options = n.importer().options();
  std::string_view name = text_of(n.importer().file().code(n.proto()).custom_code());
  return find_custom(name) || (options.custom_op && options.custom_op(name));
}

Status convert(NodeContext& n, const Row* row) {
  if (n.op() == fbs::BuiltinOperator::CUSTOM) return convert_custom(n);
  if (!can_convert(n, row)) {
    bool of_stablehlo = n.op_name().starts_with("STABLEHLO_");
    n.unsupported(concat(n.op_name(), of_stablehlo ? " (convert the model to TensorFlow Lite's own operators)" : ""));
    return {};
  }
  if (row && n.version() > row->newest) {
    n.unsupported(concat(n.op_name(), " of version ", n.version(), " (Mote reads up to ", row->newest, ")"));
    return {};
  }
  std::vector<const fbs::Tensor*> quantized;
  bool at_ends = false;  // the first operand or a result
  for (int i = 0; i < static_cast<int>(size_of(n.proto().inputs())); ++i) {
    const fbs::Tensor* t = n.input_tensor(i);
    if (!t || !is_quantized(*t)) continue;
    quantized.push_back(t);
    at_ends = at_ends || i == 0;
  }
  for (int i = 0; i < n.outputs(); ++i) {
    if (!is_quantized(*n.output_tensor(i))) continue;
    quantized.push_back(n.output_tensor(i));
    at_ends = true;
  }
  Accepts accepts = row ? row->accepts : Accepts::kReal;
  bool takes = row && (quantized.empty() || accepts == Accepts::kAny || (accepts == Accepts::kHybrid && !at_ends) ||
                       (accepts == Accepts::kStorage && alike(quantized)));
  if (!takes) {
    if (ConvertFn f = find_quantized(n.op()); f && !quantized.empty()) return f(n);
    n.unsupported(quantized.empty() ? std::string(n.op_name()) : concat(n.op_name(), " of ", types_text(quantized)));
    return {};
  }
  if (row->convert) return row->convert(n);
  n.same(row->to, n.all_inputs());
  return {};
}

}  // namespace mote::tflite
