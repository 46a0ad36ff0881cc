// Helpers that many references share: outputs whose shape the op's own inference gives, and small reads.
#pragma once

#include <vector>

#include "ir/type.h"
#include "ops/reference.h"

namespace mote {

// The output types that the op's inference gives for the inputs of this run.
Result<std::vector<Type>> infer_now(const ReferenceContext& ctx);

// Output i with the dtype and shape that the op's inference gives. Not for outputs whose extents depend on data.
Result<TensorView> infer_out(ReferenceContext& ctx, int i = 0);
// All outputs that are wanted or that the op always gives; the others are empty views.
Result<std::vector<TensorView>> infer_outs(ReferenceContext& ctx);

// All elements of an integer tensor.
std::vector<std::int64_t> read_ints(const TensorView& v);

// "name[i] is value, outside [lo, hi]".
Status out_of_range(std::string_view what, std::int64_t position, std::int64_t value, std::int64_t lo, std::int64_t hi);

// Index made non-negative, or a Status naming it and the extent.
Result<std::int64_t> checked_index(std::string_view what, std::int64_t position, std::int64_t index,
                                   std::int64_t extent);

// Sets all bytes of a dense view to zero, which is 0, false and the empty string.
void zero(ReferenceContext& ctx, const TensorView& v);

// The bytes of a dense view to another of as many.
void copy_bytes(ReferenceContext& ctx, const TensorView& from, const TensorView& to);

// copy_elements (element.h), in pieces.
void copy_elements(ReferenceContext& ctx, const TensorView& from, std::int64_t from_index, const TensorView& to,
                   std::int64_t to_index, std::int64_t n);

}  // namespace mote
