#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace svi::inspect {

struct RunOptions {
  std::string model;  // dit, vae-encode or vae-decode
  std::string weights;
  std::string inputs;
  std::string out;
  std::int64_t heads = 0;  // 0: dim / 128
  std::string device = "cpu";
  std::string copy = {};  // which one, where a file holds several
};

struct ConvertOptions {
  std::string input, out;
  std::string to = "official";     // official, diffusers or comfyui names
  std::string dtype = {};          // fp32, bf16, fp16; empty: as stored
  std::vector<std::string> loras;  // FILE or FILE=STRENGTH, merged first
  std::int64_t heads = 0;          // 0: dim / 128
  double shard_gib = 0;            // 0: one file
  std::string copy = {};           // which one, where a file holds several
};

/// Writes a transformer, codec or encoder under other names, in another precision, with adapters
/// merged, tensor by tensor. Throws IoError, ConfigError.
void convert(const ConvertOptions& options, std::ostream& out);

struct ListOptions {
  std::string path;
  bool tensors = true;       // each tensor on a line
  std::string copy = {};     // which one, where a file holds several
  std::string weights = {};  // of an adapter: the transformer that it is compared with
};

/// Prints what the checkpoint is, its tensors, and the place of each. Throws IoError.
void list(const ListOptions& options, std::ostream& out);

/// One forward pass from named tensors to named tensors. Throws svi::Error.
void run(const RunOptions& options);

}  // namespace svi::inspect
