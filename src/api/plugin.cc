// Plugins: shared libraries with custom ops.
#if MOTE_FILES
#include <dlfcn.h>
#endif

#include "api/c_api.h"
#include "api/custom.h"
#include "base/text.h"

namespace mote {

OpRegistry::Impl::~Impl() {
  definitions.clear();  // they call into the libraries
#if MOTE_FILES
  for (void* library : libraries) dlclose(library);
#endif
}

Status OpRegistry::load_plugin(const std::string& path) {
#if MOTE_FILES
  // Without a slash the system would search its library folders.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    return Status(Code::kNotFound, concat("cannot load the plugin: ", clean_text(why ? why : "unknown reason")))
        .at(path);
  }
  impl_->libraries.push_back(library);
  auto entry = reinterpret_cast<mote_plugin_register_fn>(dlsym(library, MOTE_PLUGIN_ENTRY));
  Status status =
      entry ? Status() : invalid("the library has no function " MOTE_PLUGIN_ENTRY).hint("see include/mote/c/mote.h");
  if (status.ok()) {
    api::PluginHost host(*this);
    mote_code code = entry(&host.host);
    status = std::move(host.status);
    if (code != MOTE_OK && status.ok()) status = Status(api::code_of(code), "the plugin refused to register its ops");
  }
  return status.ok() ? Status() : std::move(status).at(path);
#else
  return unsupported("this build has no plugins").at(path);
#endif
}

}  // namespace mote
