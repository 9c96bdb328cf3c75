#include "hdf5_detail.hpp"

#include "svi/core/check.hpp"

namespace svi::hdf5 {

namespace {

struct Reason {
  std::string outer, inner;
};

herr_t collect(unsigned, const H5E_error2_t* error, void* data) {
  auto& reason = *static_cast<Reason*>(data);
  if (error->desc != nullptr) {
    if (reason.outer.empty()) reason.outer = error->desc;
    reason.inner = error->desc;
  }
  return 0;
}

}  // namespace

void start() {
  // A file that a full disk kept from closing makes the library's own clean-up at exit crash.
  static const herr_t no_cleanup = H5dont_atexit();
  (void)no_cleanup;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void fail(const std::string& file, const std::string& what) {
  Reason reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, &collect, &reason);
  H5Eclear2(H5E_DEFAULT);
  std::string text = reason.outer;
  if (reason.inner != reason.outer)
    text += text.empty() ? reason.inner : cat(" (", reason.inner, ")");
  if (text.empty()) text = "HDF5 gives no reason";
  raise<IoError>(file, ": ", what, ": ", text);
}

}  // namespace svi::hdf5
