# svi_add_test(folder [TOGETHER] SOURCES ... [LIBRARIES ...] [LABELS ...])   one binary and one CTest entry per folder
# svi_add_mpi_test(folder RANKS 1 2 4 SOURCES ... [LIBRARIES ...])            the same binary under each rank count
# TOGETHER compiles its files together, up to eight at a time; gtest is then spelt ::testing, never testing.
# Labels: mpi; slow, takes minutes; gpu; no_arithmetic, the same on every processor.
include(GoogleTest)
find_package(GTest REQUIRED)

# Seconds after which a test counts as hung. The slowest of each kind takes a tenth of it on two idle cores: a loaded
# machine, one core or an emulated instruction set must not fail for being slow.
set(SVI_TEST_LIMIT 900)
set(SVI_SLOW_TEST_LIMIT 3600)

set(SVI_MPI_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMP_NUM_THREADS=1)

function(_svi_test_binary target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TOGETHER" "MAIN" "SOURCES;LIBRARIES")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE svi::internal GTest::gtest GTest::gmock ${arg_MAIN} ${arg_LIBRARIES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE
    SVI_SOURCE_DIR="${PROJECT_SOURCE_DIR}" SVI_BINARY_DIR="${PROJECT_BINARY_DIR}"
    OMPI_SKIP_MPICXX=1)  # or the precompiled header, which has it, would be refused
  svi_warnings(${target})
  if(arg_TOGETHER)
    svi_unity(${target})
  endif()
  target_precompile_headers(${target} REUSE_FROM svi_tensor)
  add_dependencies(${target} pocket)  # what is registered beside the built-ins
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

function(svi_add_test folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TOGETHER" "TIMEOUT" "SOURCES;LIBRARIES;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${SVI_TEST_LIMIT})
  endif()
  string(REPLACE "/" "_" name ${folder})
  set(together)
  if(arg_TOGETHER)
    set(together TOGETHER)
  endif()
  _svi_test_binary(${name}_test ${together} MAIN GTest::gtest_main SOURCES ${arg_SOURCES} LIBRARIES ${arg_LIBRARIES})
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}"
    ENVIRONMENT "${SVI_MPI_ENVIRONMENT}")
endfunction()

function(svi_add_mpi_test folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "RANKS;SOURCES;LIBRARIES;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT ${SVI_TEST_LIMIT})
  endif()
  string(REPLACE "/" "_" name ${folder})
  _svi_test_binary(${name}_mpi_test SOURCES ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/mpi_main.cpp
    LIBRARIES svi_mpi ${arg_LIBRARIES})
  foreach(ranks IN LISTS arg_RANKS)
    set(places 2)  # more ranks than places would crowd one another out wherever they run
    if(ranks EQUAL 1)
      set(places 1)
    endif()
    add_test(NAME ${name}_mpi_${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} --oversubscribe $<TARGET_FILE:${name}_mpi_test>)
    set_tests_properties(${name}_mpi_${ranks} PROPERTIES TIMEOUT ${arg_TIMEOUT}
      LABELS "mpi;${arg_LABELS}" ENVIRONMENT "${SVI_MPI_ENVIRONMENT}" PROCESSORS ${places})
  endforeach()
endfunction()
