// Which CPUs the process may use: affinity mask, cgroup quota (v1 and v2), order by capacity.
#include <algorithm>
#include <cmath>
#include <thread>

#include "base/cpu.h"
#include "base/system_files.h"
#include "base/text.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace mote {
namespace {

std::vector<int> affinity() {
  std::vector<int> cpus;
#if defined(__linux__)
  for (int size = 1024; size <= 1 << 16; size *= 4) {  // grows until the kernel's mask fits
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(size));
    if (!set) break;
    std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    CPU_ZERO_S(bytes, set);
    if (sched_getaffinity(0, bytes, set) == 0) {
      for (int i = 0; i < size; ++i) {
        if (CPU_ISSET_S(static_cast<std::size_t>(i), bytes, set)) cpus.push_back(i);
      }
    }
    CPU_FREE(set);
    if (!cpus.empty()) break;
  }
#endif
  if (cpus.empty()) {
    unsigned n = std::thread::hardware_concurrency();
    for (unsigned i = 0; i < (n ? n : 1); ++i) cpus.push_back(static_cast<int>(i));
  }
  return cpus;
}

std::int64_t capacity_of(int cpu) {
  std::string dir = concat("/sys/devices/system/cpu/cpu", cpu, "/");
  if (auto v = parse_int(trim(read_system_file(dir + "cpu_capacity")))) return *v;
  return 0;
}

CpuSet find_cpus() {
  CpuSet set;
  std::vector<std::pair<std::int64_t, int>> order;
  for (int cpu : affinity()) order.emplace_back(-capacity_of(cpu), cpu);
  std::stable_sort(order.begin(), order.end());
  for (auto& [capacity, cpu] : order) set.cpus.push_back(cpu);
  set.mixed = order.front().first != order.back().first;
  return set;
}

// "max 100000" or "150000 100000".
double quota_v2(const std::string& dir) {
  std::string text = read_system_file(dir + "/cpu.max");
  std::string_view s = trim(text);
  auto space = s.find(' ');
  if (space == std::string_view::npos) return 0;
  auto quota = parse_float(s.substr(0, space)), period = parse_float(s.substr(space + 1));
  return quota && period && *period > 0 ? *quota / *period : 0;
}

double quota_v1(const std::string& dir) {
  auto quota = parse_float(trim(read_system_file(dir + "/cpu.cfs_quota_us")));
  auto period = parse_float(trim(read_system_file(dir + "/cpu.cfs_period_us")));
  return quota && period && *quota > 0 && *period > 0 ? *quota / *period : 0;
}

// The tightest quota from `path` up to the root of the hierarchy mounted at `mount`.
template <class Quota>
void tighten(double& best, const std::string& mount, std::string_view path, Quota quota) {
  for (;;) {
    double q = quota(mount + std::string(path == "/" ? "" : path));
    if (q > 0 && (best == 0 || q < best)) best = q;
    if (path.empty() || path == "/") return;
    path = path.substr(0, path.rfind('/'));
  }
}

}  // namespace

double cgroup_cpus() {
  double best = 0;
  std::string groups = read_system_file("/proc/self/cgroup");
  split(groups, '\n', [&](std::string_view line) {
    auto first = line.find(':'), second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) return;
    std::string_view controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) tighten(best, "/sys/fs/cgroup", path, quota_v2);
    bool cpu = false;
    split(controllers, ',', [&](std::string_view c) { cpu = cpu || c == "cpu"; });
    if (cpu) tighten(best, "/sys/fs/cgroup/cpu", path, quota_v1);
  });
  return best;
}

const CpuSet& allowed_cpus() {
  static const CpuSet set = find_cpus();
  return set;
}

int allowed_threads() {
  static const int threads = [] {
    int n = static_cast<int>(allowed_cpus().cpus.size());
    double quota = cgroup_cpus();
    if (quota > 0) n = std::min(n, std::max(1, static_cast<int>(std::ceil(quota))));
    return n;
  }();
  return threads;
}

}  // namespace mote
