#define MOTE_SIMD_SCALAR
#include "kernels/resize/generic.h"
