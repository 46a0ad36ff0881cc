#include "example_ops.h"

#include <string.h>

static int64_t count_of(const mote_tensor* t) {
  int64_t n = 1;
  for (int32_t i = 0; i < t->rank; ++i) n *= t->dims[i];
  return n;
}

/* com.example.Scale: y = x * factor. The output is known before the run: it is like the input. */
static mote_code scale_infer(void* user, mote_types* types) {
  (void)user;
  mote_tensor x;
  types->input(types, 0, &x);
  if (x.dtype != MOTE_F32) return types->fail(types, "x must be f32");
  return types->set_output_like(types, 0, 0);
}

static mote_code scale_run(void* user, mote_call* call) {
  (void)user;
  const mote_tensor* x = &call->inputs[0];
  float factor = (float)call->attributes->as_float(call->attributes, "factor", 1.0);
  mote_tensor y;
  mote_code code = call->output(call, 0, x->dtype, x->dims, x->rank, &y);
  if (code != MOTE_OK) return code;
  for (int64_t i = 0, n = count_of(x); i < n; ++i) ((float*)y.data)[i] = factor * ((const float*)x->data)[i];
  return MOTE_OK;
}

/* com.example.KeepPositive: the elements above zero, in order. How many there are is decided at run time. */
static mote_code keep_infer(void* user, mote_types* types) {
  (void)user;
  int64_t extents[] = {MOTE_EXTENT_UNKNOWN};
  return types->set_output(types, 0, MOTE_F32, extents, 1);
}

static mote_code keep_run(void* user, mote_call* call) {
  (void)user;
  const mote_tensor* x = &call->inputs[0];
  if (x->dtype != MOTE_F32) return call->fail(call, "x must be f32");
  int64_t n = count_of(x), kept = 0;
  float* buffer = call->scratch(call, (size_t)n * sizeof(float));
  if (!buffer) return MOTE_RESOURCE_EXHAUSTED;
  for (int64_t i = 0; i < n; ++i) {
    float v = ((const float*)x->data)[i];
    if (v > 0) buffer[kept++] = v;
  }
  mote_tensor y;
  mote_code code = call->output(call, 0, MOTE_F32, &kept, 1, &y);
  if (code != MOTE_OK) return code;
  memcpy(y.data, buffer, (size_t)kept * sizeof(float));
  return MOTE_OK;
}

const mote_op example_ops[] = {
    {sizeof(mote_op), "com.example", "Scale", 1, "y = x * factor", 1, 1, 1, scale_infer, scale_run, NULL},
    {sizeof(mote_op), "com.example", "KeepPositive", 1, "the elements above zero", 1, 1, 1, keep_infer, keep_run, NULL},
};
const int example_op_count = 2;

/* The entry point, when this file is a shared library of its own: mote run MODEL --plugin libexample_ops.so */
MOTE_API mote_code mote_plugin_register(const mote_plugin_host* host);
mote_code mote_plugin_register(const mote_plugin_host* host) {
  for (int i = 0; i < example_op_count; ++i) {
    mote_code code = host->add_op(host, &example_ops[i]);
    if (code != MOTE_OK) return code;
  }
  return MOTE_OK;
}
