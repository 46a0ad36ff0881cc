#include "kernels/attention/generic.h"
