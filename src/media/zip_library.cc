#if MOTE_NPZ
#include "media/zip_library.h"

#ifdef MOTE_ZIP_SONAME
#include <dlfcn.h>
#endif

namespace mote::media {
namespace {

#ifdef MOTE_ZIP_SONAME

struct Loaded {
  ZipLibrary zip;
  bool complete = false;

  Loaded() {
    void* library = dlopen(MOTE_ZIP_SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return;
    complete = true;
#define MOTE_ZIP_LOAD(name)                                                      \
  zip.name = reinterpret_cast<decltype(zip.name)>(dlsym(library, "zip_" #name)); \
  complete = complete && zip.name != nullptr;
    MOTE_ZIP_FUNCTIONS(MOTE_ZIP_LOAD)
#undef MOTE_ZIP_LOAD
  }
};

#else

#define MOTE_ZIP_SONAME "libzip"

struct Loaded {
#define MOTE_ZIP_LINK(name) .name = &zip_##name,
  ZipLibrary zip = {MOTE_ZIP_FUNCTIONS(MOTE_ZIP_LINK)};
#undef MOTE_ZIP_LINK
  bool complete = true;
};

#endif

const Loaded& loaded() {
  static const Loaded library;
  return library;
}

}  // namespace

Status load_libzip() {
  if (loaded().complete) return {};
  return unsupported("cannot load " MOTE_ZIP_SONAME).hint("install libzip, or give the arrays as .npy files");
}

const ZipLibrary& libzip() { return loaded().zip; }

}  // namespace mote::media
#endif
