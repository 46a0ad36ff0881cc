#include "kernels/idot/generic.h"
