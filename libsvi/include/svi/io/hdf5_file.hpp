#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// What an HDF5 attribute may hold here.
using AttributeValue = std::variant<std::string, std::int64_t, double, std::vector<std::string>,
                                    std::vector<std::int64_t>, std::vector<double>>;
using Attributes = std::map<std::string, AttributeValue>;  // by name

/// How a dataset is stored.
struct DatasetOptions {
  std::vector<std::int64_t> chunk = {};  // empty: contiguous
  int deflate = 0;                       // 1 to 9: compressed; needs chunks, and a file of one rank
  bool checksum = false;  // `put` keeps one, in the attribute kHdf5Checksum; `read` compares it
};

/// The attribute that keeps the checksum of a dataset's values.
inline constexpr const char* kHdf5Checksum = "sha256";

/// One HDF5 file: groups, attributes, datasets from and to tensors.
///
/// Opened by one rank, or created by a group of ranks in parallel. In a parallel file everything is
/// collective with equal arguments, except `write`, which each rank calls for its own blocks.
/// Dtypes: fp32, fp64, int64, int32, uint8. Strings are UTF-8: attributes of variable, datasets of
/// fixed length. Every method throws IoError with the file's name and the library's reason; for a
/// full disk, with what is needed and what is free. The library is not thread-safe: one thread per
/// process may use HDF5 at a time.
///
/// Files are not locked (unless HDF5_USE_FILE_LOCKING asks for it): svi's are written under
/// temporary names and never change once they have their own, and RunLock keeps two runs apart. So
/// file systems without locks serve as well.
class SVI_EXPORT Hdf5File {
 public:
  /// Makes a new file, or empties an old one.
  static Hdf5File create(const std::string& path);
  static Hdf5File create(const std::string& path, const Communicator& group);  // collective
  static Hdf5File open(const std::string& path);  // to read; throws IoError

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  /// Writes everything out and closes; reports what a destructor could not. Collective.
  void close();

  bool contains(const std::string& path) const;  // a group or dataset
  /// Names below a group, sorted.
  std::vector<std::string> children(const std::string& group) const;
  /// Paths of all datasets below a group, sorted.
  std::vector<std::string> datasets(const std::string& group = "/") const;
  /// Makes a group and those above it, where they are missing.
  void create_group(const std::string& path);

  /// Sets an attribute of a group or dataset, replacing one of that name.
  void set_attribute(const std::string& object, const std::string& name,
                     const AttributeValue& value);
  void set_attributes(const std::string& object, const Attributes& attributes);  // likewise
  /// The value of one attribute; throws IoError if it is missing.
  AttributeValue attribute(const std::string& object, const std::string& name) const;
  /// All attributes of the types above.
  Attributes attributes(const std::string& object) const;

  /// Makes a dataset filled with NaN (floating point) or 0, and the groups above it.
  void create_dataset(const std::string& path, at::IntArrayRef shape, c10::ScalarType dtype,
                      const DatasetOptions& options = {});
  /// Writes a block that begins at `start` (empty: at the origin); leading dimensions that the
  /// tensor lacks have size 1. The dtype must be the dataset's. Not collective.
  void write(const std::string& path, const at::Tensor& tensor, at::IntArrayRef start = {});
  /// Makes a dataset of the tensor's shape and dtype and writes it; in a parallel file, rank 0's
  /// tensor.
  void put(const std::string& path, const at::Tensor& tensor, const DatasetOptions& options = {});
  void put_text(const std::string& path, const std::string& text);  // as a dataset, UTF-8
  /// Makes a 1-dimensional dataset of texts.
  void put_strings(const std::string& path, const std::vector<std::string>& strings);

  std::vector<std::int64_t> shape(const std::string& path) const;  // throws if it is missing
  c10::ScalarType dtype(const std::string& path) const;            // throws if it is another type
  bool holds_text(const std::string& path) const;                  // whether it is text
  /// All of it. Throws IoError where the values do not match the checksum kept with them, if any.
  at::Tensor read(const std::string& path) const;
  /// The block of `count` elements along each dimension from `start`.
  at::Tensor read(const std::string& path, at::IntArrayRef start, at::IntArrayRef count) const;
  std::string text(const std::string& path) const;                  // of a dataset
  std::vector<std::string> strings(const std::string& path) const;  // of a 1-dimensional dataset

  /// Declares a one-dimensional dataset the scale of a dimension (netCDF and xarray call it a
  /// coordinate).
  void make_scale(const std::string& path, const std::string& name);
  /// Names dimension `dimension` of a dataset; if `scale` is not empty, attaches that dataset as
  /// its scale.
  void label_dimension(const std::string& path, int dimension, const std::string& name,
                       const std::string& scale);

 private:
  struct Impl;
  explicit Hdf5File(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace svi
