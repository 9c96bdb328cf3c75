#include "io/weights/old_checkpoint.hpp"

#include <array>
#include <cstring>

#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using namespace std::string_view_literals;
using pickle::Kind;
using pickle::Value;
using safetensors::shown;

/// A pickled number of ten bytes, and the end of its pickle; protocol and frame stand before it.
constexpr auto kOldMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv;
constexpr std::size_t kMagicWithin = 64;
constexpr std::int64_t kOldVersion = 1001;

struct StorageWidth {
  std::string_view type;
  std::size_t bytes;
};
constexpr std::array<StorageWidth, 11> kStorageWidths = {{{"DoubleStorage", 8},
                                                          {"FloatStorage", 4},
                                                          {"HalfStorage", 2},
                                                          {"BFloat16Storage", 2},
                                                          {"LongStorage", 8},
                                                          {"IntStorage", 4},
                                                          {"ShortStorage", 2},
                                                          {"CharStorage", 1},
                                                          {"ByteStorage", 1},
                                                          {"BoolStorage", 1},
                                                          {"UntypedStorage", 1}}};

std::size_t after_magic(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != '\x80') return std::string_view::npos;
  const auto at = bytes.substr(0, kMagicWithin).find(kOldMagic);
  return at == std::string_view::npos ? at : at + kOldMagic.size();
}

/// Whether the facts about the machine say that numbers begin with their lowest byte.
bool little_endian(const Value& facts) {
  for (const auto& [key, value] : facts.pairs) {
    if (key->text == "little_endian") return value->integer == 1;
  }
  return false;
}

}  // namespace

bool is_old_checkpoint(std::string_view bytes) {
  return after_magic(bytes) != std::string_view::npos;
}

std::size_t storage_width(std::string_view type) {
  for (const auto& known : kStorageWidths) {
    if (known.type == type) return known.bytes;
  }
  return 0;
}

OldCheckpoint::OldCheckpoint(std::string_view bytes, const std::string& file,
                             pickle::Values& values) {
  auto rest = bytes.substr(after_magic(bytes));
  const auto next = [&]() -> const Value& {
    std::size_t end = 0;
    const auto& value = pickle::read(rest, file, values, &end);
    rest.remove_prefix(end);
    return value;
  };
  if (const auto& version = next(); version.integer != kOldVersion)
    raise<IoError>(file, ": is of version ", version.integer, " of torch.save's old format; ",
                   kOldVersion, " is known");
  if (!little_endian(next()))
    raise<IoError>(file, ": was written in big-endian byte order; save it again on a ",
                   "little-endian computer");
  top_ = &next();
  std::map<std::string_view, std::size_t> widths;  // of the storages that tensors use
  for (const auto& value : values) {
    if (value.kind == Kind::storage) widths[value.storage.key] = storage_width(value.storage.type);
  }
  for (const auto* key : next().items) {
    const auto where = cat(file, ": storage '", shown(key->text), "': ");
    const auto width = widths.find(key->text);
    if (width == widths.end()) raise<IoError>(where, "no tensor uses it, so its size is not known");
    std::uint64_t count = 0;
    if (rest.size() < sizeof(count)) raise<IoError>(where, "the file ends before it");
    std::memcpy(&count, rest.data(), sizeof(count));
    rest.remove_prefix(sizeof(count));
    if (count > rest.size() / width->second)
      raise<IoError>(where, "the file ends before its ", count, " elements do");
    storages_[key->text] = rest.substr(0, count * width->second);
    rest.remove_prefix(count * width->second);
  }
}

const std::string_view* OldCheckpoint::storage(const std::string& key) const {
  const auto found = storages_.find(key);
  return found == storages_.end() ? nullptr : &found->second;
}

}  // namespace svi
