// The equation of an einsum, for inference, the reference and the decomposition.
#pragma once

#include <string>
#include <vector>

#include "mote/status.h"

namespace mote {

// Axes are named by labels: letters as themselves, the axes of an ellipsis as -1, -2, ... from the last one.
struct Equation {
  struct Term {
    std::vector<int> before, after;  // letters on both sides of the ellipsis; all in `before` where there is none
    bool ellipsis = false;

    // Labels of a tensor of this rank. Requires fits(rank).
    std::vector<int> labels(int rank) const;
    bool fits(int rank) const;
  };

  std::vector<Term> inputs;
  Term output;
};

// Without "->" the output is the ellipsis, then the letters that occur once, in alphabetical order.
Result<Equation> parse_equation(const std::string& text);

}  // namespace mote
