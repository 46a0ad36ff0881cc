// src/ops: what every operation is. ops.inc holds one row per op; each op's file defines its facets as constinit
// objects:
//   op_<name>         ir/op.h: documentation, slots, attributes, type inference           (always)
//   reference_<name>  ops/reference.h: naive loops, the oracle of every fast version      (rows with REF)
//   decompose_<name>  ops/decompose.h: the op in terms of others, applied when no backend claims it whole (rows with
//   DEC)
// The facets stand in separate tables, so that a build which needs only some links only those.
// Semantics are those of the newest ONNX opset unless the op's documentation says otherwise; names are ONNX's in
// snake_case.
#pragma once

#include <span>

#include "ir/op.h"

namespace mote {

// All ops, in the order of ops.inc.
std::span<const Op* const> all_ops();
const Op* find_op(std::string_view name);

// The built-in ops as a lookup.
const OpLookup& builtin_ops();

// MOTE_DEFINE_OP(softmax) = {.name = "softmax", ...};  in the op's file.
#define MOTE_DEFINE_OP(name) \
  extern const Op op_##name; \
  constinit const Op op_##name

}  // namespace mote
