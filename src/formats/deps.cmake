# protozero is header-only and has no package file. Its headers are the same for every target; a link to that folder alone keeps the
# rest of the system's headers out of a build for another one.
if(MOTE_ONNX)
  find_path(PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  set(_protozero ${PROTOZERO_INCLUDE})
  if(CMAKE_CROSSCOMPILING)
    set(_protozero ${CMAKE_BINARY_DIR}/protozero)
    file(MAKE_DIRECTORY ${_protozero})
    file(CREATE_LINK ${PROTOZERO_INCLUDE}/protozero ${_protozero}/protozero SYMBOLIC)
  endif()
  include_directories(SYSTEM ${_protozero})
endif()
