#include "svi/plugin/loader.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/plugin/plugin.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// The file this code was loaded from; empty if the system does not tell.
fs::path library_file() {
  Dl_info info{};
  const bool known = dladdr(reinterpret_cast<const void*>(&find_plugin), &info) != 0;
  return known && info.dli_fname != nullptr ? fs::path(info.dli_fname) : fs::path();
}

std::vector<fs::path> search_folders() {
  std::vector<fs::path> folders;
  if (const char* path = std::getenv("SVI_PLUGIN_PATH")) {
    std::istringstream in(path);
    for (std::string part; std::getline(in, part, ':');) {
      if (!part.empty()) folders.emplace_back(part);
    }
  }
  // Beside this library, so that programs, tests and embedding hosts all find the same plugins.
  if (const auto library = library_file(); !library.empty())
    folders.push_back(library.parent_path() / "svi" / "plugins");
  return folders;
}

/// Whether that plugin has registered something.
bool has_origin(const Registry& registry, const std::string& origin) {
  for (const auto& [kind, names] : registry.kinds()) {
    for (const auto& [name, registration] : names) {
      if (registration.origin == origin) return true;
    }
  }
  return false;
}

std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

}  // namespace

LoadedPlugin load_plugin(const std::string& path, Registry& registry) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) raise<PluginError>("plugin ", path, ": no such file");
  const bool open = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) != nullptr;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) raise<PluginError>("plugin ", path, " cannot be opened: ", dlerror());
  const auto* descriptor = static_cast<const PluginDescriptor*>(dlsym(library, kPluginSymbol));
  if (descriptor == nullptr || descriptor->magic != kPluginMagic) {
    raise<PluginError>("plugin ", path, " is not an svi plugin: it has no descriptor (SVI_PLUGIN)");
  }
  // Nothing of the plugin has been called so far; from here on its code may run.
  if (std::strcmp(descriptor->abi, kAbi) != 0) {
    raise<PluginError>("plugin ", path, " was built for '", descriptor->abi, "', this is '", kAbi,
                       "'; rebuild it against this installation");
  }
  const auto origin = cat(descriptor->name, " ", descriptor->version);
  if (!open || !has_origin(registry, origin)) {
    Registrar registrar(registry, origin);
    descriptor->add_to(registrar);
  }
  return {descriptor->name, descriptor->version, path, sha256_hex(read_bytes(path))};
}

std::string find_plugin(const std::string& name_or_path) {
  if (name_or_path.find('/') != std::string::npos) return name_or_path;
  std::vector<std::string> looked;
  for (const auto& folder : search_folders()) {
    const auto candidate = folder / (name_or_path + ".so");
    std::error_code ignored;
    if (fs::is_regular_file(candidate, ignored)) return candidate.string();
    looked.push_back(folder.string());
  }
  std::vector<std::string> known;
  for (const auto& file : installed_plugins()) known.push_back(fs::path(file).stem().string());
  const auto near = nearest_name(name_or_path, known);
  raise<PluginError>("plugin '", name_or_path, "' is in none of: ", join(looked), "; ",
                     near.empty() ? "" : "did you mean '" + near + "'? ",
                     "give a path, or add its folder to SVI_PLUGIN_PATH");
}

const std::string& library_sha256() {
  static const std::string hash = [] {
    const auto file = library_file();
    return file.empty() ? std::string() : sha256_file(file);
  }();
  return hash;
}

std::vector<std::string> installed_plugins() {
  std::vector<std::string> files;
  for (const auto& folder : search_folders()) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().extension() == ".so") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace svi
