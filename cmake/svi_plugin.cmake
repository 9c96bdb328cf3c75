# svi_add_plugin(name SOURCES a.cpp ... [LIBRARIES ...])
#
# A run-time plugin: a MODULE library that shows only its descriptor and resolves every symbol when
# linked. Used for our plugins, by the tests, and by out-of-tree authors after find_package(svi).
function(svi_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE svi::svi ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES
    PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_options(${name} PRIVATE LINKER:-z,defs)
  if(DEFINED SVI_PLUGIN_DIR AND PROJECT_NAME STREQUAL "svi")
    svi_warnings(${name})
    set_target_properties(${name} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/svi/plugins
      INSTALL_RPATH "$ORIGIN/../.." )
  endif()
endfunction()
