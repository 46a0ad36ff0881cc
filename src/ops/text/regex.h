// Regular expressions in RE2's syntax, matched as a whole: no captures, no back references; time is linear in the text.
//
// Understood: literals, . \d \w \s \D \W \S, [classes] with ranges and [:names:], escapes (\n \t \x41 \x{1F600} \.
// ...), \b \B ^ $ \A \z, groups ( (?: (?P<name> (?i) (?s) (?m) (?U) and (?i: ...), |, and the repetitions * + ? {n}
// {n,} {n,m} with or without a trailing ?. Not understood: \p classes and \Q...\E.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mote/status.h"

namespace mote {

class Regex {
 public:
  // Errors name the position. Patterns that grow beyond a fixed program size are refused.
  static Result<Regex> compile(std::string_view pattern);
  // Whether the whole of `text` (UTF-8) matches.
  bool full_match(std::string_view text) const {
    return full_match(text, [](std::int64_t) { return true; });
  }
  // The same, asking before each character whether to go on, with the work that it is; where not, false.
  bool full_match(std::string_view text, const std::function<bool(std::int64_t)>& go_on) const;

 private:
  friend class RegexParser;

  struct Range {
    std::uint32_t first, last;
  };
  enum class Kind : std::uint8_t { kClass, kSplit, kJump, kAssert, kMatch };
  enum class Assert : std::uint8_t { kWord, kNotWord, kBegin, kEnd, kLineBegin, kLineEnd };
  struct Instruction {
    Kind kind;
    Assert assert = Assert::kWord;
    bool negated = false;  // kClass
    std::int32_t next = -1, other = -1;
    std::vector<Range> ranges;  // kClass
  };

  void follow(std::int32_t pc, std::uint32_t before, std::uint32_t after, std::vector<std::int32_t>& threads,
              std::vector<bool>& seen) const;

  std::vector<Instruction> program_;
  std::int32_t start_ = 0;
};

}  // namespace mote
