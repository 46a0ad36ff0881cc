// The operator table: which Mote op, or which function, an ONNX operator of some version becomes; see ops.inc.
#pragma once

#include <span>
#include <string_view>

#include "mote/status.h"

namespace mote::onnx {

class NodeImport;
using ConvertFn = Status (*)(NodeImport&);

struct Row {
  std::string_view domain, name;
  int since;            // the opset from which the row holds, up to the operator's next row
  std::string_view op;  // Mote's op; for rows with a function, what it makes in the main (may be empty)
  ConvertFn convert;    // null: operands and attributes are the op's own
  bool only_written = false;
};

// Sorted by domain, name and since.
std::span<const Row> all_rows();
// The row for an operator as of `version`, or null.
const Row* find_row(std::string_view domain, std::string_view name, std::int64_t version);
// The 1:1 row that writes `op`, the newest, or null.
const Row* find_row_of_op(std::string_view op);

}  // namespace mote::onnx
