// Label files, and the settings and labels in a model's metadata.
#include "media/labels.h"
#include "media/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mote::media;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)parse_labels(text);
  const std::size_t cut = std::min(text.find('\n'), text.size());
  const std::pair<std::string, std::string> metadata[] = {{"names", text},
                                                          {"mote.image." + text.substr(0, cut), text.substr(cut)}};
  (void)labels_from_metadata(metadata);
  (void)preprocess_from_metadata(metadata);
  return 0;
}
