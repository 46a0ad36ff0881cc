#include "kernels/copy/transpose_impl.h"
