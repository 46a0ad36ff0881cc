// The same without exceptions: every call that can fail gives a Status or a Result.
#include <cstdio>

#include "mote/model.h"

namespace {

mote::Status classify(const char* path) {
  MOTE_ASSIGN(mote::Model model, mote::Model::load(path));
  MOTE_ASSIGN(mote::Session session, model.session());
  std::vector<float> image(32 * 32);
  MOTE_TRY(session.set_input("image", mote::view(image, {1, 1, 32, 32})));
  MOTE_TRY(session.run());
  std::printf("%zu scores\n", session.output<float>(0).size());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  mote::Status status = argc == 2 ? classify(argv[1]) : mote::invalid("usage: plain MODEL");
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return status.ok() ? 0 : 1;
}
