#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace svi::inspect {

struct RunOptions {
  std::string model;  // dit, vae-encode or vae-decode
  std::string weights;
  std::string inputs;
  std::string out;
  std::int64_t heads = 0;  // 0: dim / 128
  std::string device = "cpu";
};

/// Prints what the checkpoint is, its tensors, and the place of each. Throws IoError.
void list(const std::string& path, bool tensors, std::ostream& out);

/// One forward pass from named tensors to named tensors. Throws svi::Error.
void run(const RunOptions& options);

}  // namespace svi::inspect
