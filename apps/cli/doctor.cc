// mote doctor: what Mote found on this machine and what it uses of it.
#include <cstdio>

#include "base/text.h"
#include "cli.h"
#include "mote/system.h"
#include "mote/version.h"

namespace mote::cli {
namespace {

Json to_json(const SystemInfo& s) {
  Json found = Json::array(), used = Json::array(), libraries = Json::object();
  for (const auto& isa : s.isas) {
    if (isa.found) found.push_back(isa.name);
    if (isa.used) used.push_back(isa.name);
  }
  for (const auto& [name, version] : s.libraries) libraries[name] = version;
  Json out = {{"version", kVersion},
              {"cpu", s.cpu},
              {"architecture", s.architecture},
              {"features_found", found},
              {"features_used", used}};
  out["cap"] = s.cap.empty() ? Json() : Json(s.cap);
  out["cpus"] = s.cpus;
  out["mixed_cpus"] = s.mixed_cpus;
  out["threads"] = s.threads;
  out["cgroup_cpus"] = s.cgroup_cpus > 0 ? Json(s.cgroup_cpus) : Json();
  out["cgroup_memory_bytes"] = s.cgroup_memory_bytes > 0 ? Json(s.cgroup_memory_bytes) : Json();
  out["memory_bytes"] = s.memory_bytes;
  out["available_bytes"] = s.available_bytes;
  out["page_bytes"] = s.page_bytes;
  out["l1d_bytes"] = s.l1d_bytes;
  out["l2_bytes"] = s.l2_bytes;
  out["l3_bytes"] = s.l3_bytes;
  out["compiler"] = s.compiler;
  out["libraries"] = std::move(libraries);
  return out;
}

void row(const char* name, const std::string& value) { std::printf("%-16s %s\n", name, value.c_str()); }

void print(const SystemInfo& s) {
  std::vector<std::string> found, used;
  for (const auto& isa : s.isas) {
    if (isa.found) found.push_back(isa.name);
    if (isa.used) used.push_back(isa.name);
  }
  row("mote", concat(kVersion, ", built by ", s.compiler));
  row("cpu", s.cpu + " (" + s.architecture + ")");
  row("features found", join(found));
  row("features used", join(used) + (s.cap.empty() ? "" : " (MOTE_CPU=" + s.cap + ")"));
  row("caches",
      concat("L1d ", s.l1d_bytes >> 10, " KiB, L2 ", s.l2_bytes >> 10, " KiB, L3 ", s.l3_bytes >> 10, " KiB"));
  row("cpus allowed", concat(s.cpus.size(), s.mixed_cpus ? " of different speeds" : "", ": ", join(s.cpus, " ")));
  row("threads", concat(s.threads, " by default"));
  row("cgroup",
      concat(s.cgroup_cpus > 0 ? concat(fixed(s.cgroup_cpus, 2), " cpus") : "no cpu limit", ", ",
             s.cgroup_memory_bytes > 0 ? megabytes(static_cast<double>(s.cgroup_memory_bytes)) : "no memory limit"));
  row("memory", concat(megabytes(static_cast<double>(s.memory_bytes)), ", ",
                       megabytes(static_cast<double>(s.available_bytes)), " available"));
  row("page size", std::to_string(s.page_bytes));
  for (const auto& [name, version] : s.libraries) row(name.c_str(), version);
}

}  // namespace

void register_doctor(CLI::App& app, int& exit_code) {
  CLI::App* verb = add_verb(app, "doctor", "show this machine as Mote sees it", "mote doctor --json");
  set_action(*verb, exit_code, []() -> Result<int> {
    SystemInfo s = system_info();
    globals.json ? print_json(to_json(s)) : print(s);
    if (!s.cap.empty()) {
      bool known = false;
      for (const auto& isa : s.isas) known = known || isa.name == s.cap;
      if (!known) say("MOTE_CPU=" + s.cap + " names no instruction set of this architecture and has no effect");
    }
    return 0;
  });
}

}  // namespace mote::cli
