#include "svi/io/hdf5_file.hpp"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "hdf5_impl.hpp"
#include "io/disk_room.hpp"
#include "svi/core/check.hpp"
#include "svi/io/checksum.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

namespace {

using hdf5::check;

hid_t native_type(c10::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return H5T_NATIVE_FLOAT;
    case at::kDouble:
      return H5T_NATIVE_DOUBLE;
    case at::kLong:
      return H5T_NATIVE_INT64;
    case at::kInt:
      return H5T_NATIVE_INT32;
    case at::kByte:
      return H5T_NATIVE_UINT8;
    default:
      raise("HDF5 datasets hold fp32, fp64, int64, int32 or uint8, not ", dtype);
  }
}

hid_t file_type(c10::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return H5T_IEEE_F32LE;
    case at::kDouble:
      return H5T_IEEE_F64LE;
    case at::kLong:
      return H5T_STD_I64LE;
    case at::kInt:
      return H5T_STD_I32LE;
    default:
      return native_type(dtype);
  }
}

std::vector<hsize_t> extents(at::IntArrayRef sizes) { return {sizes.begin(), sizes.end()}; }

hdf5::Space make_space(at::IntArrayRef shape, const std::string& file) {
  if (shape.empty()) return hdf5::Space(check(H5Screate(H5S_SCALAR), file, "data space"));
  const auto dims = extents(shape);
  return hdf5::Space(check(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                           file, "data space"));
}

/// Groups above are made as needed; no time stamps, so that equal content gives equal files.
hdf5::Properties link_properties() {
  hdf5::Properties properties(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(properties.get(), 1);
  H5Pset_char_encoding(properties.get(), H5T_CSET_UTF8);
  return properties;
}

hdf5::Properties access_properties(const Communicator* group) {
  hdf5::Properties properties(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(properties.get(), /*use_file_locking=*/false, /*ignore_when_disabled=*/true);
#endif
  if (group != nullptr) H5Pset_fapl_mpio(properties.get(), mpi::native(*group), MPI_INFO_NULL);
  return properties;
}

void set_fill(hid_t properties, c10::ScalarType dtype) {
  if (dtype == at::kFloat) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, &nan);
  } else if (dtype == at::kDouble) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &nan);
  }
}

}  // namespace

hdf5::Dataset Hdf5File::Impl::dataset(const std::string& name) const {
  return hdf5::Dataset(
      check(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), "no dataset " + name));
}

hdf5::Space Hdf5File::Impl::space_of(const hdf5::Dataset& dataset, const std::string& name) const {
  return hdf5::Space(check(H5Dget_space(dataset.get()), "shape of " + name));
}

Hdf5File::Hdf5File(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

Hdf5File Hdf5File::create(const std::string& path) { return create(path, Communicator::self()); }

Hdf5File Hdf5File::create(const std::string& path, const Communicator& group) {
  hdf5::start();
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->parallel = group.size() > 1;
  impl->first = group.rank() == 0;
  const auto access = access_properties(impl->parallel ? &group : nullptr);
  if (!impl->parallel) {
    impl->target =
        Handle<Descriptor>(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666));
    if (!impl->target) raise<IoError>(path, ": cannot be created: ", std::strerror(errno));
    // Built in memory and written when it is whole: a write that fails inside the library leaves a
    // file that it cannot close any more, and that crashes at the end of MPI.
    constexpr std::size_t kIncrement = std::size_t{1} << 20;
    H5Pset_fapl_core(access.get(), kIncrement, /*backing_store=*/false);
  }
  impl->file = hdf5::File(impl->check(
      H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), "cannot be created"));
  return Hdf5File(std::move(impl));
}

Hdf5File Hdf5File::open(const std::string& path) {
  hdf5::start();
  if (!std::filesystem::is_regular_file(path)) raise<IoError>(path, ": no such file");
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const auto access = access_properties(nullptr);
  impl->file = hdf5::File(
      impl->check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), "cannot be opened"));
  return Hdf5File(std::move(impl));
}

