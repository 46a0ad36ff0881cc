#include <algorithm>
#include <map>

#include "ops/math/einsum.h"

namespace mote {

bool Equation::Term::fits(int rank) const {
  int letters = static_cast<int>(before.size() + after.size());
  return ellipsis ? rank >= letters : rank == letters;
}

std::vector<int> Equation::Term::labels(int rank) const {
  std::vector<int> out = before;
  for (int i = static_cast<int>(before.size() + after.size()) - rank; i < 0; ++i) out.push_back(i);
  out.insert(out.end(), after.begin(), after.end());
  return out;
}

namespace {

Result<Equation::Term> parse_term(std::string_view text, const std::string& equation) {
  Equation::Term term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      (term.ellipsis ? term.after : term.before).push_back(c);
    } else if (c == '.' && text.substr(i, 3) == "..." && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else {
      return invalid("equation '" + equation + "': unexpected '" + std::string(1, c) + "'");
    }
  }
  return term;
}

}  // namespace

Result<Equation> parse_equation(const std::string& text) {
  std::string s = text;
  std::erase(s, ' ');
  std::size_t arrow = s.find("->");
  std::string_view left = std::string_view(s).substr(0, arrow);
  Equation e;
  std::map<int, int> uses;
  while (true) {
    std::size_t comma = left.find(',');
    MOTE_ASSIGN(Equation::Term term, parse_term(left.substr(0, comma), text));
    for (int label : term.before) ++uses[label];
    for (int label : term.after) ++uses[label];
    e.output.ellipsis |= term.ellipsis;
    e.inputs.push_back(std::move(term));
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  if (arrow == std::string::npos) {
    for (auto [label, count] : uses) {
      if (count == 1) (e.output.ellipsis ? e.output.after : e.output.before).push_back(label);
    }
    return e;
  }
  bool any_ellipsis = e.output.ellipsis;
  MOTE_ASSIGN(e.output, parse_term(std::string_view(s).substr(arrow + 2), text));
  if (e.output.ellipsis && !any_ellipsis) return invalid("equation '" + text + "': no input has an ellipsis");
  std::vector<int> seen = e.output.before;
  seen.insert(seen.end(), e.output.after.begin(), e.output.after.end());
  std::sort(seen.begin(), seen.end());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    std::string letter(1, static_cast<char>(seen[i]));
    if (!uses.contains(seen[i])) return invalid("equation '" + text + "': no input has '" + letter + "'");
    if (i > 0 && seen[i] == seen[i - 1])
      return invalid("equation '" + text + "': the output has '" + letter + "' twice");
  }
  return e;
}

}  // namespace mote
