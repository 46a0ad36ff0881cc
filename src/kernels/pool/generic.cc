#define MOTE_SIMD_SCALAR
#include "kernels/pool/generic.h"
