#include "media/labels.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>

#include "base/text.h"

// The embedded file (cmake/embed.cmake).
extern "C" const unsigned char mote_labels_imagenet[];
extern "C" const std::size_t mote_labels_imagenet_size;

namespace mote::media {
namespace {

constexpr std::int64_t kMaxLabels = 1 << 20;

struct IndexedName {
  std::int64_t index;
  std::string_view name;
};

// "12 name", "12: name", "12, name"
std::optional<IndexedName> split_index(std::string_view line) {
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  if (digits == 0 || digits > 9 || digits == line.size()) return std::nullopt;
  std::string_view rest = line.substr(digits);
  if (std::string_view(" \t:,").find(rest[0]) == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(1);
  return IndexedName{*parse_int(line.substr(0, digits)), trim(rest)};
}

Status place_label(std::vector<std::string>& labels, std::int64_t index, std::string_view name) {
  if (index >= kMaxLabels) return Status(Code::kResourceExhausted, concat("label index ", index, " is too large"));
  const auto at = static_cast<std::size_t>(index);
  if (labels.size() <= at) labels.resize(at + 1);
  labels[at] = name;
  return {};
}

// A Python dictionary {0: 'person', 1: "bird's nest"} or list ['a', 'b'].
class PythonNames {
 public:
  explicit PythonNames(std::string_view text) : text_(text) {}

  Result<std::vector<std::string>> parse() {
    std::vector<std::string> labels;
    skip();
    const bool dict = at('{');
    if (!dict && !at('[')) return error();
    const char close = dict ? '}' : ']';
    ++pos_;
    for (skip(); !at(close); skip()) {
      std::int64_t index = static_cast<std::int64_t>(labels.size());
      if (dict) {
        const std::size_t start = pos_;
        while (pos_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[pos_])) != 0) ++pos_;
        const auto key = parse_int(text_.substr(start, pos_ - start));
        skip();
        if (!key || !at(':')) return error();
        index = *key;
        ++pos_;
        skip();
      }
      std::string name;
      if (!string(name)) return error();
      MOTE_TRY(place_label(labels, index, name));
      skip();
      if (at(',')) {
        ++pos_;
      } else if (!at(close)) {
        return error();
      }
    }
    return labels;
  }

 private:
  bool at(char c) const { return pos_ < text_.size() && text_[pos_] == c; }
  void skip() {
    while (pos_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[pos_])) != 0) ++pos_;
  }
  bool string(std::string& out) {
    if (!at('\'') && !at('"')) return false;
    const char quote = text_[pos_++];
    for (; pos_ < text_.size() && text_[pos_] != quote; ++pos_) {
      if (text_[pos_] == '\\' && pos_ + 1 < text_.size()) ++pos_;
      out += text_[pos_];
    }
    return pos_++ < text_.size();
  }
  Status error() const {
    return invalid(concat("expected {0: 'name', ...} at character ", pos_)).hint("give the labels with --labels FILE");
  }

  std::string_view text_;
  std::size_t pos_ = 0;
};

}  // namespace

Result<std::vector<std::string>> label_set(std::string_view name) {
  if (name == "imagenet") {
    return parse_labels({reinterpret_cast<const char*>(mote_labels_imagenet), mote_labels_imagenet_size});
  }
  if (name == "digits") {
    std::vector<std::string> digits;
    for (char c = '0'; c <= '9'; ++c) digits.emplace_back(1, c);
    return digits;
  }
  return Status(Code::kNotFound, concat("no label set is called ", quoted(name))).hint("imagenet, digits, or a file");
}

Result<std::vector<std::string>> parse_labels(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::vector<std::string_view> lines;
  bool too_many = false;
  split(text, '\n', [&](std::string_view line) {
    too_many = too_many || lines.size() > static_cast<std::size_t>(kMaxLabels);
    if (!too_many) lines.push_back(trim(line));
  });
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (too_many) return Status(Code::kResourceExhausted, concat("more than ", kMaxLabels, " labels"));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!valid_utf8(lines[i])) return invalid("not text in UTF-8").at(concat("line ", i + 1));
  }
  // Numbered only if every line is, and not all numbers are the same (a set of "1 pin", "1 plug").
  const bool numbered = !lines.empty() && std::all_of(lines.begin(), lines.end(), [](std::string_view line) {
    return split_index(line).has_value();
  }) && (lines.size() == 1 || split_index(lines[0])->index != split_index(lines[1])->index);
  std::vector<std::string> labels;
  if (!numbered) {
    labels.assign(lines.begin(), lines.end());
    return labels;
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const IndexedName entry = *split_index(lines[i]);
    Status status = place_label(labels, entry.index, entry.name);
    if (!status.ok()) return std::move(status).at(concat("line ", i + 1));
  }
  return labels;
}

Result<std::vector<std::string>> labels_from_metadata(std::span<const std::pair<std::string, std::string>> metadata) {
  for (const auto& [key, value] : metadata) {
    if (key == "mote.labels") return value.find('\n') == std::string::npos ? label_set(value) : parse_labels(value);
  }
  for (const auto& [key, value] : metadata) {
    if (key != "names") continue;
    auto labels = PythonNames(value).parse();
    if (!labels.ok()) return std::move(labels).status().at("metadata 'names'");
    return labels;
  }
  return std::vector<std::string>();
}

}  // namespace mote::media
