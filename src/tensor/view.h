// TensorView is public; inside it is found under this name.
#pragma once

#include "mote/tensor.h"  // IWYU pragma: export
