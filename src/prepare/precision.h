// What a caller's --precision does to a module.
#pragma once

#include "ir/module.h"

namespace mote {

// Constant f32 weights of convolutions, matrix products and recurrences are rounded to `dtype` (f16 or bf16), as a file
// that stores them in 16 bits would have them. Requires a module whose nodes are what will
// run.
void round_weights(Module& module, DType dtype);

}  // namespace mote
