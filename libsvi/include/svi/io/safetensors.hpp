#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What a safetensors header says about one tensor.
struct SafetensorsInfo {
  std::string name;                                    // of the tensor
  c10::ScalarType dtype = c10::ScalarType::Undefined;  // as stored
  std::vector<std::int64_t> shape;                     // elements along each dimension
  std::uint64_t begin = 0;                             // bytes from the start of the file
  std::uint64_t end = 0;                               // exclusive
};

/// A safetensors file, memory-mapped: nothing is read before it is used.
///
/// The whole header is checked when opened; a damaged or hostile file is refused with an IoError
/// that names file, tensor and what is wrong. Copies share one mapping. Safe to use from several
/// threads.
class SVI_EXPORT SafetensorsFile {
 public:
  /// Maps and checks `path`. Throws IoError.
  static SafetensorsFile open(const std::filesystem::path& path);

  /// The same over bytes in memory, which are copied; `name` stands for the file in errors.
  static SafetensorsFile parse(std::string_view bytes, const std::string& name = "<memory>");

  /// The tensors in the order of the header.
  const std::vector<SafetensorsInfo>& infos() const;
  /// Free text of the file, key to value.
  const std::map<std::string, std::string>& metadata() const;
  /// What was opened, for messages.
  const std::string& path() const;
  bool contains(std::string_view name) const;  // whether there is such a tensor

  /// The tensor of that name, on the CPU, in its stored dtype. It shares the mapping and keeps it
  /// alive; writing to it does not change the file. Throws IoError if there is none of that name.
  at::Tensor load(std::string_view name) const;
  /// All tensors, in the order of the header, as by `load`.
  NamedTensors load_all() const;

 private:
  struct Content;
  explicit SafetensorsFile(std::shared_ptr<const Content> content);
  at::Tensor tensor(const SafetensorsInfo& info) const;

  std::shared_ptr<const Content> content_;
};

/// Writes tensors (any device, any layout, dtypes F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8
/// U8 BOOL) as a safetensors file, atomically. The header keeps their order. Throws IoError for a
/// repeated name, a dtype the format lacks, or a disk that refuses.
SVI_EXPORT void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                                 const std::map<std::string, std::string>& metadata = {});

/// A safetensors file whose tensors are filled in place, for data larger than memory: names, dtypes
/// and shapes are given first, the tensors are views of the file.
///
/// The file appears under its name at `commit`; a builder destroyed before leaves nothing behind.
class SVI_EXPORT SafetensorsBuilder {
 public:
  /// One tensor to write.
  struct Entry {
    std::string name;                                    // of the tensor
    c10::ScalarType dtype = c10::ScalarType::Undefined;  // as it will be stored
    std::vector<std::int64_t> shape;                     // elements along each dimension
  };

  /// Reserves the whole file. Throws IoError as save_safetensors does, for a full disk at once.
  SafetensorsBuilder(const std::filesystem::path& path, const std::vector<Entry>& entries,
                     const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsBuilder();

  /// The tensors, zero at first, in the order of the entries. Writing to them after `commit` is
  /// writing to the file.
  const NamedTensors& tensors() const;
  /// Forces everything to the disk and gives the file its name. Throws IoError.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace svi
