#include "kernels/sample/generic.h"
