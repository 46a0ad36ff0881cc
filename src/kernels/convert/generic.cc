#define MOTE_SIMD_SCALAR
#include "kernels/convert/generic.h"
