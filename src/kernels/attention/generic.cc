#define MOTE_SIMD_SCALAR
#include "kernels/attention/generic.h"
