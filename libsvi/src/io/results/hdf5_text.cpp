// The parts of Hdf5File that deal with names, texts and attributes.

#include <ATen/ATen.h>

#include "hdf5_impl.hpp"
#include "svi/core/check.hpp"

namespace svi {

namespace hdf5 {

Type variable_string() {
  Type type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

Type fixed_string(std::size_t length) {
  Type type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type.get(), std::max<std::size_t>(length, 1));
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  return type;
}

}  // namespace hdf5

namespace {

hdf5::Space vector_space(std::size_t size) {
  const hsize_t count = size;
  return hdf5::Space(H5Screate_simple(1, &count, nullptr));
}

std::size_t count_of(const hdf5::Attribute& attribute) {
  const hdf5::Space space(H5Aget_space(attribute.get()));
  return static_cast<std::size_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space.get()), 0));
}

bool is_scalar(const hdf5::Attribute& attribute) {
  const hdf5::Space space(H5Aget_space(attribute.get()));
  return H5Sget_simple_extent_type(space.get()) == H5S_SCALAR;
}

std::vector<std::string> read_strings(const hdf5::Attribute& attribute, const hdf5::Type& type,
                                      const std::string& file) {
  const auto count = count_of(attribute);
  std::vector<std::string> result(count);
  if (count == 0) return result;
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> texts(count, nullptr);
    const auto memory = hdf5::variable_string();
    H5Tset_cset(memory.get(), H5Tget_cset(type.get()));
    hdf5::check(H5Aread(attribute.get(), memory.get(), texts.data()), file, "attribute");
    for (std::size_t i = 0; i < count; ++i) {
      if (texts[i] != nullptr) result[i] = texts[i];
      H5free_memory(texts[i]);
    }
    return result;
  }
  const auto size = H5Tget_size(type.get());
  std::string bytes(count * size, '\0');
  hdf5::check(H5Aread(attribute.get(), type.get(), bytes.data()), file, "attribute");
  for (std::size_t i = 0; i < count; ++i)
    result[i] = std::string(bytes.substr(i * size, size).c_str());
  return result;
}

template <class T>
AttributeValue read_numbers(const hdf5::Attribute& attribute, hid_t type, const std::string& file) {
  std::vector<T> values(count_of(attribute));
  if (!values.empty())
    hdf5::check(H5Aread(attribute.get(), type, values.data()), file, "attribute");
  if (is_scalar(attribute) && values.size() == 1) return values[0];
  return values;
}

/// The value, or nothing for types that svi does not write (references, compounds).
std::optional<AttributeValue> read_attribute(const hdf5::Attribute& attribute,
                                             const std::string& file) {
  const hdf5::Type type(hdf5::check(H5Aget_type(attribute.get()), file, "attribute"));
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
      return read_numbers<std::int64_t>(attribute, H5T_NATIVE_INT64, file);
    case H5T_FLOAT:
      return read_numbers<double>(attribute, H5T_NATIVE_DOUBLE, file);
    case H5T_STRING: {
      auto texts = read_strings(attribute, type, file);
      if (is_scalar(attribute) && texts.size() == 1) return texts[0];
      return texts;
    }
    default:
      return std::nullopt;
  }
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> result;
  for (const auto& text : texts) result.push_back(text.c_str());
  return result;
}

herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* data) {
  static_cast<std::vector<std::string>*>(data)->emplace_back(name);
  return 0;
}

herr_t add_attribute_name(hid_t, const char* name, const H5A_info_t*, void* data) {
  static_cast<std::vector<std::string>*>(data)->emplace_back(name);
  return 0;
}

}  // namespace

hdf5::Object Hdf5File::Impl::object(const std::string& name) const {
  return hdf5::Object(
      check(H5Oopen(file.get(), name.c_str(), H5P_DEFAULT), "no group or dataset " + name));
}

bool Hdf5File::contains(const std::string& path) const {
  // The library wants each part of the path asked for in turn.
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const auto part = path.substr(0, end);
    if (!part.empty() && part != "/" &&
        H5Lexists(impl_->file.get(), part.c_str(), H5P_DEFAULT) <= 0) {
      H5Eclear2(H5E_DEFAULT);
      return false;
    }
    if (end == std::string::npos) return true;
  }
}

