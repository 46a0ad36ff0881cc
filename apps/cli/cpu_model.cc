#include "cpu_model.h"

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace mote::cli {
namespace {

struct Field {
  std::string_view key;
  double CpuModel::*value;
};
constexpr Field kFields[] = {{"ghz", &CpuModel::ghz},
                             {"f32_macs_per_cycle", &CpuModel::f32_macs_per_cycle},
                             {"int8_macs_per_cycle", &CpuModel::int8_macs_per_cycle},
                             {"f32_depthwise_macs_per_cycle", &CpuModel::f32_depthwise_macs_per_cycle},
                             {"int8_depthwise_macs_per_cycle", &CpuModel::int8_depthwise_macs_per_cycle},
                             {"gbytes_per_s", &CpuModel::gbytes_per_s},
                             {"requantize_cycles", &CpuModel::requantize_cycles},
                             {"step_us", &CpuModel::step_us}};

const CpuModel* known(std::string_view name) {
  auto it = std::ranges::find(cpu_models(), name, &CpuModel::name);
  return it == cpu_models().end() ? nullptr : &*it;
}

std::string_view without_comment(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == '#' && !quoted) return line.substr(0, i);
  }
  return line;
}

Status set(CpuModel& cpu, std::string_view key, std::string_view value) {
  bool text = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  if (key == "name" || key == "like") {
    if (!text) return invalid(concat(key, " is a text in quotes"));
    value = value.substr(1, value.size() - 2);
    if (key == "name") {
      cpu.name = value;
      return {};
    }
    const CpuModel* of = known(value);
    if (!of)
      return invalid("there is no description of " + mote::quoted(value)).hint("there are: " + join(known_cpus()));
    std::string name = cpu.name;
    cpu = *of;
    if (!name.empty()) cpu.name = name;
    return {};
  }
  for (const Field& f : kFields) {
    if (f.key != key) continue;
    std::optional<double> number = parse_float(value);
    bool may_be_zero = key == "requantize_cycles" || key == "step_us";
    if (!number || !(*number > 0 || (may_be_zero && *number == 0)) || *number > 1e9)
      return invalid(concat(key, " is a number above 0, not ", mote::quoted(value)));
    cpu.*f.value = *number;
    return {};
  }
  std::vector<std::string> keys = {"name", "like"};
  for (const Field& f : kFields) keys.emplace_back(f.key);
  return invalid("no such key: " + mote::quoted(key)).hint("the keys are " + join(keys));
}

}  // namespace

std::vector<std::string> known_cpus() {
  std::vector<std::string> out;
  for (const CpuModel& c : cpu_models()) out.push_back(c.name);
  return out;
}

Result<CpuModel> cpu_model(const std::string& name_or_path) {
  if (const CpuModel* c = known(name_or_path)) return *c;
  Result<std::string> text = read_file(name_or_path, 1 << 20);
  if (!text.ok()) return std::move(text).status().hint("--target takes a file, or one of " + join(known_cpus()));
  CpuModel cpu;
  cpu.name.clear();
  int number = 0;
  Status status;
  split(*text, '\n', [&](std::string_view line) {
    ++number;
    line = trim(without_comment(line));
    if (line.empty() || !status.ok()) return;
    std::size_t eq = line.find('=');
    Status s = eq == std::string_view::npos || line.front() == '['
                   ? invalid("a line KEY = VALUE is wanted")
                   : set(cpu, trim(line.substr(0, eq)), trim(line.substr(eq + 1)));
    if (!s.ok()) status = std::move(s).at(concat(name_or_path, ": line ", number));
  });
  MOTE_TRY(std::move(status));
  if (cpu.name.empty()) cpu.name = name_or_path;
  return cpu;
}

}  // namespace mote::cli
