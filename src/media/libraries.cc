#include "media/libraries.h"

#if MOTE_JPEG
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#endif
#if MOTE_PNG
#include <png.h>
#endif
#if MOTE_NPZ
#include <zip.h>
#endif

#define MOTE_TEXT_INNER(x) #x
#define MOTE_TEXT(x) MOTE_TEXT_INNER(x)

namespace mote::media {

std::vector<std::pair<std::string, std::string>> libraries() {
  std::string jpeg = "off", png = "off", zip = "off";
#if MOTE_JPEG
#ifdef LIBJPEG_TURBO_VERSION
  jpeg = "turbo " MOTE_TEXT(LIBJPEG_TURBO_VERSION);
#else
  jpeg = MOTE_TEXT(JPEG_LIB_VERSION);
#endif
#endif
#if MOTE_PNG
  png = png_get_libpng_ver(nullptr);
#endif
#if MOTE_NPZ
  zip = LIBZIP_VERSION;
#endif
  return {{"libjpeg", jpeg}, {"libpng", png}, {"libzip", zip}};
}

}  // namespace mote::media
