// Attributes of a node: a small sorted map from name to value. Defaults live in the op's definition, never here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mote/dtype.h"
#include "mote/status.h"

namespace mote {

enum class AttrKind : std::uint8_t { kInt, kFloat, kString, kInts, kFloats, kStrings, kDType };

// The alternatives stand in the order of AttrKind.
using AttrValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                               std::vector<std::string>, DType>;

inline AttrKind kind_of(const AttrValue& v) { return static_cast<AttrKind>(v.index()); }
std::string_view name_of(AttrKind kind);

// 1, 1.5, "text", [1,2], [1.5,2.0], ["a","b"], dtype:f32. Floats always carry '.', 'e', "inf" or "nan"; empty lists
// carry a type: ints:[], floats:[], strings:[].
std::string to_string(const AttrValue& v);
Result<AttrValue> parse_attr(std::string_view text);

// A string in quotes, with \", \\ and \xNN for control characters; and back.
std::string quote(std::string_view s);
std::optional<std::string> unquote(std::string_view text);

class Attrs {
 public:
  using Item = std::pair<std::string, AttrValue>;

  void set(std::string_view name, AttrValue value);
  void erase(std::string_view name);
  const AttrValue* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  const std::vector<Item>& items() const { return items_; }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<Item> items_;  // sorted by name
};

}  // namespace mote
