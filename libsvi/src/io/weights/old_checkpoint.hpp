#pragma once

#include <map>
#include <string>
#include <string_view>

#include "io/weights/pickle_reader.hpp"

namespace svi {

/// Whether a file is a checkpoint as torch.save wrote it before PyTorch 1.6: no archive, but
/// pickles and bytes one behind the other. Many published weights are of this format.
bool is_old_checkpoint(std::string_view bytes);

/// Such a file: a magic number, a version, facts about the machine, the values, the keys of the
/// storages; then each storage as its number of elements and the elements.
class OldCheckpoint {
 public:
  /// Reads its pickles into `values` and finds the storages. Throws IoError naming `file`: another
  /// version, another byte order, a storage that nothing uses or that is cut short.
  OldCheckpoint(std::string_view bytes, const std::string& file, pickle::Values& values);

  const pickle::Value& top() const { return *top_; }
  /// Bytes of the storage of that key; null if there is none.
  const std::string_view* storage(const std::string& key) const;

 private:
  const pickle::Value* top_ = nullptr;
  std::map<std::string, std::string_view> storages_;
};

/// Bytes of one element of a storage, by its type's name (FloatStorage, ...); 0 for none.
std::size_t storage_width(std::string_view type);

}  // namespace svi
