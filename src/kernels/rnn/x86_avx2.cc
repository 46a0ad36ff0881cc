#include "kernels/rnn/generic.h"
