#pragma once

#include <string>
#include <vector>

namespace svi::testing {

/// Writes down, while it lives, which files this process syncs, renames and removes, in order:
/// "fsync a.part", "rename a.part a", "unlink a.part", by names without folders. The functions of
/// the C library are replaced in the whole test program; without a recorder they do what they did.
class SystemCalls {
 public:
  SystemCalls();
  SystemCalls(const SystemCalls&) = delete;
  SystemCalls& operator=(const SystemCalls&) = delete;
  ~SystemCalls();

  /// The next fsync fails with this error, without doing anything.
  void fail_next_fsync(int error) { fsync_error_ = error; }

  const std::vector<std::string>& seen() const { return seen_; }

 private:
  friend struct SystemCallHooks;
  std::vector<std::string> seen_;
  int fsync_error_ = 0;
};

}  // namespace svi::testing
