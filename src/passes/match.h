// Patterns of nodes as text:
//
//   "mul(mul(x, add(erf({div(x, 1.41421356) | mul(x, 0.70710678)}), 1)), 0.5)"
//
//   op(...)       output 0 of that op with these operands; operands of add, mul, min, max, equal, and, or in any order.
//                 Operands the node has beyond those named must be absent, unless the list ends in "..."
//   x             any value; the same one wherever the name stands
//   #c            a constant
//   0.5           a constant of one element near 0.5 (to within 1e-4 of it, 2e-3 where its dtype has 16 bits), which
//                 does not make the result's rank larger
//   d=sub(x, y)   names the value of a part; other places may use the name
//   {a | b}       either, tried in this order
//   ?             anything, also nothing
// All ways are tried until one fits. Attributes are the caller's to check, on the nodes behind named values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "passes/graph.h"

namespace mote::passes {

class Match {
 public:
  // The value of a name; kNone when its part was absent or not in the alternative taken.
  ValueId operator[](std::string_view name) const {
    auto it = values_.find(name);
    return it == values_.end() ? kNone : it->second;
  }
  bool has(std::string_view name) const { return (*this)[name] != kNone; }
  // Nodes of the pattern's ops; the root first.
  const std::vector<NodeId>& nodes() const { return nodes_; }

 private:
  friend class Matcher;
  std::map<std::string, ValueId, std::less<>> values_;
  std::vector<NodeId> nodes_;
};

class Pattern {
 public:
  // `text` is part of the program: a malformed one matches nothing, and valid() is false.
  explicit Pattern(std::string_view text);
  bool valid() const { return root_ >= 0; }
  // The name of the op at the root.
  std::string op() const { return valid() ? parts_[static_cast<std::size_t>(root_)].text : std::string(); }

  // Matches with `root` as the root. Everything between the root and the leaves must be read inside the match alone, so
  // that replacing the root removes it all.
  std::optional<Match> match(const Graph& g, NodeId root) const;

 private:
  friend class Matcher;
  friend class PatternParser;
  enum class Kind : std::uint8_t { kOp, kAny, kConstant, kNumber, kWild, kEither };
  struct Part {
    Kind kind;
    std::string text;  // op name
    std::string name;  // bound name, may be empty
    double number = 0;
    bool open = false;  // ends in ...
    std::vector<int> children;
  };
  std::vector<Part> parts_;
  int root_ = -1;
};

}  // namespace mote::passes
