#include "io/mapping.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/descriptor.hpp"
#include "svi/core/check.hpp"
#include "svi/core/handle.hpp"

namespace svi {

Mapping::Mapping(const std::filesystem::path& path) {
  // Not blocking: a pipe without a writer is refused below instead of waited for.
  const Handle<Descriptor> file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    raise<IoError>(path.string(), ": cannot be opened: ", std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) raise<IoError>(path.string(), ": is not a file");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* data =
      ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.get(), 0);
  if (data == MAP_FAILED)
    raise<IoError>(path.string(), ": cannot be mapped: ", std::strerror(errno));
  data_ = static_cast<char*>(data);
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

at::Tensor tensor_over(char* data, at::IntArrayRef sizes, at::IntArrayRef strides,
                       at::ScalarType dtype, const std::shared_ptr<void>& owner) {
  const auto options = at::TensorOptions(dtype);
  std::int64_t extent = 1;  // elements from the first to the last
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return at::empty(sizes, options);
    extent += (sizes[i] - 1) * strides[i];
  }
  const auto width = c10::elementSize(dtype);
  if (reinterpret_cast<std::uintptr_t>(data) % width != 0) {
    const auto copy = at::empty({extent}, options);  // always aligned
    std::memcpy(copy.data_ptr(), data, static_cast<std::size_t>(extent) * width);
    return copy.as_strided(sizes, strides);
  }
  return at::from_blob(
      data, sizes, strides, [owner](void*) {}, options);
}

}  // namespace svi
