#define MOTE_SIMD_SCALAR
#include "kernels/qmap/generic.h"
