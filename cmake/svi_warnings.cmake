# One warning list for our own targets; third-party headers are SYSTEM and stay silent.
function(svi_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                           -Woverloaded-virtual)
  if(SVI_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()
