#include "io/weights/pth_file.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "io/mapping.hpp"
#include "io/weights/foreign_format.hpp"
#include "io/weights/old_checkpoint.hpp"
#include "io/weights/pickle_reader.hpp"
#include "io/weights/safetensors_header.hpp"
#include "io/weights/zip_archive.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using pickle::Kind;
using pickle::Value;
using safetensors::shown;

constexpr int kDeepest = 32;  // nested dicts

at::ScalarType dtype_of(const pickle::TensorView& view, const std::string& where) {
  static const std::unordered_map<std::string, at::ScalarType> kTypes = {
      {"DoubleStorage", at::kDouble},
      {"float64", at::kDouble},
      {"FloatStorage", at::kFloat},
      {"float32", at::kFloat},
      {"HalfStorage", at::kHalf},
      {"float16", at::kHalf},
      {"BFloat16Storage", at::kBFloat16},
      {"bfloat16", at::kBFloat16},
      {"LongStorage", at::kLong},
      {"int64", at::kLong},
      {"IntStorage", at::kInt},
      {"int32", at::kInt},
      {"ShortStorage", at::kShort},
      {"int16", at::kShort},
      {"CharStorage", at::kChar},
      {"int8", at::kChar},
      {"ByteStorage", at::kByte},
      {"uint8", at::kByte},
      {"BoolStorage", at::kBool},
      {"bool", at::kBool},
      {"float8_e4m3fn", at::kFloat8_e4m3fn},
      {"float8_e5m2", at::kFloat8_e5m2}};
  const auto found = kTypes.find(view.dtype.empty() ? view.storage.type : view.dtype);
  if (found == kTypes.end()) raise<IoError>(where, "its storage has no type");
  return found->second;
}

/// Elements from the storage's start to the view's last one; throws where that overflows.
std::int64_t reach(const pickle::TensorView& view, const std::string& where) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 16;
  if (view.sizes.size() != view.strides.size() || view.offset < 0)
    raise<IoError>(where, "its shape and strides do not fit each other");
  std::int64_t last = view.offset, count = 1;
  for (std::size_t i = 0; i < view.sizes.size(); ++i) {
    if (view.sizes[i] < 0 || view.strides[i] < 0)
      raise<IoError>(where, "has a negative size or stride");
    std::int64_t step = 0;
    if (__builtin_mul_overflow(std::max<std::int64_t>(view.sizes[i] - 1, 0), view.strides[i],
                               &step) ||
        __builtin_add_overflow(last, step, &last) ||
        __builtin_mul_overflow(count, view.sizes[i], &count) || last >= kMost || count >= kMost) {
      raise<IoError>(where, "its shape overflows");
    }
  }
  return count == 0 ? 0 : last + 1;
}

/// Where the bytes of a checkpoint's storages are, and what keeps them alive.
class Storages {
 public:
  Storages(std::shared_ptr<void> owner, const std::string& file)
      : owner_(std::move(owner)), file_(file) {}
  virtual ~Storages() = default;

  /// A view of the file, or of a copy of the storage where its elements lie between the places of
  /// their type.
  at::Tensor tensor(const pickle::TensorView& view, const std::string& name) const {
    const auto where = cat(file_, ": tensor '", shown(name), "': ");
    const auto bytes = storage(view.storage.key, where);
    const auto dtype = dtype_of(view, where);
    const auto width = static_cast<std::uint64_t>(c10::elementSize(dtype));
    const auto wanted = static_cast<std::uint64_t>(reach(view, where));
    const auto held = bytes.size() / width;
    if (wanted > held) raise<IoError>(where, "reaches element ", wanted, " of a storage of ", held);
    auto owner = owner_;
    auto* data = const_cast<char*>(bytes.data());  // the mapping is private
    if (reinterpret_cast<std::uintptr_t>(data) % width != 0) {
      auto& copy = copies_[view.storage.key];
      if (!copy) copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
      owner = copy;
      data = copy->data();
    }
    return tensor_over(data + static_cast<std::uint64_t>(view.offset) * width, view.sizes,
                       view.strides, dtype, owner);
  }

 private:
  virtual std::string_view storage(const std::string& key, const std::string& where) const = 0;

  std::shared_ptr<void> owner_;
  const std::string& file_;
  mutable std::unordered_map<std::string, std::shared_ptr<std::vector<char>>> copies_ = {};
};

/// A checkpoint's archive.
class Archive final : public Storages {
 public:
  Archive(std::string_view bytes, std::shared_ptr<void> owner, const std::string& name)
      : Storages(std::move(owner), name), zip_(bytes, name) {
    for (const auto& entry : zip_.entries()) {
      const auto slash = entry.name.find('/');
      const auto rest = slash == std::string::npos ? entry.name : entry.name.substr(slash + 1);
      if (rest == "data.pkl") root_ = entry.name.substr(0, entry.name.size() - rest.size());
    }
    const auto* main = zip_.find(root_ + "data.pkl");
    if (main == nullptr)
      raise<IoError>(name, ": no checkpoint of torch.save: it has no entry data.pkl");
    if (const auto* order = zip_.find(root_ + "byteorder");
        order != nullptr && zip_.bytes(*order) != "little") {
      raise<IoError>(name, ": was written in ", shown(zip_.bytes(*order)), "-endian byte order; ",
                     "save it again on a little-endian computer");
    }
    pickle_ = zip_.bytes(*main);
  }

