// The names of a classifier's outputs: sets that are built in, files, and what models carry in their metadata.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mote/status.h"

namespace mote::media {

// "imagenet" (1,000 names in torchvision's order) or "digits". kNotFound for any other name.
Result<std::vector<std::string>> label_set(std::string_view name);

// A label file: one name per line, or "index name" ("index: name", "index,name") on every line. Blank lines at the end,
// a byte order mark and \r are ignored. Gaps between indices give empty names. At most 2^20 labels.
Result<std::vector<std::string>> parse_labels(std::string_view text);

// What a model file says: `mote.labels` (the text of a label file or the name of a set) or `names` as exporters of
// detectors and classifiers write it: {0: 'person', 1: 'bicycle'}. Empty where there is neither.
Result<std::vector<std::string>> labels_from_metadata(std::span<const std::pair<std::string, std::string>> metadata);

}  // namespace mote::media
