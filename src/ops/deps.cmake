# Where the op cases are.
set_source_files_properties(${_dir}/cases_test.cc ${_dir}/pace_test.cc PROPERTIES COMPILE_DEFINITIONS "MOTE_OP_CASES=\"${CMAKE_SOURCE_DIR}/tests/ops\"")
set(_link "")
