// Text that parses prints to text that parses to the same; what verifies can be inferred.
#include <cstdio>
#include <cstdlib>

#include "ir/infer.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/ops.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  mote::TextOptions options;
  options.max_items = 20000;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  mote::Result<mote::Module> m = mote::parse(text, mote::builtin_ops(), options);
  if (!m.ok()) return 0;
  std::string first = mote::print(*m);
  mote::Result<mote::Module> back = mote::parse(first, mote::builtin_ops());
  if (!back.ok() || mote::print(*back) != first) {
    std::printf("%s\n%s\n%s\n", first.c_str(), back.status().to_string().c_str(),
                back.ok() ? mote::print(*back).c_str() : "");
    std::abort();
  }
  if (mote::verify(*m).ok()) (void)mote::Inference(*m).run();
  return 0;
}
