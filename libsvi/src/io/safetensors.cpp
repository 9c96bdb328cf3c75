#include "svi/io/safetensors.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/safetensors_header.hpp"
#include "svi/core/check.hpp"
#include "svi/core/handle.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

struct Descriptor {
  using Raw = int;
  static Raw null() { return -1; }
  static void close(Raw raw) noexcept { ::close(raw); }
};

/// A whole file in memory, copy on write.
class Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path) {
    const Handle<Descriptor> file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
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
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

struct SafetensorsFile::Content {
  std::string path;
  std::shared_ptr<void> owner;  // what keeps `data` alive
  char* data = nullptr;
  safetensors::Header header;
  std::map<std::string, std::size_t, std::less<>> index;

  void read(std::size_t size) {
    header = safetensors::read_header(data, size, path);
    for (std::size_t i = 0; i < header.infos.size(); ++i) index[header.infos[i].name] = i;
  }
};

SafetensorsFile::SafetensorsFile(std::shared_ptr<const Content> content)
    : content_(std::move(content)) {}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto content = std::make_shared<Content>();
  auto mapping = std::make_shared<Mapping>(path);
  content->path = path.string();
  content->data = mapping->data();
  content->owner = mapping;
  content->read(mapping->size());
  return SafetensorsFile(std::move(content));
}

SafetensorsFile SafetensorsFile::parse(std::string_view bytes, const std::string& name) {
  auto content = std::make_shared<Content>();
  auto copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  content->path = name;
  content->data = copy->data();
  content->owner = copy;
  content->read(copy->size());
  return SafetensorsFile(std::move(content));
}

const std::vector<SafetensorsInfo>& SafetensorsFile::infos() const {
  return content_->header.infos;
}
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return content_->header.metadata;
}
const std::string& SafetensorsFile::path() const { return content_->path; }
bool SafetensorsFile::contains(std::string_view name) const {
  return content_->index.find(name) != content_->index.end();
}

at::Tensor SafetensorsFile::load(std::string_view name) const {
  const auto found = content_->index.find(name);
  if (found == content_->index.end()) {
    raise<IoError>(path(), ": has no tensor '", safetensors::shown(name), "'");
  }
  return tensor(infos()[found->second]);
}

NamedTensors SafetensorsFile::load_all() const {
  NamedTensors tensors;
  for (const auto& info : infos()) tensors.emplace_back(info.name, tensor(info));
  return tensors;
}

at::Tensor SafetensorsFile::tensor(const SafetensorsInfo& info) const {
  const auto options = at::TensorOptions(info.dtype);
  if (info.begin == info.end) return at::empty(info.shape, options);
  char* data = content_->data + info.begin;
  if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(info.dtype) != 0) {
    // Headers of other writers need not end on a multiple of the element size; a copy is always
    // aligned.
    auto copy = at::empty(info.shape, options);
    std::memcpy(copy.data_ptr(), data, info.end - info.begin);
    return copy;
  }
  return at::from_blob(
      data, info.shape, [owner = content_->owner](void*) {}, options);
}

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  safetensors::Header header{{}, metadata};
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) {
      raise<IoError>(path.string(), ": tensor '", safetensors::shown(name), "': is undefined");
    }
    header.infos.push_back({name, tensor.scalar_type(), tensor.sizes().vec(), 0, 0});
  }
  const auto order = safetensors::lay_out(header, path.string());
  const auto text = safetensors::write_header(header);
  const std::uint64_t length = text.size();

  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto i : order) {
    const auto data = tensors[i].second.detach().to(at::kCPU).contiguous();
    file.write(data.const_data_ptr(), data.nbytes());
  }
  file.commit();
}

}  // namespace svi
