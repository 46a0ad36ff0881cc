// 64-bit offsets in 32-bit builds.
#define _FILE_OFFSET_BITS 64

#include "base/file.h"

#include <algorithm>
#include <utility>

#include "base/memory_info.h"
#include "base/text.h"

#if MOTE_FILES
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#endif

namespace mote {

FileMap::FileMap(FileMap&& o) noexcept
    : map_(std::exchange(o.map_, nullptr)),
      map_size_(std::exchange(o.map_size_, 0)),
      data_(std::exchange(o.data_, nullptr)),
      size_(std::exchange(o.size_, 0)) {}

FileMap& FileMap::operator=(FileMap&& o) noexcept {
  std::swap(map_, o.map_);
  std::swap(map_size_, o.map_size_);
  std::swap(data_, o.data_);
  std::swap(size_, o.size_);
  return *this;
}

FileWriter::FileWriter(FileWriter&& o) noexcept
    : fd_(std::exchange(o.fd_, -1)),
      position_(o.position_),
      path_(std::move(o.path_)),
      temporary_(std::move(o.temporary_)) {}

FileWriter& FileWriter::operator=(FileWriter&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(position_, o.position_);
  std::swap(path_, o.path_);
  std::swap(temporary_, o.temporary_);
  return *this;
}

Status FileWriter::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

Status FileWriter::write_zeros(std::int64_t count) {
  static constexpr std::byte kZeros[4096] = {};
  while (count > 0) {
    std::int64_t n = count < 4096 ? count : 4096;
    MOTE_TRY(write(std::span(kZeros, static_cast<std::size_t>(n))));
    count -= n;
  }
  return {};
}

#if !MOTE_FILES

namespace {
Status no_files() { return unsupported("this build of Mote has no access to files"); }
}  // namespace

FileMap::~FileMap() = default;
Result<FileMap> FileMap::open(const std::string&) { return no_files(); }
Result<FileMap> FileMap::open(const std::string&, std::uint64_t, std::uint64_t) { return no_files(); }
void FileMap::will_need(std::uint64_t, std::uint64_t) const {}
void FileMap::drop(std::uint64_t, std::uint64_t) const {}
FileWriter::~FileWriter() = default;
Result<FileWriter> FileWriter::create(const std::string&) { return no_files(); }
Status FileWriter::write(std::span<const std::byte>) { return no_files(); }
Status FileWriter::commit() { return no_files(); }
Result<std::string> read_file(const std::string&, std::int64_t) { return no_files(); }
Status make_folder_of(const std::string&) { return no_files(); }

#else

namespace {

Status system_error(const char* what, const std::string& path) {
  int error = errno;
  Code code = error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kIo;
  return Status(code, concat(what, ": ", std::strerror(error))).at(clean_text(path));
}

std::uint64_t page_size() {
  static const auto size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

struct File {
  int fd = -1;
  std::uint64_t size = 0;
  explicit File(int f) : fd(f) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&& o) noexcept : fd(std::exchange(o.fd, -1)), size(o.size) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
};

Result<File> open_file(const std::string& path) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return system_error("cannot open", path);
  struct stat info {};
  if (fstat(file.fd, &info) != 0) return system_error("cannot open", path);
  if (!S_ISREG(info.st_mode)) return Status(Code::kIo, "not a regular file").at(clean_text(path));
  file.size = static_cast<std::uint64_t>(info.st_size);
  return file;
}

}  // namespace

FileMap::~FileMap() {
  if (map_) munmap(map_, map_size_);
}

Result<FileMap> FileMap::open(const std::string& path) { return open(path, 0, UINT64_MAX); }

Result<FileMap> FileMap::open(const std::string& path, std::uint64_t offset, std::uint64_t size) {
  MOTE_ASSIGN(File file, open_file(path));
  if (size == UINT64_MAX && offset <= file.size) size = file.size - offset;
  if (offset > file.size || size > file.size - offset) {
    return invalid(concat("the file ends at byte ", file.size, ", but bytes ", offset, " to ", offset, " + ", size,
                          " are referred to"))
        .at(clean_text(path));
  }
  FileMap map;
  if (size == 0) return map;
  std::uint64_t lead = offset % page_size();
  if (size > SIZE_MAX / 2 - lead) return unsupported("the file is larger than the address space").at(clean_text(path));
  auto length = static_cast<std::size_t>(size + lead);
  void* p = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file.fd, static_cast<off_t>(offset - lead));
  if (p == MAP_FAILED) return system_error("cannot map", path);
  map.map_ = static_cast<std::byte*>(p);
  map.map_size_ = length;
  map.data_ = map.map_ + lead;
  map.size_ = static_cast<std::size_t>(size);
  return map;
}

void FileMap::will_need(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= size_) return;
  if (size > size_ - offset) size = size_ - offset;
  auto begin = static_cast<std::uint64_t>(data_ - map_) + offset;
  std::uint64_t first = begin / page_size() * page_size();
  madvise(map_ + first, static_cast<std::size_t>(begin + size - first), MADV_WILLNEED);
}

void FileMap::drop(std::uint64_t offset, std::uint64_t size) const {
  if (offset >= size_ || map_size_ < kWorthDropping) return;
  if (size > size_ - offset) size = size_ - offset;
  // Systems load what lies around a page together with it, up to 64 KiB on Linux: all that goes as well.
  constexpr std::uintptr_t kAround = 64 << 10;
  auto map = reinterpret_cast<std::uintptr_t>(map_);
  std::uintptr_t from = reinterpret_cast<std::uintptr_t>(data_) + static_cast<std::uintptr_t>(offset);
  std::uintptr_t end = from + static_cast<std::uintptr_t>(size);
  std::uintptr_t first = std::max(map, from / kAround * kAround);
  std::uintptr_t last = std::min(map + map_size_, (end + kAround - 1) / kAround * kAround);
  madvise(map_ + (first - map), last - first, MADV_DONTNEED);
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

Result<FileWriter> FileWriter::create(const std::string& path) {
  static constinit std::atomic<unsigned> serial{0};
  FileWriter w;
  w.path_ = path;
  w.temporary_ = concat(path, ".", static_cast<std::int64_t>(getpid()), ".", serial.fetch_add(1), ".tmp");
  w.fd_ = ::open(w.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (w.fd_ < 0) return system_error("cannot write", path);
  return w;
}

Status FileWriter::write(std::span<const std::byte> bytes) {
  position_ += static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    ssize_t n = ::write(fd_, bytes.data(), bytes.size() < (1u << 30) ? bytes.size() : (1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status FileWriter::commit() {
  int fd = std::exchange(fd_, -1);
  if (fd < 0) return internal_error("the file is already closed").at(clean_text(path_));
  if (close(fd) == 0 && rename(temporary_.c_str(), path_.c_str()) == 0) return {};
  Status status = system_error("cannot write", path_);
  unlink(temporary_.c_str());
  return status;
}

Status make_folder_of(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return system_error("cannot make the folder", folder);
  }
  return {};
}

Result<std::string> read_file(const std::string& path, std::int64_t max_bytes) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return system_error("cannot open", path);
  std::string text;
  char buffer[16384];
  for (;;) {
    ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("cannot read", path);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (static_cast<std::int64_t>(text.size()) > max_bytes) {
      return invalid(concat("larger than ", human_bytes(max_bytes))).at(clean_text(path));
    }
  }
}

#endif

}  // namespace mote
