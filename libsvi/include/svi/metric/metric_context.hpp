#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "svi/core/export.hpp"
#include "svi/metric/feature_store.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// A file that a metric cannot do without: mostly the weights of a network.
struct MetricFile {
  std::string name;        // how the metric calls it, unique among its files: "alexnet"
  std::string what;        // for users: "AlexNet trained on ImageNet, torchvision's file"
  std::string file;        // its name in the folder of `[evaluation] weights`
  std::int64_t bytes = 0;  // its size; 0: not known
  /// SHA-256 in hexadecimal digits, or its first ones; empty: any file will do.
  std::string sha256 = {};
  std::string source = {};  // where one gets it, and under which licence
  std::string given = {};   // the path that an option of the metric gives; empty: in the folder
  std::string option = {};  // that option: "file"
};

/// Where a file of a metric is, and what is wrong with it.
struct LocatedFile {
  std::string path;     // where it is, or was looked for
  std::string sha256;   // of its content, 64 digits; empty if there is none
  std::string problem;  // "does not exist", "is another file: ..."; empty: it is the one wanted
};

/// Where `file` belongs: the path given for it, else its name in `folder`.
SVI_EXPORT std::filesystem::path path_of(const MetricFile& file,
                                         const std::filesystem::path& folder);
/// Looks for it and reads it through for its hash.
SVI_EXPORT LocatedFile locate(const MetricFile& file, const std::filesystem::path& folder);
/// Whether content of this hash is the file; `sha256` has 64 digits.
SVI_EXPORT bool is_wanted(const MetricFile& file, const std::string& sha256);
/// All a user needs to know to get the file: name, what it is, problem, size, hash, source, remedy.
/// One line. `section` is the metric's.
SVI_EXPORT std::string missing_text(const MetricFile& file, const LocatedFile& found,
                                    const std::string& section);

/// What a metric is made ready with; outlives it.
struct MetricContext {
  at::Device device;         // of networks; frames come on the CPU
  const Communicator& team;  // ranks that measure the same films together, in the same order
  std::uint64_t seed = 0;    // for random numbers of svi/core/random.hpp; the same on all ranks
  FeatureStore& features;    // networks that several metrics share
  std::map<std::string, LocatedFile> files = {};  // by MetricFile::name; all there

  /// The file of that name; throws Error if needs() does not list it.
  SVI_EXPORT const LocatedFile& file(const std::string& name) const;
};

}  // namespace svi
