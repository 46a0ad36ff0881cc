#define MOTE_SIMD_SCALAR
#include "kernels/idot/generic.h"
