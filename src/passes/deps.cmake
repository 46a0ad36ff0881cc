# Where the cases of passes are.
set_source_files_properties(${_dir}/cases_test.cc PROPERTIES COMPILE_DEFINITIONS "MOTE_PASS_CASES=\"${CMAKE_SOURCE_DIR}/tests/passes\"")
set(_link "")
