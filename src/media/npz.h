// .npz archives (zip files of .npy entries, stored or deflated, zip64) from memory, to memory and to a file, through
// libzip (CMake option MOTE_NPZ; without it every function returns kUnsupported). Entry "x.npy" is array "x". Entries
// keep their order. Claimed sizes are held against the archive's real bytes and against Limits::max_bytes, all entries
// together, before anything is allocated: deflate cannot expand more than 1032 times, entries cannot overlap. Written
// archives are the same bytes for the same arrays (no clock).
#pragma once

#include "media/array.h"

namespace mote::media {

// Whether the bytes start like a zip archive.
bool is_zip(std::span<const std::byte> file);

Result<std::vector<Array>> read_npz(std::span<const std::byte> file, const Limits& limits = {});

enum class NpzCompression { kStored, kDeflated };

Result<std::vector<std::byte>> write_npz(std::span<const ArrayView> arrays,
                                         NpzCompression compression = NpzCompression::kStored,
                                         const Limits& limits = {});

#if MOTE_FILES
// Streams the arrays, without copying those that need no conversion, into a temporary file beside `path` and renames
// it: either the whole archive is there or what was there before. Something that is no regular file (a pipe, /dev/null)
// is written to.
Status write_npz_file(const std::string& path, std::span<const ArrayView> arrays,
                      NpzCompression compression = NpzCompression::kStored, const Limits& limits = {});
#endif

}  // namespace mote::media
