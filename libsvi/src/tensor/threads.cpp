#include "svi/tensor/threads.hpp"

#include <ATen/Parallel.h>

// g++'s OpenMP is that of LibTorch; another compiler's would be a second one in the process.
#if defined(__GNUC__) && !defined(__clang__) && !defined(_OPENMP)
#error "compile this file with -fopenmp: at::parallel_for uses one thread otherwise"
#endif

namespace svi {

void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(begin, end, grain, body);
}

}  // namespace svi
