#include "svi/io/safetensors.hpp"

#include <bit>
#include <cstring>
#include <utility>

#include "io/disk_room.hpp"
#include "io/mapping.hpp"
#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

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
  std::vector<std::int64_t> strides(info.shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = strides.size(); i-- > 0; stride *= info.shape[i]) strides[i] = stride;
  return tensor_over(content_->data + info.begin, info.shape, strides, info.dtype, content_->owner);
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
  std::uint64_t data_size = 0;
  for (const auto& info : header.infos) data_size = std::max(data_size, info.end);
  check_room(path, static_cast<std::int64_t>(sizeof length + length + data_size));
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const auto i : order) {
    const auto data = tensors[i].second.detach().to(at::kCPU).contiguous();
    file.write(data.const_data_ptr(), data.nbytes());
  }
  file.commit();
}

}  // namespace svi
