#include <ATen/ATen.h>

#include "fuzz.hpp"
#include "svi/io/safetensors.hpp"

/// Every tensor that a header promises lies inside the file and can be read to its last byte.
void fuzz(std::string_view bytes) {
  const auto file = svi::SafetensorsFile::parse(bytes);
  for (const auto& info : file.infos()) {
    require(info.begin <= info.end && info.end <= bytes.size());
    require(file.contains(info.name));
    const auto tensor = file.load(info.name);
    require(tensor.nbytes() == info.end - info.begin &&
            tensor.sizes() == at::IntArrayRef(info.shape));
    const auto* data = static_cast<const volatile char*>(tensor.const_data_ptr());
    for (std::size_t i = 0; i < tensor.nbytes(); ++i) static_cast<void>(data[i]);
  }
  require(file.load_all().size() == file.infos().size());
}
