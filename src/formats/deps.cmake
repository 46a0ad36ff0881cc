if(MOTE_ONNX)
  mote_headers(protozero pbf_reader.hpp)
endif()

# Every NAME.fbs becomes <tflite/NAME_generated.h>.
if(MOTE_TFLITE)
  mote_headers(flatbuffers flatbuffers.h)
  find_program(FLATC flatc REQUIRED NO_CMAKE_FIND_ROOT_PATH)
  set(_generated ${CMAKE_BINARY_DIR}/generated)
  file(GLOB _schemas CONFIGURE_DEPENDS ${_dir}/tflite/*.fbs)
  foreach(_schema ${_schemas})
    get_filename_component(_name ${_schema} NAME_WE)
    set(_header ${_generated}/tflite/${_name}_generated.h)
    add_custom_command(OUTPUT ${_header} DEPENDS ${_schema} VERBATIM
      COMMAND ${FLATC} --cpp --scoped-enums -o ${_generated}/tflite ${_schema})
    list(APPEND _sources ${_header})
  endforeach()
  set(_readers ${_sources} ${_tests})
  list(FILTER _readers INCLUDE REGEX "/formats/tflite/")
  set_property(SOURCE ${_readers} APPEND PROPERTY COMPILE_OPTIONS -isystem ${_generated})
  # Text is not read as numbers, which alone would need the library.
  set_property(SOURCE ${_readers} APPEND PROPERTY COMPILE_DEFINITIONS FLATBUFFERS_LOCALE_INDEPENDENT=0)
endif()
