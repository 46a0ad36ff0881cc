#include "base/system_files.h"

#if MOTE_FILES
#include <fcntl.h>
#include <unistd.h>
#endif

namespace mote {

std::string read_system_file(const std::string& path) {
  std::string text;
#if MOTE_FILES
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t n = 0;
  while (text.size() < 65536 && (n = read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  close(fd);
#else
  (void)path;
#endif
  return text;
}

}  // namespace mote
