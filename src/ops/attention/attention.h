// The geometry of scaled dot product attention, for inference, references, decompositions and kernels.
#pragma once

#include <cstdint>

#include "ir/infer.h"

namespace mote {

// Extents of a node's operands; heads packed into the last axis for 3-D operands.
struct AttentionShape {
  Dim batch, q_heads, kv_heads, q_length, kv_length, past, total, head, v_head;
  bool packed = false;  // q, k and v are [batch, length, heads * head], else [batch, heads, length, head]
};

// The extents of operands q, k, v (inputs 0, 1, 2) and past_key (input 4) of known rank; fails where they do not fit.
Result<AttentionShape> attention_shape(InferContext& ctx);

}  // namespace mote
