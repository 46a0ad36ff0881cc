# protozero is header-only and has no package file.
if(MOTE_ONNX)
  find_path(PROTOZERO_INCLUDE protozero/pbf_reader.hpp REQUIRED)
  include_directories(SYSTEM ${PROTOZERO_INCLUDE})
endif()
