// libzip, loaded when the first archive is read or written: with the libraries that it needs in its turn it takes 2 MB.
#pragma once

#include <zip.h>

#include "mote/status.h"

namespace mote::media {

// clang-format off
#define MOTE_ZIP_FUNCTIONS(F) \
  F(close) F(discard) F(error_fini) F(error_init) F(error_init_with_code) F(error_strerror) F(fclose) \
  F(file_add) F(file_set_dostime) F(file_strerror) F(fopen_index) F(fread) F(get_num_entries) F(open) \
  F(open_from_source) F(set_file_compression) F(source_buffer_create) F(source_buffer_fragment) \
  F(source_close) F(source_free) F(source_keep) F(source_open) F(source_read) F(source_stat) \
  F(stat_index) F(stat_init) F(strerror)
// clang-format on

struct ZipLibrary {
#define MOTE_ZIP_MEMBER(name) decltype(&zip_##name) name = nullptr;
  MOTE_ZIP_FUNCTIONS(MOTE_ZIP_MEMBER)
#undef MOTE_ZIP_MEMBER
};

// Fails where the system has no libzip.
Status load_libzip();
// After load_libzip(). Any thread.
const ZipLibrary& libzip();

}  // namespace mote::media
