// Classifies a picture of a hand-written digit: classify examples/digits/digits.onnx
#include <algorithm>
#include <cstdio>
#include <vector>

#include "mote/model.h"
#include "mote/throwing.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 2;
  }
  try {
    mote::Model model = mote::value(mote::Model::load(argv[1]));
    mote::Session session = mote::value(model.session());

    // A vertical stroke, normalised as the model's metadata says.
    std::vector<float> image(32 * 32, -0.82f);
    for (int y = 4; y < 28; ++y) {
      for (int x = 13; x < 19; ++x) image[static_cast<std::size_t>(32 * y + x)] = 1.88f;
    }
    std::vector<float> scores(10);
    mote::check(session.set_input("image", mote::view(image, {1, 1, 32, 32})));
    mote::check(session.set_output(0, mote::view(scores, {1, 10})));  // the result lands here
    mote::check(session.run());
    std::printf("digit %td\n", std::max_element(scores.begin(), scores.end()) - scores.begin());
    return 0;
  } catch (const mote::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
