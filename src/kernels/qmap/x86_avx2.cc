#include "kernels/qmap/generic.h"
