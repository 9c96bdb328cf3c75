#include "result_part.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {

namespace {

// Attributes of a block in a part; they are not copied into the result.
constexpr const char* kPath = "part_path";
constexpr const char* kStart = "part_start";
constexpr const char* kShape = "part_shape";
constexpr const char* kDimensions = "part_dimensions";
constexpr const char* kScales = "part_scales";  // names of own scales; then per scale NAME:
constexpr const char* kScale = "part_scale ";   // "part_scale NAME": its values
                                                // "part_scale NAME/ATTRIBUTE": an attribute of it

void check_job_name(const std::string& job) {
  const bool good =
      !job.empty() && job.front() != '.' &&
      job.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
          std::string::npos;
  SVI_CHECK(good, "a job's name has letters, digits, '.', '_' and '-', got \"", job, "\"");
}

template <class T>
T take(Attributes& attributes, const std::string& name, const std::string& where) {
  const auto found = attributes.find(name);
  if (found == attributes.end() || !std::holds_alternative<T>(found->second)) {
    raise<IoError>(where, " has no attribute ", name,
                   " of the right type: this file is no part of a run");
  }
  T value = std::get<T>(found->second);
  attributes.erase(found);
  return value;
}

void check_place(const ResultPlace& place, const at::Tensor& tensor) {
  const auto rank = place.shape.size();
  const auto dims = static_cast<std::size_t>(tensor.dim());
  SVI_CHECK(place.path.size() > 1 && place.path.front() == '/',
            "a dataset's path begins with '/', got ", place.path);
  SVI_CHECK(
      rank > 0 && place.start.size() == rank && place.dimensions.size() == rank && dims <= rank,
      place.path, ": start ", at::IntArrayRef(place.start), ", shape ",
      at::IntArrayRef(place.shape), ", ", place.dimensions.size(), " names of dimensions, block ",
      tensor.sizes());
  for (std::size_t i = 0; i < rank; ++i) {
    const auto count =
        i + dims < rank ? 1 : tensor.size(static_cast<std::int64_t>(i + dims - rank));
    SVI_CHECK(place.start[i] >= 0 && place.start[i] + count <= place.shape[i], place.path,
              ": block ", tensor.sizes(), " at ", at::IntArrayRef(place.start), " lies outside ",
              at::IntArrayRef(place.shape));
  }
}

/// Own scales, as attributes of the block.
Attributes scale_attributes(const std::vector<ResultScale>& scales) {
  Attributes attributes;
  std::vector<std::string> names;
  for (const auto& scale : scales) {
    names.push_back(scale.name);
    std::visit([&](const auto& values) { attributes[kScale + scale.name] = values; }, scale.values);
    for (const auto& [name, value] : scale.attributes)
      attributes[kScale + scale.name + "/" + name] = value;
  }
  attributes[kScales] = names;
  return attributes;
}

/// Takes them out of a block's attributes again.
std::vector<ResultScale> take_scales(Attributes& attributes, const std::string& where) {
  std::vector<ResultScale> scales;
  if (attributes.count(kScales) == 0) return scales;
  for (const auto& name : take<std::vector<std::string>>(attributes, kScales, where)) {
    ResultScale scale{name, {}, {}};
    const auto key = kScale + name;
    const auto found = attributes.find(key);
    if (found == attributes.end() || !scale_values(found->second, scale))
      raise<IoError>(where, " has no values for its scale ", name);
    attributes.erase(found);
    for (auto i = attributes.begin(); i != attributes.end();) {
      const bool of_it = i->first.starts_with(key + "/");
      if (of_it) scale.attributes[i->first.substr(key.size() + 1)] = i->second;
      i = of_it ? attributes.erase(i) : std::next(i);
    }
    scales.push_back(std::move(scale));
  }
  return scales;
}

}  // namespace

bool scale_values(const AttributeValue& value, ResultScale& scale) {
  return std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        constexpr bool fits = std::is_constructible_v<decltype(scale.values), T> &&
                              !std::is_arithmetic_v<T> && !std::is_same_v<T, std::string>;
        if constexpr (fits) scale.values = held;
        return fits;
      },
      value);
}

struct PartWriter::Impl {
  AtomicFile target;
  Hdf5File file;

  explicit Impl(const std::filesystem::path& path)
      : target(path), file(Hdf5File::create(target.temporary().string())) {}
};

PartWriter::PartWriter(const std::filesystem::path& folder, const std::string& job)
    : impl_(std::make_unique<Impl>(part_path(folder, job))) {}

PartWriter::PartWriter(PartWriter&&) noexcept = default;
PartWriter::~PartWriter() = default;

void PartWriter::add(const ResultPlace& place, const at::Tensor& tensor) {
  check_place(place, tensor);
  // Several blocks of one dataset: the first has its name, the others a number too.
  std::string name = place.path;
  for (int i = 2; impl_->file.contains(name); ++i) name = cat(place.path, "@", i);
  DatasetOptions options{.checksum = true};
  if (tensor.scalar_type() == at::kByte && tensor.numel() > 4096 && tensor.dim() > 2) {
    // Videos of a small world compress well: one frame or plane a chunk.
    options.chunk.assign(tensor.sizes().begin(), tensor.sizes().end());
    std::fill(options.chunk.begin(), options.chunk.end() - 3 + (tensor.dim() == 3 ? 1 : 0), 1);
    options.deflate = 4;
  }
  impl_->file.put(name, tensor, options);
  impl_->file.set_attributes(name, place.attributes);
  impl_->file.set_attributes(name, {{kPath, place.path},
                                    {kStart, place.start},
                                    {kShape, place.shape},
                                    {kDimensions, place.dimensions}});
  if (!place.scales.empty()) impl_->file.set_attributes(name, scale_attributes(place.scales));
}

void PartWriter::set_attribute(const std::string& name, const AttributeValue& value) {
  impl_->file.set_attribute("/", name, value);
}

void PartWriter::commit() {
  impl_->file.close();
  impl_->target.commit();
}

std::filesystem::path part_path(const std::filesystem::path& folder, const std::string& job) {
  check_job_name(job);
  return folder / "parts" / (job + ".h5");
}

bool part_exists(const std::filesystem::path& folder, const std::string& job) {
  return std::filesystem::is_regular_file(part_path(folder, job));
}

Attributes part_attributes(const std::filesystem::path& folder, const std::string& job) {
  return Hdf5File::open(part_path(folder, job).string()).attributes("/");
}

std::vector<std::string> read_part_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "parts", none)) {
    const auto& path = entry.path();
    // A hidden name is a part that is still being written, or was when its writer died.
    if (path.extension() == ".h5" && path.filename().string().front() != '.')
      names.push_back(path.stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<PartEntry> read_entries(const std::string& file) {
  const auto part = Hdf5File::open(file);
  std::vector<PartEntry> entries;
  for (const auto& dataset : part.datasets()) {
    const auto where = file + ": " + dataset;
    PartEntry entry{file, dataset, {}, part.dtype(dataset)};
    auto attributes = part.attributes(dataset);
    entry.place.path = take<std::string>(attributes, kPath, where);
    entry.place.start = take<std::vector<std::int64_t>>(attributes, kStart, where);
    entry.place.shape = take<std::vector<std::int64_t>>(attributes, kShape, where);
    entry.place.dimensions = take<std::vector<std::string>>(attributes, kDimensions, where);
    entry.place.scales = take_scales(attributes, where);
    attributes.erase(kHdf5Checksum);  // of the block, not of the whole dataset
    entry.place.attributes = std::move(attributes);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace svi
