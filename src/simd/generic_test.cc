#define MOTE_SIMD_SCALAR
#include "simd/vec_cases_impl.h"
