#define MOTE_SIMD_SCALAR
#include "kernels/sample/generic.h"
