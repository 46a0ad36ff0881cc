// Included in front of the files of plain C++ kernels by small builds (MOTE_SMALL) for machines that have other
// kernels: the vector layer's functions are inlined where that makes the program smaller alone.
#pragma once

#include "base/inline.h"

#undef MOTE_INLINE
#define MOTE_INLINE inline
#undef MOTE_ONCE
#define MOTE_ONCE inline