  std::string_view pickle() const { return pickle_; }

 private:
  std::string_view storage(const std::string& key, const std::string& where) const override {
    const auto* entry = zip_.find(cat(root_, "data/", key));
    if (entry == nullptr) raise<IoError>(where, "its entry data/", shown(key), " is missing");
    return zip_.bytes(*entry);
  }

  ZipArchive zip_;
  std::string root_;
  std::string_view pickle_;
};

/// Storages of the format without an archive.
class OldStorages final : public Storages {
 public:
  OldStorages(const OldCheckpoint& content, std::shared_ptr<void> owner, const std::string& name)
      : Storages(std::move(owner), name), content_(content) {}

 private:
  std::string_view storage(const std::string& key, const std::string& where) const override {
    const auto* bytes = content_.storage(key);
    if (bytes == nullptr) raise<IoError>(where, "its storage ", shown(key), " is missing");
    return *bytes;
  }

  const OldCheckpoint& content_;
};

class Flattener {
 public:
  Flattener(const Storages& storages, const std::string& file, PthContent& content)
      : storages_(storages), file_(file), content_(content) {}

  void add(const Value& value, const std::string& name, int depth) {
    if (depth > kDeepest)
      raise<IoError>(file_, ": '", shown(name), "' is nested deeper than any checkpoint");
    if (value.kind == Kind::tensor) {
      if (!names_.insert(name).second)
        raise<IoError>(file_, ": tensor '", shown(name), "' occurs twice");
      content_.tensors.emplace_back(name, storages_.tensor(value.tensor, name));
    } else if (value.kind == Kind::dict) {
      for (const auto& [key, held] : value.pairs) {
        const auto part = key->kind == Kind::integer ? cat(key->integer) : key->text;
        visit();
        // What an object has beside tensors and objects (settings, flags) is no weight.
        if (!value.text.empty() && held->kind != Kind::tensor && held->kind != Kind::dict) continue;
        if (key->kind != Kind::text && key->kind != Kind::integer) {
          content_.ignored.push_back(name + ".(a key that is neither text nor number)");
          continue;
        }
        add(*held, name.empty() ? part : name + "." + part, depth + 1);
      }
    } else {
      content_.ignored.push_back(name);
    }
  }

 private:
  /// A dict may hold itself or be held many times: what is visited is counted, not only nested.
  void visit() {
    constexpr std::size_t kMost = 1'000'000;
    if (++visited_ > kMost) raise<IoError>(file_, ": holds more than ", kMost, " values");
  }

  const Storages& storages_;
  const std::string& file_;
  PthContent& content_;
  std::unordered_set<std::string> names_;
  std::size_t visited_ = 0;
};

/// Takes off a nest that trainers put around all tensors: `state_dict` and the like. Where several
/// nests hold tensors, who knows the networks chooses among them.
void take_off_nest(NamedTensors& tensors) {
  for (const std::string nest : {"state_dict.", "model_state_dict.", "model.", "module."}) {
    const bool around_all =
        !tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [&](const auto& named) {
          return named.first.starts_with(nest) && named.first.size() > nest.size();
        });
    if (!around_all) continue;
    for (auto& [name, tensor] : tensors) name.erase(0, nest.size());
    return take_off_nest(tensors);
  }
}

PthContent flattened(const Value& top, const Storages& storages, const std::string& file) {
  if (top.kind != Kind::dict)
    raise<IoError>(file, ": holds no dict of tensors; save one: torch.save({name: tensor}, f)");
  PthContent content;
  Flattener(storages, file, content).add(top, "", 0);
  take_off_nest(content.tensors);
  return content;
}

PthContent read(std::string_view bytes, const std::shared_ptr<void>& owner,
                const std::string& file) {
  pickle::Values values;
  if (is_old_checkpoint(bytes)) {
    const OldCheckpoint content(bytes, file, values);
    return flattened(content.top(), OldStorages(content, owner, file), file);
  }
  const Archive archive(bytes, owner, file);
  return flattened(pickle::read(archive.pickle(), file, values), archive, file);
}

/// Says what a file is that torch.save did not write.
void refuse_foreign(std::string_view bytes, const std::string& file) {
  if (const auto foreign = foreign_format(bytes); !foreign.empty())
    raise<IoError>(file, ": ", foreign);
}

}  // namespace

PthContent open_pth(const std::filesystem::path& path) {
  const auto mapping = std::make_shared<Mapping>(path);
  const std::string_view bytes(mapping->data(), mapping->size());
  const auto file = path.string();
  refuse_foreign(bytes, file);
  return read(bytes, mapping, file);
}

PthContent parse_pth(std::string_view bytes, const std::string& name) {
  const auto copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  refuse_foreign(bytes, name);
  return read({copy->data(), copy->size()}, copy, name);
}

}  // namespace svi
