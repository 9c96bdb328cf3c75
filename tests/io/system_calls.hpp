#pragma once

#include <cstddef>
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
  /// Writes of this many bytes at most from here on, each after one that a signal interrupts.
  void write_in_pieces(std::size_t bytes) { piece_ = bytes; }

  const std::vector<std::string>& seen() const { return seen_; }

 private:
  friend struct SystemCallHooks;
  std::vector<std::string> seen_;
  int fsync_error_ = 0;
  std::size_t piece_ = 0;  // 0: no limit
  bool interrupted_ = false;
};

}  // namespace svi::testing
