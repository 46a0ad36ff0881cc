#include "base/memory_info.h"

#ifdef __linux__
#include <link.h>
#include <sys/mman.h>
#endif
#include <unistd.h>

#include <atomic>
#include <string>

#include "base/system_files.h"
#include "base/text.h"

namespace mote {
namespace {

// "MemTotal:       24604540 kB" in bytes.
std::int64_t field(std::string_view text, std::string_view name) {
  std::int64_t bytes = 0;
  split(text, '\n', [&](std::string_view line) {
    if (!line.starts_with(name) || line.substr(name.size(), 1) != ":") return;
    std::string_view rest = trim(line.substr(name.size() + 1));
    if (auto v = parse_int(rest.substr(0, rest.find(' ')))) bytes = *v << 10;
  });
  return bytes;
}

// The tightest limit in `file` of the groups from `path` up to the root.
void tighten(std::int64_t& best, const std::string& mount, std::string_view path, const char* file) {
  constexpr std::int64_t kNoLimit = std::int64_t{1} << 60;  // version 1 says "none" by a huge number
  for (;;) {
    auto v = parse_int(trim(read_system_file(mount + std::string(path == "/" ? "" : path) + "/" + file)));
    if (v && *v > 0 && *v < kNoLimit && (best == 0 || *v < best)) best = *v;
    if (path.empty() || path == "/") return;
    path = path.substr(0, path.rfind('/'));
  }
}

std::int64_t cgroup_limit() {
  std::int64_t best = 0;
  std::string groups = read_system_file("/proc/self/cgroup");
  split(groups, '\n', [&](std::string_view line) {
    auto first = line.find(':'), second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) return;
    std::string_view controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) tighten(best, "/sys/fs/cgroup", path, "memory.max");
    if (controllers == "memory") tighten(best, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
  });
  return best;
}

#ifdef __linux__
// The parts of one file that are mapped and never written.
int drop_object(dl_phdr_info* object, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    std::uintptr_t begin = (object->dlpi_addr + part.p_vaddr) & ~(page - 1);
    std::uintptr_t end = object->dlpi_addr + part.p_vaddr + part.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}
#endif

}  // namespace

void drop_code() {
#ifdef __linux__
  dl_iterate_phdr(drop_object, nullptr);
#endif
}

namespace {
constinit std::atomic<bool> drop_early{false};
}  // namespace

void set_drop_code_early() { drop_early.store(true, std::memory_order_relaxed); }
void drop_code_of_stage(std::uint64_t model_bytes) {
  if (model_bytes >= kWorthDropping && drop_early.load(std::memory_order_relaxed)) drop_code();
}

MemoryInfo memory_info() {
  MemoryInfo m;
  std::string text = read_system_file("/proc/meminfo");
  m.total_bytes = field(text, "MemTotal");
  m.available_bytes = field(text, "MemAvailable");
  m.cgroup_bytes = cgroup_limit();
  m.page_bytes = sysconf(_SC_PAGESIZE);
  m.peak_bytes = field(read_system_file("/proc/self/status"), "VmHWM");
  return m;
}

}  // namespace mote
