#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// The values along one dimension: names of arms and scenes, numbers of seeds, clips, frames,
/// steps.
struct ResultScale {
  std::string name;  // "arm"; of the run: its dataset is "/arm"; of a dataset: beside that
  /// The values, in order.
  std::variant<std::vector<std::string>, std::vector<std::int64_t>, std::vector<double>> values;
  Attributes attributes = {};  // unit and others
};

/// Where a block of numbers belongs in the run's results.
struct ResultPlace {
  std::string path;                      // "/metrics/clip/psnr"
  std::vector<std::int64_t> start;       // index of the block's first element, one per dimension
  std::vector<std::int64_t> shape;       // of the whole dataset, the same in every part
  std::vector<std::string> dimensions;   // "arm", "seed", ...: scales of those names are attached
  Attributes attributes = {};            // unit, meaning, higher_is_better (0 or 1), ...
  std::vector<ResultScale> scales = {};  // of dimensions of its own, kept in the dataset's group;
                                         // they go before the run's scales of the same name
};

/// What belongs to the run as a whole.
struct ResultHeader {
  std::string name;                               // of the experiment
  Attributes attributes = {};                     // of the root group, beside name and svi_version
  std::map<std::string, std::string> texts = {};  // dataset to text: "original_ini", "resolved_ini"
  Attributes provenance = {};                     // versions, hashes, host
  std::vector<ResultScale> scales = {};           // of the run
};

/// Writes the results of one finished job as a file of its own, `<folder>/parts/<job>.h5`, which
/// appears complete or not at all. Uses serial HDF5; not collective.
class SVI_EXPORT PartWriter {
 public:
  /// `job`: letters, digits, '.', '_', '-'. Throws IoError if the folder cannot be written.
  PartWriter(const std::filesystem::path& folder, const std::string& job);
  PartWriter(PartWriter&&) noexcept;
  ~PartWriter();

  /// Adds a block; fp32, fp64, int64, int32 or uint8. Leading dimensions that the tensor lacks have
  /// size 1.
  void add(const ResultPlace& place, const at::Tensor& tensor);
  /// Something about the job itself, such as the hash of its settings or its seconds.
  void set_attribute(const std::string& name, const AttributeValue& value);
  /// Forces the file to the disk and gives it its name, replacing an older part of the job.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The file of a job's part, there or not.
SVI_EXPORT std::filesystem::path part_path(const std::filesystem::path& folder,
                                           const std::string& job);
/// Whether the part of a job is complete.
SVI_EXPORT bool part_exists(const std::filesystem::path& folder, const std::string& job);
/// What PartWriter::set_attribute stored. Throws IoError for a missing or damaged part.
SVI_EXPORT Attributes part_attributes(const std::filesystem::path& folder, const std::string& job);
/// The jobs whose parts are complete, sorted.
SVI_EXPORT std::vector<std::string> read_part_names(const std::filesystem::path& folder);

/// Writes a small file into `folder` as merge_parts will, reads it and removes it: whether HDF5
/// works there is known before the first hour of a run, not after the last. Collective; IoErrors
/// are thrown alike on all ranks.
SVI_EXPORT void probe_results(const std::filesystem::path& folder, const Communicator& group);

/// Writes `<folder>/header.h5`, atomically. One rank calls it, before merge_parts.
SVI_EXPORT void write_result_header(const std::filesystem::path& folder,
                                    const ResultHeader& header);

/// Puts header and parts together as `target`, in parallel: every rank writes its share of the
/// parts. What no part holds is NaN (0 in integer datasets). The datasets have the same bytes on
/// any number of ranks; the file appears when it is complete, and the parts stay. Collective;
/// IoErrors are thrown alike on all ranks.
SVI_EXPORT void merge_parts(const std::filesystem::path& folder,
                            const std::filesystem::path& target, const Communicator& group);

}  // namespace svi
