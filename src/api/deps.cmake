# Where the example models are.
foreach(_test ${_tests})
  set_property(SOURCE ${_test} APPEND PROPERTY COMPILE_DEFINITIONS MOTE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endforeach()

# Only what loads files asks for this one.
set_property(SOURCE ${_sources} APPEND PROPERTY COMPILE_DEFINITIONS MOTE_TFLITE=$<BOOL:${MOTE_TFLITE}>)

# libmote_runtime has these, and runtime_only.cc in the place of what prepares models.
set(_runtime ${_dir}/runtime_only.cc)
list(REMOVE_ITEM _sources ${_runtime})
set_property(SOURCE ${_runtime} APPEND PROPERTY COMPILE_OPTIONS -fno-exceptions -fno-rtti)
foreach(_name c_custom c_model c_session custom describe model opened plugin quantization)
  list(APPEND _runtime ${_dir}/${_name}.cc)
endforeach()
set_property(GLOBAL PROPERTY MOTE_API_RUNTIME "${_runtime}")
