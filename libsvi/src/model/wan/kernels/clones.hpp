#pragma once

#include "svi/tensor/instruction_set.hpp"

// Row kernels are compiled once per instruction set, from a body that is inlined into each, and
// chosen by svi::instruction_set() when they are called. Sums may be taken in any order inside
// `omp simd` loops, which is what lets them vectorise.
#define SVI_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SVI_FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,f16c,fma,lzcnt,movbe")))
#define SVI_FOR_AVX512                                                             \
  __attribute__((                                                                  \
      target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,bmi,bmi2,f16c,fma," \
             "lzcnt,movbe")))

/// Defines `result name parameters`, which does what name_body(arguments) does.
#define SVI_CLONES(result, name, parameters, arguments)                                   \
  SVI_FOR_AVX512 static result name##_avx512 parameters { return name##_body arguments; } \
  SVI_FOR_AVX2 static result name##_avx2 parameters { return name##_body arguments; }     \
  result name parameters {                                                                \
    switch (instruction_set()) {                                                          \
      case InstructionSet::avx512:                                                        \
        return name##_avx512 arguments;                                                   \
      case InstructionSet::avx2:                                                          \
        return name##_avx2 arguments;                                                     \
      case InstructionSet::baseline:                                                      \
        break;                                                                            \
    }                                                                                     \
    return name##_body arguments;                                                         \
  }
#else
#define SVI_CLONES(result, name, parameters, arguments) \
  result name parameters { return name##_body arguments; }
#endif