std::vector<std::string> Hdf5File::children(const std::string& group) const {
  const hdf5::Group opened(
      impl_->check(H5Gopen2(impl_->file.get(), group.c_str(), H5P_DEFAULT), "no group " + group));
  std::vector<std::string> names;
  impl_->check(H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, &add_name, &names),
               group);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Hdf5File::datasets(const std::string& group) const {
  std::vector<std::string> paths;
  for (const auto& name : children(group)) {
    const auto path = (group == "/" ? "" : group) + "/" + name;
    const auto object = impl_->object(path);
    const auto kind = H5Iget_type(object.get());
    if (kind == H5I_DATASET) paths.push_back(path);
    if (kind == H5I_GROUP) {
      const auto below = datasets(path);
      paths.insert(paths.end(), below.begin(), below.end());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void Hdf5File::create_group(const std::string& path) {
  if (path.empty() || path == "/" || contains(path)) return;
  hdf5::Properties links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links.get(), 1);
  H5Pset_char_encoding(links.get(), H5T_CSET_UTF8);
  hdf5::Properties properties(H5Pcreate(H5P_GROUP_CREATE));
  H5Pset_obj_track_times(properties.get(), false);
  const hdf5::Group made(impl_->check(
      H5Gcreate2(impl_->file.get(), path.c_str(), links.get(), properties.get(), H5P_DEFAULT),
      "group " + path + " cannot be made"));
}

void Hdf5File::set_attribute(const std::string& object, const std::string& name,
                             const AttributeValue& value) {
  const auto owner = impl_->object(object);
  const auto what = "attribute " + name + " of " + object;
  if (H5Aexists(owner.get(), name.c_str()) > 0)
    impl_->check(H5Adelete(owner.get(), name.c_str()), what);
  const auto store = [&](hid_t type, const hdf5::Space& space, const void* data, bool empty) {
    const hdf5::Attribute made(impl_->check(
        H5Acreate2(owner.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), what));
    if (!empty) impl_->check(H5Awrite(made.get(), type, data), what);
  };
  const hdf5::Space scalar(H5Screate(H5S_SCALAR));
  const auto text_type = hdf5::variable_string();
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>) {
          const char* text = held.c_str();
          store(text_type.get(), scalar, &text, false);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          store(text_type.get(), vector_space(held.size()), pointers(held).data(), held.empty());
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          store(H5T_NATIVE_INT64, scalar, &held, false);
        } else if constexpr (std::is_same_v<T, double>) {
          store(H5T_NATIVE_DOUBLE, scalar, &held, false);
        } else {
          const bool whole = std::is_same_v<T, std::vector<std::int64_t>>;
          store(whole ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, vector_space(held.size()),
                held.data(), held.empty());
        }
      },
      value);
}

void Hdf5File::set_attributes(const std::string& object, const Attributes& attributes) {
  for (const auto& [name, value] : attributes) set_attribute(object, name, value);
}

AttributeValue Hdf5File::attribute(const std::string& object, const std::string& name) const {
  const auto owner = impl_->object(object);
  const hdf5::Attribute found(impl_->check(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT),
                                           object + " has no attribute " + name));
  auto value = read_attribute(found, impl_->path);
  if (!value)
    raise<IoError>(impl_->path, ": attribute ", name, " of ", object,
                   " is of a type svi does not read");
  return *value;
}

Attributes Hdf5File::attributes(const std::string& object) const {
  const auto owner = impl_->object(object);
  std::vector<std::string> names;
  hsize_t position = 0;
  impl_->check(
      H5Aiterate2(owner.get(), H5_INDEX_NAME, H5_ITER_INC, &position, &add_attribute_name, &names),
      object);
  Attributes result;
  for (const auto& name : names) {
    const hdf5::Attribute found(
        impl_->check(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), name));
    if (auto value = read_attribute(found, impl_->path)) result[name] = *value;
  }
  return result;
}

void Hdf5File::put_text(const std::string& path, const std::string& text) {
  create_group(path.substr(0, path.rfind('/')));
  hdf5::Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(properties.get(), false);
  const auto type = hdf5::fixed_string(text.size());
  const hdf5::Space scalar(H5Screate(H5S_SCALAR));
  const hdf5::Dataset made(
      impl_->check(H5Dcreate2(impl_->file.get(), path.c_str(), type.get(), scalar.get(),
                              H5P_DEFAULT, properties.get(), H5P_DEFAULT),
                   "dataset " + path + " cannot be made"));
  if (!impl_->first) return;
  // An empty text still fills the one byte that a string type must have.
  impl_->check(H5Dwrite(made.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, text.c_str()), path);
}

void Hdf5File::put_strings(const std::string& path, const std::vector<std::string>& strings) {
  create_group(path.substr(0, path.rfind('/')));
  std::size_t longest = 1;
  for (const auto& text : strings) longest = std::max(longest, text.size());
  std::string bytes;
  for (auto text : strings) {
    text.resize(longest, '\0');
    bytes += text;
  }
  hdf5::Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_obj_track_times(properties.get(), false);
  const auto type = hdf5::fixed_string(longest);
  const hdf5::Dataset made(impl_->check(
      H5Dcreate2(impl_->file.get(), path.c_str(), type.get(), vector_space(strings.size()).get(),
                 H5P_DEFAULT, properties.get(), H5P_DEFAULT),
      "dataset " + path + " cannot be made"));
  if (!impl_->first || strings.empty()) return;
  impl_->check(H5Dwrite(made.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), path);
}

bool Hdf5File::holds_text(const std::string& path) const {
  const auto dataset = impl_->dataset(path);
  const hdf5::Type type(impl_->check(H5Dget_type(dataset.get()), path));
  return H5Tget_class(type.get()) == H5T_STRING;
}

std::vector<std::string> Hdf5File::strings(const std::string& path) const {
  const auto dataset = impl_->dataset(path);
  const hdf5::Type type(impl_->check(H5Dget_type(dataset.get()), path));
  if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0) {
    raise<IoError>(impl_->path, ": ", path, " holds no strings of fixed length");
  }
  const auto space = impl_->space_of(dataset, path);
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get()));
  const auto size = H5Tget_size(type.get());
  std::string bytes(count * size, '\0');
  if (count > 0)
    impl_->check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
                 path);
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) {
    auto text = bytes.substr(i * size, size);
    text.erase(text.find_last_not_of('\0') + 1);
    result.push_back(std::move(text));
  }
  return result;
}

std::string Hdf5File::text(const std::string& path) const {
  const auto all = strings(path);
  if (all.size() != 1)
    raise<IoError>(impl_->path, ": ", path, " holds ", all.size(), " texts instead of one");
  return all.front();
}

}  // namespace svi
