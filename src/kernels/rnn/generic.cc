#define MOTE_SIMD_SCALAR
#include "kernels/rnn/generic.h"