void Hdf5File::close() {
  SVI_CHECK(static_cast<bool>(impl_->file), impl_->path, " is already closed");
  impl_->check(H5Fflush(impl_->file.get(), H5F_SCOPE_GLOBAL), "cannot be written");
  std::string image;
  if (impl_->target) {
    image.resize(static_cast<std::size_t>(
        impl_->check(H5Fget_file_image(impl_->file.get(), nullptr, 0), "cannot be written")));
    impl_->check(H5Fget_file_image(impl_->file.get(), image.data(), image.size()),
                 "cannot be written");
  }
  impl_->check(H5Fclose(impl_->file.release()), "cannot be written");
  if (impl_->target) write_all(impl_->target.get(), image, impl_->path);
  impl_->target = {};
}

void Hdf5File::create_dataset(const std::string& path, at::IntArrayRef shape, c10::ScalarType dtype,
                              const DatasetOptions& options) {
  const auto what = "dataset " + path;
  hdf5::Properties properties(impl_->check(H5Pcreate(H5P_DATASET_CREATE), what));
  H5Pset_obj_track_times(properties.get(), false);
  set_fill(properties.get(), dtype);
  H5Pset_fill_time(properties.get(), H5D_FILL_TIME_ALLOC);
  H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY);  // what was never written reads as NaN
  if (!options.chunk.empty()) {
    SVI_CHECK(options.chunk.size() == shape.size(), what, ": chunk of ", options.chunk.size(),
              " dimensions");
    const auto chunk = extents(options.chunk);
    impl_->check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()),
                 what);
    if (options.deflate > 0) {
      SVI_CHECK(!impl_->parallel, what, ": a parallel file cannot be compressed");
      impl_->check(H5Pset_deflate(properties.get(), static_cast<unsigned>(options.deflate)), what);
      H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_DEFAULT);
    }
  }
  impl_->needed +=
      c10::multiply_integers(shape) * static_cast<std::int64_t>(c10::elementSize(dtype));
  const auto space = make_space(shape, impl_->path);
  const hdf5::Dataset made(
      impl_->check(H5Dcreate2(impl_->file.get(), path.c_str(), file_type(dtype), space.get(),
                              link_properties().get(), properties.get(), H5P_DEFAULT),
                   what + " cannot be made"));
}

void Hdf5File::write(const std::string& path, const at::Tensor& tensor, at::IntArrayRef start) {
  const auto values = tensor.detach().to(at::kCPU).contiguous();
  const auto dataset = impl_->dataset(path);
  const auto space = impl_->space_of(dataset, path);
  const auto rank = static_cast<std::size_t>(H5Sget_simple_extent_ndims(space.get()));
  const auto dims = static_cast<std::size_t>(values.dim());
  SVI_CHECK(dims <= rank && (start.empty() || start.size() == rank), path, " has ", rank,
            " dimensions, block ", values.sizes(), " at ", start);
  SVI_CHECK(dtype(path) == values.scalar_type(), path, " holds ", dtype(path), ", not ",
            values.scalar_type());
  if (values.numel() == 0) return;
  if (rank > 0) {
    std::vector<hsize_t> first(rank, 0), count(rank, 1);
    std::copy(start.begin(), start.end(), first.begin());
    std::copy(values.sizes().begin(), values.sizes().end(),
              count.begin() + static_cast<std::ptrdiff_t>(rank - dims));
    const auto whole = shape(path);
    for (std::size_t i = 0; i < rank; ++i) {
      SVI_CHECK(first[i] + count[i] <= static_cast<hsize_t>(whole[i]), path, " ",
                at::IntArrayRef(whole), ": block ", values.sizes(), " at ", start, " lies outside");
    }
    impl_->check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, first.data(), nullptr,
                                     count.data(), nullptr),
                 path);
  }
  const auto memory = make_space(values.sizes(), impl_->path);
  impl_->check(H5Dwrite(dataset.get(), native_type(values.scalar_type()), memory.get(), space.get(),
                        H5P_DEFAULT, values.const_data_ptr()),
               path + " cannot be written");
}

