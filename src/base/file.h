// Files: read-only maps and writers that never leave half a file behind. Without MOTE_FILES (a build option) everything
// here fails with kUnsupported. Offsets and sizes are 64 bits; a 32-bit build refuses what does not fit its address
// space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mote/status.h"

namespace mote {

// A read-only private map of a file or a part of one. The pages are loaded on first touch. Movable; unmapped at the
// end. The file must not shrink while it is mapped.
class FileMap {
 public:
  FileMap() = default;
  FileMap(FileMap&& o) noexcept;
  FileMap& operator=(FileMap&& o) noexcept;
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;
  ~FileMap();

  static Result<FileMap> open(const std::string& path);
  // Fails where [offset, offset + size) is not inside the file.
  static Result<FileMap> open(const std::string& path, std::uint64_t offset, std::uint64_t size);

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Hints on a part of bytes(), cut to it. drop() gives the part's pages back, and those that came with them, unless
  // the file is small; they are read again when touched.
  void will_need(std::uint64_t offset, std::uint64_t size) const;
  void drop(std::uint64_t offset, std::uint64_t size) const;

 private:
  std::byte* map_ = nullptr;  // page-aligned, before data_
  std::size_t map_size_ = 0;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Writes to a temporary file beside `path`, which commit() renames over it; without commit() nothing remains.
class FileWriter {
 public:
  FileWriter() = default;
  FileWriter(FileWriter&& o) noexcept;
  FileWriter& operator=(FileWriter&& o) noexcept;
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();

  static Result<FileWriter> create(const std::string& path);
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  Status write_zeros(std::int64_t count);
  std::int64_t position() const { return position_; }
  Status commit();

 private:
  int fd_ = -1;
  std::int64_t position_ = 0;
  std::string path_, temporary_;
};

// Makes the folder that the file `path` lies in, and those above it, where they are missing.
Status make_folder_of(const std::string& path);

// The whole file, at most `max_bytes` of it; more is an error.
Result<std::string> read_file(const std::string& path, std::int64_t max_bytes);

}  // namespace mote
