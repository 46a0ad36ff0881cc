#include "passes/match.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace mote::passes {

class PatternParser {
 public:
  PatternParser(Pattern& pattern, std::string_view text) : p_(pattern), text_(text) {}
  int run() {
    int root = part();
    skip();
    return ok_ && text_.empty() && p_.parts_[static_cast<std::size_t>(root)].kind == Pattern::Kind::kOp ? root : -1;
  }

 private:
  using Kind = Pattern::Kind;

  void skip() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool take(std::string_view s) {
    skip();
    if (!text_.starts_with(s)) return false;
    text_.remove_prefix(s.size());
    return true;
  }
  int add(Pattern::Part part) {
    p_.parts_.push_back(std::move(part));
    return static_cast<int>(p_.parts_.size()) - 1;
  }
  std::string word() {
    skip();
    std::size_t n = 0;
    while (n < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[n])) || text_[n] == '_')) ++n;
    std::string w(text_.substr(0, n));
    text_.remove_prefix(n);
    ok_ = ok_ && n > 0;
    return w;
  }

  int part() {
    skip();
    if (!ok_ || text_.empty()) return fail();
    if (take("?")) return add({Kind::kWild, "", ""});
    if (take("{")) {
      Pattern::Part either{Kind::kEither, "", ""};
      do either.children.push_back(part());
      while (ok_ && take("|"));
      ok_ = ok_ && take("}");
      return add(std::move(either));
    }
    if (take("#")) return add({Kind::kConstant, "", word()});
    if (text_[0] == '-' || (text_[0] >= '0' && text_[0] <= '9')) {
      Pattern::Part number{Kind::kNumber, "", ""};
      auto [end, ec] = std::from_chars(text_.data(), text_.data() + text_.size(), number.number);
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      return ec == std::errc() ? add(std::move(number)) : fail();
    }
    std::string w = word();
    if (take("=")) {
      int child = part();
      if (ok_) p_.parts_[static_cast<std::size_t>(child)].name = std::move(w);
      return child;
    }
    if (!take("(")) return add({Kind::kAny, "", std::move(w)});
    Pattern::Part op{Kind::kOp, std::move(w), ""};
    while (ok_ && !take(")")) {
      if (take("...")) {
        op.open = true;
      } else {
        op.children.push_back(part());
      }
      take(",");
    }
    return add(std::move(op));
  }
  int fail() {
    ok_ = false;
    return add({Kind::kWild, "", ""});
  }

  Pattern& p_;
  std::string_view text_;
  bool ok_ = true;
};

Pattern::Pattern(std::string_view text) { root_ = PatternParser(*this, text).run(); }

// Depth-first over a list of goals; each choice copies what is left to do, so that all combinations are tried.
class Matcher {
 public:
  Matcher(const Pattern& p, const Graph& g) : p_(p), g_(g) {}

  bool run(NodeId root) { return g_.is(root, p_.op()) && solve({Goal{p_.root_, g_.output(root), 0}}, 0); }
  Match match;

 private:
  struct Goal {
    int part;
    ValueId value;
    int rank;  // of the op's result, for numbers; -1: not known
  };
  using Goals = std::vector<Goal>;
  using Kind = Pattern::Kind;

  static constexpr int kMaxSteps = 4000;

  const Pattern::Part& part(int i) const { return p_.parts_[static_cast<std::size_t>(i)]; }

  bool solve(Goals goals, std::size_t done) {
    while (done < goals.size()) {
      if (++steps_ > kMaxSteps) return false;
      Goal goal = goals[done++];
      const Pattern::Part& p = part(goal.part);
      if (p.kind == Kind::kWild) continue;
      if (!p.name.empty() && goal.value != kNone) {
        auto [it, added] = match.values_.emplace(p.name, goal.value);
        if (!added && it->second != goal.value) return false;
      }
      if (p.kind == Kind::kEither) {
        for (int choice : p.children) {
          if (attempt(goals, done, {Goal{choice, goal.value, goal.rank}})) return true;
        }
        return false;
      }
      if (goal.value == kNone) return false;
      if (p.kind == Kind::kConstant && !g_.constant(goal.value)) return false;
      if (p.kind == Kind::kNumber && !is_number(p, goal)) return false;
      if (p.kind == Kind::kOp) return op(p, goal.value, goals, done);
    }
    return closed();
  }

  // Tries `more` and then the goals from `done` on; undoes what was bound when they do not fit.
  bool attempt(const Goals& goals, std::size_t done, Goals more) {
    Match saved = match;
    more.insert(more.end(), goals.begin() + static_cast<std::ptrdiff_t>(done), goals.end());
    if (solve(std::move(more), 0)) return true;
    match = std::move(saved);
    return false;
  }

  bool op(const Pattern::Part& p, ValueId v, const Goals& goals, std::size_t done) {
    NodeId n = g_.producer(v, p.text);
    if (n == kNone) return false;
    std::vector<ValueId> inputs = g_.node(n).inputs;
    while (!inputs.empty() && inputs.back() == kNone) inputs.pop_back();
    if (inputs.size() > p.children.size() && !p.open) return false;
    inputs.resize(std::max(inputs.size(), p.children.size()), kNone);
    match.nodes_.push_back(n);
    int rank = -1;
    for (ValueId in : inputs) {
      if (in != kNone && !g_.constant(in) && g_.has_rank(in)) rank = std::max(rank, g_.type(in).rank());
    }
    Goals more;
    for (std::size_t i = 0; i < p.children.size(); ++i) more.push_back({p.children[i], inputs[i], rank});
    if (attempt(goals, done, more)) return true;
    if (p.children.size() != 2 || !commutes(p.text)) return false;
    std::swap(more[0].value, more[1].value);
    return attempt(goals, done, std::move(more));
  }

  static bool commutes(std::string_view op) {
    constexpr std::string_view ops[] = {"add", "mul", "min", "max", "equal", "and", "or"};
    return std::ranges::find(ops, op) != std::end(ops);
  }

  bool is_number(const Pattern::Part& p, const Goal& goal) const {
    std::optional<double> x = g_.scalar(goal.value);
    if (!x) return false;
    const Type& t = g_.type(goal.value);
    if (t.rank() > 0 && t.rank() > goal.rank) return false;
    double tolerance = bits_of(t.dtype) == 16 ? 2e-3 : 1e-4;
    return std::fabs(*x - p.number) <= tolerance * std::fabs(p.number);
  }

  bool closed() const {
    for (std::size_t i = 1; i < match.nodes_.size(); ++i) {
      for (ValueId v : g_.node(match.nodes_[i]).outputs) {
        if (v == kNone) continue;
        if (g_.is_output(v)) return false;
        for (NodeId reader : g_.readers(v)) {
          if (std::ranges::find(match.nodes_, reader) == match.nodes_.end()) return false;
        }
      }
    }
    return true;
  }

  const Pattern& p_;
  const Graph& g_;
  int steps_ = 0;
};

std::optional<Match> Pattern::match(const Graph& g, NodeId root) const {
  if (!valid() || root == kNone) return std::nullopt;
  Matcher m(*this, g);
  if (!m.run(root)) return std::nullopt;
  return std::move(m.match);
}

}  // namespace mote::passes
