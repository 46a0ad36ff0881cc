#define MOTE_SIMD_SCALAR
#include "kernels/norm/generic.h"
