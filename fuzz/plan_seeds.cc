// plan_seeds MODEL.ir... FOLDER: prepares models for this machine and saves their plans, the seeds of fuzz_plan.
#include <cstdio>
#include <string>

#include "mote/model.h"

int main(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    std::string path = argv[i], name = path.substr(path.rfind('/') + 1);
    mote::Result<mote::Model> model = mote::Model::load(path);
    mote::Status status =
        model.ok() ? model->save(std::string(argv[argc - 1]) + "/" + name + ".mote") : std::move(model).status();
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", status.to_string().c_str());
      return 1;
    }
  }
  return 0;
}
