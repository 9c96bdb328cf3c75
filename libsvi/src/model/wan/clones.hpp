#pragma once

// Row kernels are compiled for several instruction sets and chosen at load time. Sums may be taken
// in any order inside `omp simd` loops, which is what lets them vectorise.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SVI_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SVI_CLONES
#endif
#define SVI_INLINE inline __attribute__((always_inline))