void Hdf5File::put(const std::string& path, const at::Tensor& tensor,
                   const DatasetOptions& options) {
  create_dataset(path, tensor.sizes(), tensor.scalar_type(), options);
  if (impl_->first) write(path, tensor);
  if (!options.checksum) return;
  SVI_CHECK(!impl_->parallel, path, ": a parallel file keeps no checksums");
  set_attribute(path, kHdf5Checksum, checksum({{"", tensor}}));
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& path) const {
  const auto dataset = impl_->dataset(path);
  const auto space = impl_->space_of(dataset, path);
  std::vector<hsize_t> dims(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space.get())));
  H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  return {dims.begin(), dims.end()};
}

c10::ScalarType Hdf5File::dtype(const std::string& path) const {
  const auto dataset = impl_->dataset(path);
  const hdf5::Type type(impl_->check(H5Dget_type(dataset.get()), path));
  const auto kind = H5Tget_class(type.get());
  const auto size = H5Tget_size(type.get());
  if (kind == H5T_FLOAT && size == 4) return at::kFloat;
  if (kind == H5T_FLOAT && size == 8) return at::kDouble;
  if (kind == H5T_INTEGER && size == 8) return at::kLong;
  if (kind == H5T_INTEGER && size == 4) return at::kInt;
  if (kind == H5T_INTEGER && size == 1) return at::kByte;
  raise<IoError>(impl_->path, ": ", path, " holds no numbers of a type svi reads");
}

at::Tensor Hdf5File::read(const std::string& path) const {
  auto values = read(path, {}, {});
  const auto about = attributes(path);
  const auto kept = about.find(kHdf5Checksum);
  if (kept != about.end() && kept->second != AttributeValue(checksum({{"", values}}))) {
    raise<IoError>(impl_->path, ": ", path,
                   " is damaged: its values do not match the checksum kept with them");
  }
  return values;
}

at::Tensor Hdf5File::read(const std::string& path, at::IntArrayRef start,
                          at::IntArrayRef count) const {
  const auto whole = shape(path);
  const at::IntArrayRef sizes = count.empty() ? at::IntArrayRef(whole) : count;
  SVI_CHECK(sizes.size() == whole.size() && (start.empty() || start.size() == whole.size()), path,
            " has ", whole.size(), " dimensions");
  const auto result = at::empty(sizes, dtype(path));
  if (result.numel() == 0) return result;
  const auto dataset = impl_->dataset(path);
  const auto space = impl_->space_of(dataset, path);
  if (!whole.empty()) {
    std::vector<hsize_t> first(whole.size(), 0);
    std::copy(start.begin(), start.end(), first.begin());
    const auto block = extents(sizes);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      SVI_CHECK(first[i] + block[i] <= static_cast<hsize_t>(whole[i]), path, " ",
                at::IntArrayRef(whole), ": block ", sizes, " at ", start, " lies outside");
    }
    impl_->check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, first.data(), nullptr,
                                     block.data(), nullptr),
                 path);
  }
  const auto memory = make_space(sizes, impl_->path);
  impl_->check(H5Dread(dataset.get(), native_type(result.scalar_type()), memory.get(), space.get(),
                       H5P_DEFAULT, result.mutable_data_ptr()),
               path + " cannot be read");
  return result;
}

void Hdf5File::make_scale(const std::string& path, const std::string& name) {
  const auto dataset = impl_->dataset(path);
  impl_->check(H5DSset_scale(dataset.get(), name.c_str()), path + " cannot be made a scale");
}

void Hdf5File::label_dimension(const std::string& path, int dimension, const std::string& name,
                               const std::string& scale) {
  const auto dataset = impl_->dataset(path);
  const auto index = static_cast<unsigned>(dimension);
  impl_->check(H5DSset_label(dataset.get(), index, name.c_str()), path + ": label " + name);
  if (scale.empty()) return;
  const auto values = impl_->dataset(scale);
  impl_->check(H5DSattach_scale(dataset.get(), values.get(), index), path + ": scale " + scale);
}

}  // namespace svi
