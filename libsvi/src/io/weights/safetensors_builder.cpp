#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/descriptor.hpp"
#include "io/disk_room.hpp"
#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"
#include "svi/core/handle.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

/// A file of `size` bytes, mapped for writing. Its blocks are taken from the disk beforehand: a
/// full disk would otherwise be a signal in the middle of a copy.
class WritableMapping {
 public:
  WritableMapping(const std::filesystem::path& path, std::size_t size, const std::string& shown)
      : size_(size) {
    const Handle<Descriptor> file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) raise<IoError>(shown, ": cannot be opened: ", std::strerror(errno));
    const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
    if (code != 0) {
      const auto full = no_room(path, code, static_cast<std::int64_t>(size));
      raise<IoError>(shown, ": ", size,
                     " bytes cannot be reserved: ", full.empty() ? std::strerror(code) : full);
    }
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) raise<IoError>(shown, ": cannot be mapped: ", std::strerror(errno));
    data_ = static_cast<char*>(data);
  }
  WritableMapping(const WritableMapping&) = delete;
  WritableMapping& operator=(const WritableMapping&) = delete;
  ~WritableMapping() { ::munmap(data_, size_); }

  char* data() const { return data_; }
  void sync(const std::string& shown) const {
    if (::msync(data_, size_, MS_SYNC) != 0)
      raise<IoError>(shown, ": cannot be written: ", std::strerror(errno));
  }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

struct SafetensorsBuilder::Impl {
  explicit Impl(const std::filesystem::path& target) : path(target.string()), file(target) {}
  std::string path;
  AtomicFile file;
  std::shared_ptr<WritableMapping> mapping;
  NamedTensors tensors;
};

SafetensorsBuilder::SafetensorsBuilder(const std::filesystem::path& path,
                                       const std::vector<Entry>& entries,
                                       const std::map<std::string, std::string>& metadata)
    : impl_(std::make_unique<Impl>(path)) {
  safetensors::Header header{{}, metadata};
  for (const auto& entry : entries) {
    header.infos.push_back({entry.name, entry.dtype, entry.shape, 0, 0});
  }
  safetensors::lay_out(header, impl_->path);
  const auto text = safetensors::write_header(header);
  const std::uint64_t length = text.size();
  std::uint64_t data = 0;
  for (const auto& info : header.infos) data = std::max(data, info.end);
  impl_->mapping = std::make_shared<WritableMapping>(impl_->file.temporary(),
                                                     sizeof length + length + data, impl_->path);
  char* start = impl_->mapping->data();
  std::memcpy(start, &length, sizeof length);
  std::memcpy(start + sizeof length, text.data(), length);
  start += sizeof length + length;
  for (const auto& info : header.infos) {
    const auto options = at::TensorOptions(info.dtype);
    impl_->tensors.emplace_back(info.name, info.begin == info.end
                                               ? at::empty(info.shape, options)
                                               : at::from_blob(
                                                     start + info.begin, info.shape,
                                                     [owner = impl_->mapping](void*) {}, options));
  }
}

SafetensorsBuilder::~SafetensorsBuilder() = default;

const NamedTensors& SafetensorsBuilder::tensors() const { return impl_->tensors; }

void SafetensorsBuilder::commit() {
  impl_->mapping->sync(impl_->path);
  impl_->file.commit();
}

}  // namespace svi
