# Where the example models are.
foreach(_test ${_tests})
  set_property(SOURCE ${_test} APPEND PROPERTY COMPILE_DEFINITIONS MOTE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endforeach()
