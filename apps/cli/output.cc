// What verbs print, and how.
#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "cli.h"
#include "mote/system.h"

namespace mote::cli {

Globals globals;

int fail(const Status& status) {
  progress("");
  if (globals.json) {
    Json error = {{"message", status.message()}, {"where", status.where()}, {"hint", status.hint()}};
    print_json(Json{{"error", error}});
  } else {
    const char* red = globals.error_colour ? "\033[31m" : "";
    const char* off = globals.error_colour ? "\033[0m" : "";
    std::string where = clean_text(status.where(), 1000), message = clean_text(status.message(), 20000);
    std::fprintf(stderr, "%serror:%s %s%s%s\n", red, off, where.c_str(), where.empty() ? "" : ": ", message.c_str());
    if (!status.hint().empty()) std::fprintf(stderr, "  %s\n", std::string(status.hint()).c_str());
  }
  return status.code() == Code::kDeadlineExceeded ? 1 : 2;
}

void print_json(const Json& json) {
  std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::printf("%s\n", text.c_str());
}

void say(const std::string& message) {
  progress("");
  if (!globals.quiet) std::fprintf(stderr, "%s\n", message.c_str());
}

void detail(const std::string& message) {
  if (globals.verbose > 0) say(message);
}

void progress(const std::string& message) {
  static bool shown = false;
  if (!globals.progress || globals.quiet || (message.empty() && !shown)) return;
  std::fprintf(stderr, "\r\033[K%s", message.c_str());
  std::fflush(stderr);
  shown = !message.empty();
}

namespace {

// Columns a text takes: code points, which is right for everything that is printed here.
std::size_t width(const std::string& s) {
  std::size_t n = 0;
  for (char c : s) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

}  // namespace

Table::Table(std::vector<std::string> head, std::vector<bool> right) : right_(std::move(right)) {
  right_.resize(head.size(), false);
  rows_.push_back(std::move(head));
}

void Table::add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

void Table::print() const {
  std::vector<std::size_t> widths(right_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows_[r].size(); ++i) {
      std::string pad(widths[i] - width(rows_[r][i]), ' ');
      bool last = i + 1 == rows_[r].size();
      line += right_[i] ? pad + rows_[r][i] : rows_[r][i] + (last ? "" : pad);
      if (!last) line += "  ";
    }
    bool bold = r == 0 && globals.colour;
    std::printf("%s%s%s\n", bold ? "\033[1m" : "", line.c_str(), bold ? "\033[0m" : "");
  }
}

std::string fixed(double v, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string scientific(double v) {
  if (v == 0) return "0";
  char text[64];
  std::snprintf(text, sizeof text, "%.2e", v);
  return text;
}

std::string megabytes(double bytes) { return fixed(bytes / 1e6, bytes < 1e6 ? 3 : bytes < 1e7 ? 2 : 1) + " MB"; }

std::string grouped(std::int64_t v) {
  std::string s = std::to_string(v);
  for (std::size_t i = s.size(); i > 3 + (v < 0);) s.insert(i -= 3, ",");
  return s;
}

std::string list_text(const std::vector<std::string>& parts) { return "[" + join(parts, ",") + "]"; }

std::string shape_text(std::span<const std::int64_t> dims) { return "[" + join(dims, ",") + "]"; }

std::string shape_text(const Port& port) { return port.known_rank ? list_text(port.shape) : "[?]"; }

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double peak_rss_mb() { return static_cast<double>(peak_resident_bytes()) / 1e6; }

CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& what, const std::string& example) {
  CLI::App* verb = app.add_subcommand(name, what);
  verb->footer("Example: " + example);
  return verb;
}

void set_action(CLI::App& verb, int& exit_code, std::function<Result<int>()> action) {
  verb.callback([&exit_code, action = std::move(action)] {
    Result<int> code = action();
    exit_code = code.ok() ? *code : fail(code.status());
    progress("");
  });
}

}  // namespace mote::cli
