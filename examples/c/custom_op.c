/* Runs a model with custom ops that this program brings: custom_op MODEL, where MODEL takes one float vector. */
#include <stdio.h>

#include "example_ops.h"

static int fail(void) {
  fprintf(stderr, "%s: %s\n  %s\n", mote_error_where(), mote_error_message(), mote_error_hint());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 2;
  }
  mote_registry* registry = NULL;
  mote_options* options = NULL;
  mote_model* model = NULL;
  mote_session* session = NULL;
  if (mote_registry_create(&registry) != MOTE_OK) return fail();
  for (int i = 0; i < example_op_count; ++i) {
    if (mote_registry_add_op(registry, &example_ops[i]) != MOTE_OK) return fail();
  }
  if (mote_options_create(&options) != MOTE_OK || mote_options_set_registry(options, registry) != MOTE_OK)
    return fail();
  if (mote_model_load(argv[1], options, &model) != MOTE_OK) return fail();
  if (mote_session_create(model, options, &session) != MOTE_OK) return fail();

  float x[] = {1.0f, -2.0f, 3.0f, -4.0f};
  mote_tensor input = {x, MOTE_F32, 1, {4}};
  if (mote_session_set_input(session, 0, &input) != MOTE_OK) return fail();
  if (mote_session_run(session, 0) != MOTE_OK) return fail();
  mote_tensor y;
  if (mote_session_get_output(session, 0, &y) != MOTE_OK) return fail();
  for (int64_t i = 0; i < y.dims[0]; ++i) printf("%g\n", (double)((const float*)y.data)[i]);

  mote_session_free(session);
  mote_model_free(model);
  mote_options_free(options);
  mote_registry_free(registry);
  return 0;
}
