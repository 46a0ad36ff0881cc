#include "kernels/resize/generic.h"
