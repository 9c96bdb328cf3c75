# LibTorch from PyPI's torch wheel, through imported targets of our own: the wheel's own package file
# runs the CUDA compiler and fails where no GPU is seen.
#
#   LibTorch_ROOT   site-packages folder that holds torch/; without it, the user's cache and then /usr/local/lib/svi
#                   are searched, where tools/setup installs it
#
# Defines LibTorch::LibTorch and LibTorch_VERSION.
set(_svi_cache "$ENV{XDG_CACHE_HOME}")
if(NOT _svi_cache)
  set(_svi_cache "$ENV{HOME}/.cache")
endif()
file(GLOB _svi_torch_sites "${_svi_cache}/svi/torch-2.11.0/lib/python3*/site-packages"
  "/usr/local/lib/svi/torch-2.11.0/lib/python3*/site-packages")
find_path(LibTorch_SITE_PACKAGES torch/lib/libtorch_cpu.so
  HINTS ${LibTorch_ROOT} $ENV{LibTorch_ROOT} ${_svi_torch_sites} NO_DEFAULT_PATH)

if(LibTorch_SITE_PACKAGES AND EXISTS "${LibTorch_SITE_PACKAGES}/torch/version.py")
  file(STRINGS "${LibTorch_SITE_PACKAGES}/torch/version.py" _svi_line REGEX "^__version__")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_svi_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_SITE_PACKAGES VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Run tools/setup, or give -DLibTorch_ROOT=<site-packages of torch==2.11.0>.")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  set(_svi_lib "${LibTorch_SITE_PACKAGES}/torch/lib")
  add_library(LibTorch::C10 SHARED IMPORTED)
  set_target_properties(LibTorch::C10 PROPERTIES IMPORTED_LOCATION "${_svi_lib}/libc10.so")
  add_library(LibTorch::LibTorch SHARED IMPORTED)
  set_target_properties(LibTorch::LibTorch PROPERTIES
    IMPORTED_LOCATION "${_svi_lib}/libtorch_cpu.so"
    INTERFACE_INCLUDE_DIRECTORIES
      "${LibTorch_SITE_PACKAGES}/torch/include;${LibTorch_SITE_PACKAGES}/torch/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES LibTorch::C10)
  # The CPU library names CUDA libraries of the wheel; the linker only has to see that they are there.
  file(GLOB _svi_cuda "${LibTorch_SITE_PACKAGES}/nvidia/*/lib")
  foreach(_dir IN LISTS _svi_cuda)
    set_property(TARGET LibTorch::LibTorch APPEND PROPERTY INTERFACE_LINK_OPTIONS "LINKER:-rpath-link,${_dir}")
  endforeach()
  set_property(TARGET LibTorch::LibTorch APPEND PROPERTY
    INTERFACE_LINK_OPTIONS "LINKER:-rpath-link,${_svi_lib}" "LINKER:-rpath,${_svi_lib}")
endif()
