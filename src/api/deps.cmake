# Where the example models are.
foreach(_test ${_tests})
  set_property(SOURCE ${_test} APPEND PROPERTY COMPILE_DEFINITIONS MOTE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endforeach()

# Only what loads files asks for this one.
set_property(SOURCE ${_sources} APPEND PROPERTY COMPILE_DEFINITIONS MOTE_TFLITE=$<BOOL:${MOTE_TFLITE}>)
