// The operator tables: which Mote op, or which function, an operator becomes; see ops.inc, quantized.inc and
// custom.inc.
#pragma once

#include <span>
#include <string_view>

#include "formats/tflite/file.h"
#include "mote/status.h"

namespace mote::tflite {

class NodeContext;
using ConvertFn = Status (*)(NodeContext&);

// Which quantized tensors a row of ops.inc is right for.
enum class Accepts : std::uint8_t {
  kReal,     // none: operands and results are what they are
  kHybrid,   // operands beyond the first, where the first and the results are not: the function dequantizes them
  kStorage,  // all, where they are quantized alike: elements are only moved
  kAny,      // all: the function knows them
};

struct Row {
  fbs::BuiltinOperator op;
  int newest;           // the newest version that is understood
  std::string_view to;  // Mote's op, where convert is null
  ConvertFn convert;
  Accepts accepts;
};

// The row of an operator, or null.
const Row* find_row(fbs::BuiltinOperator op);
// The function that converts it where operands or results are quantized and its row does not accept that, or null.
ConvertFn find_quantized(fbs::BuiltinOperator op);
// The function that converts a custom operator, or null.
ConvertFn find_custom(std::string_view name);

}  // namespace mote::tflite
