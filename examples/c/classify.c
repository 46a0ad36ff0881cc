/* Classifies a picture of a hand-written digit: classify examples/digits/digits.onnx */
#include <stdio.h>

#include "mote/c/mote.h"

static int fail(void) {
  fprintf(stderr, "%s: %s\n  %s\n", mote_error_where(), mote_error_message(), mote_error_hint());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 2;
  }
  mote_model* model = NULL;
  mote_session* session = NULL;
  if (mote_model_load(argv[1], NULL, &model) != MOTE_OK) return fail();
  if (mote_session_create(model, NULL, &session) != MOTE_OK) return fail();
  mote_model_free(model); /* the session lives on */

  /* A vertical stroke, normalised as the model's metadata says. */
  static float image[32][32];
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) image[y][x] = y >= 4 && y < 28 && x >= 13 && x < 19 ? 1.88f : -0.82f;
  }
  mote_tensor input = {image, MOTE_F32, 4, {1, 1, 32, 32}};
  if (mote_session_set_input(session, mote_session_input_index(session, "image"), &input) != MOTE_OK) return fail();
  if (mote_session_run(session, 0) != MOTE_OK) return fail();

  mote_tensor output;
  if (mote_session_get_output(session, 0, &output) != MOTE_OK) return fail();
  const float* scores = output.data;
  int best = 0;
  for (int i = 1; i < output.dims[output.rank - 1]; ++i) best = scores[i] > scores[best] ? i : best;
  printf("digit %d\n", best);
  mote_session_free(session);
  return 0;
}
