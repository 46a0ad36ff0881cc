#include "ops/text/regex.h"

#include <algorithm>

#include "ops/text/utf8.h"

namespace mote {
namespace {

constexpr std::size_t kMaxProgram = 20000;
constexpr int kMaxRepeat = 1000, kMaxDepth = 200;
constexpr std::uint32_t kOutside = 0xffffffffu;  // before the first and after the last code point
constexpr std::uint32_t kLast = 0x1100ffu;

bool is_word(std::uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

// Recursive descent. Each piece of the pattern becomes a fragment of the program that is entered at `start` and leaves
// by jumping to the instruction appended next; so code is emitted in order, and repetition emits a piece again.
class RegexParser {
 public:
  explicit RegexParser(std::string_view pattern) : text_(pattern) {}

  Result<Regex> run() {
    MOTE_TRY(alternatives(0));
    if (at_ < text_.size()) return error("unexpected ')'");
    emit({.kind = Regex::Kind::kMatch});
    if (regex_.program_.size() > kMaxProgram) return error("the pattern is too large");
    return std::move(regex_);
  }

 private:
  using Range = Regex::Range;
  using Instruction = Regex::Instruction;
  using Kind = Regex::Kind;

  struct Flags {
    bool ignore_case = false, dot_all = false, multi_line = false;
  };

  Status error(std::string_view what) const {
    return invalid("pattern '" + std::string(text_) + "' at " + std::to_string(at_) + ": " + std::string(what));
  }
  bool peek(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(std::string_view s) {
    if (text_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }
  std::int32_t size() const { return static_cast<std::int32_t>(regex_.program_.size()); }
  // Appends an instruction that goes on with the one after it.
  void emit(Instruction i) {
    i.next = size() + 1;
    regex_.program_.push_back(std::move(i));
  }
  Instruction& at(std::int32_t i) { return regex_.program_[static_cast<std::size_t>(i)]; }

  // Inserts an instruction before the code that starts at `begin`.
  void insert(std::int32_t begin, Kind kind) {
    for (std::int32_t i = begin; i < size(); ++i) {
      if (at(i).next >= begin) ++at(i).next;
      if (at(i).other >= begin) ++at(i).other;
    }
    Instruction i{.kind = kind};
    i.next = begin + 1;
    regex_.program_.insert(regex_.program_.begin() + begin, i);
  }

  Status alternatives(int depth) {
    if (depth > kMaxDepth) return error("nested too deeply");
    Flags saved = flags_;
    std::int32_t begin = size();
    std::vector<std::int32_t> exits;
    MOTE_TRY(sequence(depth));
    while (take("|")) {
      insert(begin, Kind::kSplit);
      exits.push_back(size());
      emit({.kind = Kind::kJump});
      at(begin).other = size();
      begin = size();
      MOTE_TRY(sequence(depth));
    }
    for (std::int32_t e : exits) at(e).next = size();
    flags_ = saved;
    return {};
  }

  Status sequence(int depth) {
    while (at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')') {
      if (regex_.program_.size() > kMaxProgram) return error("the pattern is too large");
      std::int32_t begin = size();
      MOTE_TRY(atom(depth));
      MOTE_TRY(repetitions(begin));
    }
    return {};
  }

  Status repetitions(std::int32_t begin) {
    int least = 0, most = 0;
    if (take("*")) {
      most = -1;
    } else if (take("+")) {
      least = 1;
      most = -1;
    } else if (take("?")) {
      most = 1;
    } else if (!braces(least, most)) {
      return {};
    }
    take("?");
    if (peek('*') || peek('+') || peek('?')) return error("nothing to repeat");
    if (least > kMaxRepeat || most > kMaxRepeat || (most >= 0 && most < least)) return error("bad repetition");
    repeat(begin, least, most);
    if (regex_.program_.size() > kMaxProgram) return error("the pattern is too large");
    return {};
  }

  // "{n}", "{n,}" or "{n,m}"; anything else is literal text.
  bool braces(int& least, int& most) {
    std::size_t saved = at_;
    auto number = [&](int& n) {
      std::size_t digits = 0;
      for (n = 0; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && digits < 6; ++at_, ++digits) {
        n = n * 10 + (text_[at_] - '0');
      }
      return digits > 0;
    };
    if (take("{") && number(least)) {
      most = least;
      if (take(",") && !number(most)) most = -1;
      if (take("}")) return true;
    }
    at_ = saved;
    return false;
  }

  // The code from `begin` to the end of the program becomes `least` to `most` copies of itself; most -1: any number.
  void repeat(std::int32_t begin, int least, int most) {
    std::vector<Instruction> body(regex_.program_.begin() + begin, regex_.program_.end());
    regex_.program_.resize(static_cast<std::size_t>(begin));
    auto copy = [&] {
      std::int32_t shift = size() - begin;
      for (Instruction i : body) {
        i.next += shift;
        if (i.other >= 0) i.other += shift;
        regex_.program_.push_back(std::move(i));
      }
    };
    bool too_large = body.size() * static_cast<std::size_t>(std::max({least, most, 1})) > kMaxProgram;
    if (too_large) {
      regex_.program_.resize(kMaxProgram + 1);
      return;
    }
    for (int i = 0; i < least; ++i) copy();
    if (most < 0) {
      std::int32_t split = size();
      emit({.kind = Kind::kSplit});
      copy();
      emit({.kind = Kind::kJump});
      at(size() - 1).next = split;
      at(split).other = size();
    }
    std::vector<std::int32_t> splits;
    for (int i = least; i < most; ++i) {
      splits.push_back(size());
      emit({.kind = Kind::kSplit});
      copy();
    }
    for (std::int32_t s : splits) at(s).other = size();
  }

  Status atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return char_class();
    if (take("^")) return assertion(flags_.multi_line ? Regex::Assert::kLineBegin : Regex::Assert::kBegin);
    if (take("$")) return assertion(flags_.multi_line ? Regex::Assert::kLineEnd : Regex::Assert::kEnd);
    if (take(".")) {
      Instruction i{.kind = Kind::kClass, .negated = true};
      if (!flags_.dot_all) i.ranges = {{'\n', '\n'}};
      emit(std::move(i));
      return {};
    }
    if (peek('*') || peek('+') || peek('?')) return error("nothing to repeat");
    if (take("\\")) {
      if (take("b")) return assertion(Regex::Assert::kWord);
      if (take("B")) return assertion(Regex::Assert::kNotWord);
      if (take("A")) return assertion(Regex::Assert::kBegin);
      if (take("z")) return assertion(Regex::Assert::kEnd);
      Instruction i{.kind = Kind::kClass};
      if (!named_class(i.ranges, i.negated)) {
        std::uint32_t c = 0;
        MOTE_TRY(escaped(c));
        add(i.ranges, c, c);
      }
      emit(std::move(i));
      return {};
    }
    std::uint32_t c = next_code_point(text_, at_);
    Instruction i{.kind = Kind::kClass};
    add(i.ranges, c, c);
    emit(std::move(i));
    return {};
  }

  Status assertion(Regex::Assert a) {
    emit({.kind = Kind::kAssert, .assert = a});
    return {};
  }

  Status group(int depth) {
    if (take("?")) {
      if (take("P<") || take("<")) {
        std::size_t end = text_.find('>', at_);
        if (end == text_.npos) return error("a group's name without its end");
        at_ = end + 1;
      } else {
        Flags inner = flags_;
        bool value = true;
        while (at_ < text_.size() && text_[at_] != ':' && text_[at_] != ')') {
          char c = text_[at_++];
          if (c == '-') {
            value = false;
          } else if (c == 'i') {
            inner.ignore_case = value;
          } else if (c == 's') {
            inner.dot_all = value;
          } else if (c == 'm') {
            inner.multi_line = value;
          } else if (c != 'U') {
            return error("unknown flag");
          }
        }
        if (take(")")) {
          flags_ = inner;
          return {};
        }
        if (!take(":")) return error("a group without its end");
        std::swap(flags_, inner);
        MOTE_TRY(alternatives(depth + 1));
        flags_ = inner;
        return take(")") ? Status() : error("a group without its end");
      }
    }
    MOTE_TRY(alternatives(depth + 1));
    return take(")") ? Status() : error("a group without its end");
  }

  // \d \w \s and their opposites, behind the backslash.
  bool named_class(std::vector<Range>& ranges, bool& negated) {
    constexpr std::string_view kNames = "dwsDWS";
    std::size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : kNames.npos;
    if (which == kNames.npos) return false;
    ++at_;
    negated = which >= 3;
    if (which % 3 == 0) ranges = {{'0', '9'}};
    if (which % 3 == 1) ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    if (which % 3 == 2) ranges = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
    return true;
  }

  Status escaped(std::uint32_t& c) {
    if (at_ >= text_.size()) return error("a backslash at the end");
    c = next_code_point(text_, at_);
    constexpr std::string_view kFrom = "nrtfva", kTo = "\n\r\t\f\v\a";
    if (c < 128 && kFrom.find(static_cast<char>(c)) != kFrom.npos) {
      c = static_cast<std::uint32_t>(kTo[kFrom.find(static_cast<char>(c))]);
    } else if (c == 'x') {
      return hex(c);
    } else if (is_word(c)) {
      return error("unknown escape");
    }
    return {};
  }

  Status hex(std::uint32_t& c) {
    bool braced = take("{");
    c = 0;
    int digits = 0;
    for (; at_ < text_.size() && digits < (braced ? 6 : 2); ++at_, ++digits) {
      char d = text_[at_];
      int v = d >= '0' && d <= '9'   ? d - '0'
              : d >= 'a' && d <= 'f' ? d - 'a' + 10
              : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                     : -1;
      if (v < 0) break;
      c = c * 16 + static_cast<std::uint32_t>(v);
    }
    if (digits == 0 || (braced && !take("}")) || (!braced && digits < 2)) return error("bad \\x escape");
    return {};
  }

  // One or more code points; both cases where case does not count.
  void add(std::vector<Range>& ranges, std::uint32_t first, std::uint32_t last) const {
    ranges.push_back({first, last});
    if (!flags_.ignore_case || last - first > 4096) return;
    for (std::uint32_t c = first; c <= last; ++c) {
      if (upper(c) != c) ranges.push_back({upper(c), upper(c)});
      if (lower(c) != c) ranges.push_back({lower(c), lower(c)});
    }
  }

  static void add_negated(std::vector<Range>& to, std::vector<Range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
    std::uint32_t next = 0;
    for (const Range& r : ranges) {
      if (r.first > next) to.push_back({next, r.first - 1});
      next = std::max(next, r.last + 1);
    }
    to.push_back({next, kLast});
  }

  Status posix_class(std::vector<Range>& ranges) {
    struct Named {
      std::string_view name;
      std::vector<Range> ranges;
    };
    const Named names[] = {{"alpha", {{'A', 'Z'}, {'a', 'z'}}},
                           {"digit", {{'0', '9'}}},
                           {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
                           {"upper", {{'A', 'Z'}}},
                           {"lower", {{'a', 'z'}}},
                           {"space", {{'\t', '\r'}, {' ', ' '}}},
                           {"blank", {{'\t', '\t'}, {' ', ' '}}},
                           {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
                           {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
                           {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}};
    bool negated = take("^");
    for (const Named& n : names) {
      if (!take(std::string(n.name) + ":]")) continue;
      if (negated) {
        add_negated(ranges, n.ranges);
      } else {
        for (const Range& r : n.ranges) add(ranges, r.first, r.last);
      }
      return {};
    }
    return error("unknown class name");
  }

  Status char_class() {
    Instruction i{.kind = Kind::kClass, .negated = take("^")};
    for (bool first = true; first || !peek(']'); first = false) {
      if (at_ >= text_.size()) return error("a class without its end");
      if (take("[:")) {
        MOTE_TRY(posix_class(i.ranges));
        continue;
      }
      std::uint32_t low = 0, high = 0;
      if (take("\\")) {
        std::vector<Range> named;
        bool negated = false;
        if (named_class(named, negated)) {
          if (negated)
            add_negated(i.ranges, std::move(named));
          else
            i.ranges.insert(i.ranges.end(), named.begin(), named.end());
          continue;
        }
        MOTE_TRY(escaped(low));
      } else {
        low = next_code_point(text_, at_);
      }
      high = low;
      if (peek('-') && text_.substr(at_, 2) != "-]") {
        ++at_;
        if (at_ >= text_.size()) return error("a class without its end");
        if (take("\\")) {
          MOTE_TRY(escaped(high));
        } else {
          high = next_code_point(text_, at_);
        }
        if (high < low) return error("a range that runs backwards");
      }
      add(i.ranges, low, high);
    }
    ++at_;
    emit(std::move(i));
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Flags flags_;
  Regex regex_;
};

Result<Regex> Regex::compile(std::string_view pattern) { return RegexParser(pattern).run(); }

// Adds the class and match instructions that can be reached from pc without reading.
void Regex::follow(std::int32_t pc, std::uint32_t before, std::uint32_t after, std::vector<std::int32_t>& threads,
                   std::vector<bool>& seen) const {
  std::vector<std::int32_t> todo = {pc};
  while (!todo.empty()) {
    std::int32_t at = todo.back();
    todo.pop_back();
    if (seen[static_cast<std::size_t>(at)]) continue;
    seen[static_cast<std::size_t>(at)] = true;
    const Instruction& i = program_[static_cast<std::size_t>(at)];
    if (i.kind == Kind::kClass || i.kind == Kind::kMatch) {
      threads.push_back(at);
      continue;
    }
    if (i.kind == Kind::kSplit) todo.push_back(i.other);
    if (i.kind == Kind::kAssert) {
      bool boundary = (before != kOutside && is_word(before)) != (after != kOutside && is_word(after));
      bool holds = i.assert == Assert::kWord        ? boundary
                   : i.assert == Assert::kNotWord   ? !boundary
                   : i.assert == Assert::kBegin     ? before == kOutside
                   : i.assert == Assert::kEnd       ? after == kOutside
                   : i.assert == Assert::kLineBegin ? before == kOutside || before == '\n'
                                                    : after == kOutside || after == '\n';
      if (!holds) continue;
    }
    todo.push_back(i.next);
  }
}

bool Regex::full_match(std::string_view text, const std::function<bool(std::int64_t)>& go_on) const {
  std::vector<std::int32_t> threads, next;
  std::vector<bool> seen(program_.size());
  std::uint32_t before = kOutside;
  std::size_t at = 0, ahead = 0;
  std::uint32_t c = text.empty() ? kOutside : next_code_point(text, ahead);
  follow(start_, before, c, threads, seen);
  while (c != kOutside) {
    at = ahead;
    if (!go_on(static_cast<std::int64_t>(1 + seen.size() / 8 + threads.size()))) return false;
    std::uint32_t after = at < text.size() ? next_code_point(text, ahead) : kOutside;
    next.clear();
    std::fill(seen.begin(), seen.end(), false);
    for (std::int32_t pc : threads) {
      const Instruction& i = program_[static_cast<std::size_t>(pc)];
      if (i.kind != Kind::kClass) continue;
      bool in =
          std::any_of(i.ranges.begin(), i.ranges.end(), [&](const Range& r) { return c >= r.first && c <= r.last; });
      if (in != i.negated) follow(i.next, c, after, next, seen);
    }
    std::swap(threads, next);
    before = c;
    c = after;
  }
  return std::any_of(threads.begin(), threads.end(),
                     [&](std::int32_t pc) { return program_[static_cast<std::size_t>(pc)].kind == Kind::kMatch; });
}

}  // namespace mote
