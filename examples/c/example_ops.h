/* Two custom ops, to be registered by a program (custom_op.c) or loaded as a plugin. */
#ifndef EXAMPLE_OPS_H
#define EXAMPLE_OPS_H

#include "mote/c/mote.h"

extern const mote_op example_ops[];
extern const int example_op_count;

#endif
