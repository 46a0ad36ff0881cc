// .mote files. Mutations keep the hashes right, so that they reach the verifier and the kernels; seeds are made from
// fuzz/models/*.ir (tools/dev/fuzz.py).
#include "try_plan.h"

using namespace mote;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::try_plan(data, size);
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Result<std::vector<Plan>> file = read_plans(fuzz::source(data, size));
  if (!file.ok() || seed % 64 == 0) return LLVMFuzzerMutate(data, size, max_size);
  fuzz::Mutator mutator(seed);
  std::vector<Plan*> plans;
  for (Plan& plan : *file) {
    for (unsigned n = 1 + seed / 64 % 3; n > 0; --n) mutator.mutate(plan);
    plans.push_back(&plan);
  }
  std::vector<std::uint8_t> out = fuzz::write(plans);
  if (out.empty() || out.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(out.begin(), out.end(), data);
  return out.size();
}
