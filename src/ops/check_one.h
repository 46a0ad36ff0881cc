// For inference: operands that are one number.
#pragma once

#include "ir/infer.h"

namespace mote {

// Fails unless input i is absent, of an unknown number of elements, or of one.
inline Status check_one(const InferContext& ctx, int i) {
  if (!ctx.has_rank(i)) return {};
  Dim n = volume(ctx.shape(i));
  if (!n.is_const() || n.is(1)) return {};
  return ctx.error(std::string(ctx.op().inputs[static_cast<std::size_t>(i)].name) + " has " + n.to_string() +
                   " elements, not one");
}

}  // namespace mote
