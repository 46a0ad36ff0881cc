// Bounds-checked reading of integers from a file held in memory. Offsets count from the start of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "mote/status.h"

namespace mote::media {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> file) : file_(file) {}

  std::size_t position() const { return position_; }
  std::size_t size() const { return file_.size(); }
  std::size_t left() const { return file_.size() - position_; }
  bool at_end() const { return position_ == file_.size(); }
  // Positions past the end are clamped to it; the next read fails.
  void seek(std::uint64_t position) {
    position_ = position < file_.size() ? static_cast<std::size_t>(position) : file_.size();
  }

  bool read_u8(std::uint8_t& v) {
    if (at_end()) return false;
    v = std::to_integer<std::uint8_t>(file_[position_++]);
    return true;
  }
  // Little-endian unsigned integers.
  template <class T>
  bool read_le(T& v) {
    if (left() < sizeof(T)) return false;
    v = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      v = static_cast<T>(v | static_cast<T>(std::to_integer<T>(file_[position_ + i]) << (8 * i)));
    }
    position_ += sizeof(T);
    return true;
  }
  bool read_span(std::size_t n, std::span<const std::byte>& out) {
    if (left() < n) return false;
    out = file_.subspan(position_, n);
    position_ += n;
    return true;
  }
  Status error(std::string message) const {
    return invalid(std::move(message)).at("byte " + std::to_string(position_));
  }

 private:
  std::span<const std::byte> file_;
  std::size_t position_ = 0;
};

}  // namespace mote::media
