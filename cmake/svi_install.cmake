# What `cmake --install` lays down: library and headers, programs, plugins, a package for find_package(svi),
# experiments (those of plugins too) and small weights. Also the target `programs`: what a user runs, without tests and benchmarks.
include(CMakePackageConfigHelpers)
set(_svi_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/svi)
set(_svi_share_dir ${CMAKE_INSTALL_DATADIR}/svi)

# All targets of one type in a folder and its sub-folders.
function(_svi_targets_below folder type out)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  set(found)
  foreach(target IN LISTS targets)
    get_target_property(target_type ${target} TYPE)
    if(target_type STREQUAL ${type})
      list(APPEND found ${target})
    endif()
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    _svi_targets_below(${subfolder} ${type} deeper)
    list(APPEND found ${deeper})
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

_svi_targets_below(${PROJECT_SOURCE_DIR}/apps EXECUTABLE _svi_programs)
_svi_targets_below(${PROJECT_SOURCE_DIR}/plugins MODULE_LIBRARY _svi_plugins)
add_custom_target(programs DEPENDS svi ${_svi_programs} ${_svi_plugins})

install(TARGETS svi EXPORT sviTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${_svi_plugins} LIBRARY DESTINATION ${SVI_PLUGIN_DIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/libsvi/include/svi ${PROJECT_BINARY_DIR}/libsvi/include/svi
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")

install(DIRECTORY ${PROJECT_SOURCE_DIR}/experiments DESTINATION ${_svi_share_dir} FILES_MATCHING PATTERN "*.ini")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/benchmarks/suites DESTINATION ${_svi_share_dir}/benchmarks FILES_MATCHING PATTERN "*.ini")
# Each in the folder of its plugin, as in the source tree: their bases are named from there.
file(GLOB_RECURSE _svi_plugin_experiments CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  ${PROJECT_SOURCE_DIR}/plugins/*.ini)
foreach(_svi_file IN LISTS _svi_plugin_experiments)
  get_filename_component(_svi_folder ${_svi_file} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${_svi_file} DESTINATION ${_svi_share_dir}/${_svi_folder})
endforeach()
foreach(_svi_weights IN ITEMS pocket talk dance)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/data/${_svi_weights} DESTINATION ${_svi_share_dir}/data OPTIONAL)
endforeach()

# The package. Its targets name LibTorch::LibTorch, which our own find module defines.
install(EXPORT sviTargets NAMESPACE svi:: DESTINATION ${_svi_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sviConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/sviConfig.cmake INSTALL_DESTINATION ${_svi_package_dir}
  PATH_VARS CMAKE_INSTALL_BINDIR SVI_PLUGIN_DIR _svi_share_dir)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/sviConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/sviConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/sviConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/svi_plugin.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake
  DESTINATION ${_svi_package_dir})
