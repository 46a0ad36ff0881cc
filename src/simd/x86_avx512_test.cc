#include "simd/vec_cases_impl.h"
