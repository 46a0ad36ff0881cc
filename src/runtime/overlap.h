// Whether tensors share memory.
#pragma once

#include "tensor/view.h"

namespace mote {

// Whether an element of one may lie on one of the other, where their addresses do not rule it out: windows of one
// tensor, next to each other along any axis of it, do not meet. Strides must not be negative.
bool views_meet(const TensorView& a, const TensorView& b);

// Whether both are the same elements in the same places.
bool same_view(const TensorView& a, const TensorView& b);

}  // namespace mote
