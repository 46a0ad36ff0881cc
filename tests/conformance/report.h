// What came of the cases: the list of known failures, the summary, JSON, the document.
#pragma once

#include <map>
#include <ostream>
#include <set>

#include "run_case.h"

namespace mote::conformance {

struct Row {
  std::string set, name, column;
  Outcome outcome;
};

// Failures that are expected: lines "SET/NAME COLUMNS reason"; COLUMNS is a comma-separated list or *. # starts a
// comment.
class Known {
 public:
  Status read(const std::string& path);
  bool has(const Row& row) const;

 private:
  std::map<std::string, std::set<std::string>> columns_;
};

void write_json(std::ostream& out, const std::vector<Row>& rows);
// The known failures of these rows, in the form that Known reads.
void write_known(std::ostream& out, const std::vector<Row>& rows);
// Markdown: a table per set and column, then what fails and why.
void write_document(std::ostream& out, const std::vector<Row>& rows);

}  // namespace mote::conformance
