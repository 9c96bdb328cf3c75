#include "svi/core/processors.hpp"

#include <unistd.h>

#include <algorithm>

#include "svi/core/check.hpp"

namespace svi {

std::int64_t processors() { return std::max<std::int64_t>(1, ::sysconf(_SC_NPROCESSORS_CONF)); }

std::string threads_problem(std::int64_t threads) {
  const auto most = processors();
  if (threads >= 1 && threads <= most) return {};
  return cat("this machine has ", most, most == 1 ? " processor" : " processors", "; use 1",
             most == 1 ? std::string() : cat(" to ", most), most == 1 ? " thread" : " threads");
}

}  // namespace svi
