# One warning list for our own targets; third-party headers are SYSTEM and stay silent.
function(svi_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                           -Woverloaded-virtual)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms of g++ 12 inside std::string (GCC bugs 105329 and 105651).
    target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds)
  endif()
  if(SVI_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Files that are compiled together are no headers: their local types may be members of what they define.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
  if(SVI_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
