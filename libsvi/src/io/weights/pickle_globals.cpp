#include "io/weights/pickle_globals.hpp"

#include <algorithm>
#include <array>

namespace svi::pickle {
namespace {

constexpr std::array kStorages = {
    "DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage",
    "IntStorage",    "ShortStorage", "CharStorage", "ByteStorage",     "BoolStorage"};
constexpr std::array kDtypes = {"float64",       "float32",     "float16", "bfloat16",
                                "float8_e4m3fn", "float8_e5m2", "int64",   "int32",
                                "int16",         "int8",        "uint8",   "bool"};
/// What TorchScript writes beside objects: lists of one type, and values with the text of their
/// type.
constexpr std::array kScriptGlobals = {"build_intlist", "build_doublelist", "build_boollist",
                                       "build_tensorlist", "restore_type_tag"};

bool among(const auto& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool is_storage(std::string_view name) { return among(kStorages, name); }

bool is_dtype(std::string_view name) { return among(kDtypes, name); }

bool is_storage_id(const Value& id) {
  const auto& items = id.items;
  const bool counted = items.size() == 5 || (items.size() == 6 && items[5]->kind == Kind::none);
  return id.kind == Kind::tuple && counted && items[0]->kind == Kind::text &&
         items[0]->text == "storage" && items[1]->kind == Kind::global &&
         items[2]->kind == Kind::text && items[2]->text.size() <= kLongestName &&
         items[3]->kind == Kind::text && items[4]->kind == Kind::integer;
}

bool script_class(std::string_view module) {
  return module == "__torch__" || module.starts_with("__torch__.");
}

bool known_global(std::string_view module, std::string_view name) {
  if (module == "collections") return name == "OrderedDict";
  if (module == "torch._utils")
    return name == "_rebuild_tensor" || name == "_rebuild_tensor_v2" ||
           name == "_rebuild_tensor_v3" || name == "_rebuild_parameter";
  if (module == "torch.storage") return name == "UntypedStorage";
  if (module == "torch") return is_storage(name) || is_dtype(name) || name == "Size";
  if (module == "torch.jit._pickle") return among(kScriptGlobals, name);
  return script_class(module);
}

}  // namespace svi::pickle
