#define MOTE_SIMD_SCALAR
#include "kernels/peak/generic.h"
