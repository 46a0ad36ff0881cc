// mote_conformance PATH... [options]: runs ONNX conformance cases; see --help.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <thread>

#include "jobs.h"
#include "report.h"

namespace mote::conformance {
namespace {

constexpr const char* kHelp =
    "usage: mote_conformance PATH... [options]\n"
    "  PATH              a case, a set of cases, or a folder of sets, in the layout of the onnx package's test data\n"
    "  --column NAME     baked (default), runtime, nopass, saved, or all for these four;\n"
    "                    import (types only), written (read, written, read again, run)\n"
    "  --filter TEXT     only cases whose SET/NAME contains TEXT\n"
    "  --known FILE      failures listed there are expected; one that passes is a failure\n"
    "  --write-known F   writes what failed to F, in that form\n"
    "  --doc FILE        writes a document of the results\n"
    "  --json            results as JSON on stdout\n"
    "  --verbose, -v     every case on stdout, not only the failures\n"
    "  --jobs N, --seconds S, --megabytes M\n"
    "                    cases at a time, and the time and memory each may take\n"
    "  --here            without child processes, for a debugger\n"
    "exit code: 0 all as expected, 1 something failed, 2 wrong usage\n";

struct Options {
  std::vector<std::string> paths, columns = {"baked"};
  std::string filter, known, write_known, document;
  bool json = false, verbose = false, here = false;
  JobLimits limits;
};

// False when the arguments make no sense.
bool parse(int argc, char** argv, Options& o) {
  o.limits.parallel = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (int i = 1; i < argc; ++i) {
    std::string a = argv[i], value;
    std::size_t equals = a.find('=');
    bool has_value = a.starts_with("--") && equals != std::string::npos;
    if (has_value) {
      value = a.substr(equals + 1);
      a.resize(equals);
    }
    if (!a.starts_with("-")) {
      o.paths.push_back(a);
    } else if (a == "--json") {
      o.json = true;
    } else if (a == "--verbose" || a == "-v") {
      o.verbose = true;
    } else if (a == "--here") {
      o.here = true;
    } else {
      if (!has_value && ++i >= argc) return false;
      if (!has_value) value = argv[i];
      if (a == "--column") {
        o.columns =
            value == "all" ? std::vector<std::string>{"baked", "runtime", "nopass", "saved"} : std::vector{value};
        bool valid = value == "all" || value == "baked" || value == "runtime" || value == "nopass" ||
                     value == "saved" || value == "import" || value == "written";
        if (!valid) return false;
      } else if (a == "--filter") {
        o.filter = value;
      } else if (a == "--known") {
        o.known = value;
      } else if (a == "--write-known") {
        o.write_known = value;
      } else if (a == "--doc") {
        o.document = value;
      } else if (a == "--jobs") {
        o.limits.parallel = std::max(1, std::atoi(value.c_str()));
      } else if (a == "--seconds") {
        o.limits.seconds = std::atof(value.c_str());
      } else if (a == "--megabytes") {
        o.limits.megabytes = static_cast<std::size_t>(std::atoll(value.c_str()));
      } else {
        return false;
      }
    }
  }
  return !o.paths.empty();
}

std::vector<Row> run(const Options& o, const std::vector<Case>& cases, const Known& known) {
  std::vector<Row> rows;
  for (const std::string& column : o.columns) {
    for (const Case& c : cases) rows.push_back(Row{c.set, c.name, column, {}});
  }
  auto work = [&](std::size_t i) { return run_case(cases[i % cases.size()], rows[i].column); };
  auto done = [&](std::size_t i, const Outcome& outcome) {
    Row& r = rows[i];
    r.outcome = outcome;
    bool expected = known.has(r) == (outcome.verdict == Verdict::kFailed);
    if (o.json || (!o.verbose && (expected || (o.known.empty() && outcome.verdict == Verdict::kPassed)))) return;
    const char* word = outcome.verdict == Verdict::kPassed   ? "ok  "
                       : outcome.verdict == Verdict::kFailed ? "FAIL"
                                                             : "skip";
    std::cout << word << " " << r.set << "/" << r.name << " [" << r.column << "] " << outcome.reason
              << (known.has(r) && outcome.verdict == Verdict::kPassed ? "unexpected: listed as a known failure" : "")
              << "\n";
  };
  if (o.here) {
    for (std::size_t i = 0; i < rows.size(); ++i) done(i, work(i));
  } else {
    run_jobs(rows.size(), o.limits, work, done);
  }
  return rows;
}

int summarize(const Options& o, const std::vector<Row>& rows, const Known& known, std::size_t cases) {
  int passed = 0, failed = 0, skipped = 0, wrong = 0, expected = 0;
  std::map<std::string, int> passed_by_column;
  for (const Row& r : rows) {
    bool is_failure = r.outcome.verdict == Verdict::kFailed, is_known = known.has(r);
    passed += r.outcome.verdict == Verdict::kPassed;
    failed += is_failure;
    skipped += r.outcome.verdict == Verdict::kSkipped;
    expected += is_failure && is_known;
    wrong += is_failure != is_known && (is_failure || r.outcome.verdict == Verdict::kPassed);
    passed_by_column[r.column] += r.outcome.verdict == Verdict::kPassed;
  }
  if (o.json) {
    write_json(std::cout, rows);
    return wrong ? 1 : 0;
  }
  for (const std::string& c : o.columns) {
    std::printf("%-8s %d of %zu passed (%.1f %%)\n", c.c_str(), passed_by_column[c], cases,
                100.0 * passed_by_column[c] / static_cast<double>(cases));
  }
  if (!o.known.empty()) {
    std::printf("%d of the failures are known, %d results are unexpected\n", expected, wrong);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return wrong ? 1 : 0;
}

int main_of(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--help") || !std::strcmp(argv[i], "-h")) return std::fputs(kHelp, stdout), 0;
  }
  if (!parse(argc, argv, o)) return std::fputs(kHelp, stderr), 2;
  Known known;
  if (!o.known.empty()) {
    if (Status s = known.read(o.known); !s.ok()) return std::fprintf(stderr, "%s\n", s.to_string().c_str()), 2;
  }
  std::vector<Case> cases;
  for (const std::string& p : o.paths) {
    Result<std::vector<Case>> found = find_cases(p);
    if (!found.ok()) return std::fprintf(stderr, "%s\n", found.status().to_string().c_str()), 2;
    for (Case& c : *found) {
      if ((c.set + "/" + c.name).find(o.filter) != std::string::npos) cases.push_back(std::move(c));
    }
  }
  std::vector<Row> rows = run(o, cases, known);
  if (!o.write_known.empty()) {
    std::ofstream out(o.write_known);
    write_known(out, rows);
  }
  if (!o.document.empty()) {
    std::ofstream out(o.document);
    write_document(out, rows);
  }
  return summarize(o, rows, known, cases.size());
}

}  // namespace
}  // namespace mote::conformance

int main(int argc, char** argv) { return mote::conformance::main_of(argc, argv); }
