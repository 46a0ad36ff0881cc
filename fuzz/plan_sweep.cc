// plan_sweep [--part K/N] [--ways N] FILE.mote...: puts every change of one field of every plan through what fuzz_plan
// does, each field in several ways: nothing is left to chance that a fuzzer may miss. A change that the sanitizer stops
// is in the file that MOTE_SWEEP_LAST names.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "try_plan.h"

using namespace mote;

namespace {

std::int64_t sweep(const std::string& path, std::int64_t part, std::int64_t parts, unsigned ways) {
  std::ifstream in(path, std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const char* last = std::getenv("MOTE_SWEEP_LAST");
  std::int64_t done = 0, fields = part + 1;  // until the first change counts them
  for (std::int64_t i = part; i < fields; i += parts) {
    for (unsigned way = 0; way < ways; ++way) {
      Result<std::vector<Plan>> plans = read_plans(fuzz::source(data, bytes.size()));
      if (!plans.ok()) return -1;
      fuzz::Mutator mutator(static_cast<unsigned>(i) * ways + way);
      fields = mutator.fields(plans->front());
      if (i >= fields) return done;
      mutator.mutate(plans->front(), i);
      std::vector<Plan*> list;
      for (Plan& plan : *plans) list.push_back(&plan);
      std::vector<std::uint8_t> changed = fuzz::write(list);
      if (changed.empty()) continue;
      if (last)
        std::ofstream(last, std::ios::binary)
            .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
      fuzz::try_plan(changed.data(), changed.size());
      ++done;
    }
  }
  return done;
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t part = 0, parts = 1;
  unsigned ways = 8;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    if (arg == "--part" && i + 1 < argc) {
      if (std::sscanf(argv[++i], "%ld/%ld", &part, &parts) != 2 || parts < 1) return 2;
    } else if (arg == "--ways" && i + 1 < argc) {
      ways = static_cast<unsigned>(std::atoi(argv[++i]));
    } else {
      std::int64_t done = sweep(arg, part, parts, ways);
      if (done < 0) {
        std::fprintf(stderr, "%s is no plan\n", arg.c_str());
        return 2;
      }
      std::printf("%s: %ld changes\n", arg.c_str(), done);
      std::fflush(stdout);
    }
  }
  return 0;
}
