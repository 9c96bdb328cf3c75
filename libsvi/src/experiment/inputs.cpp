#include "inputs.hpp"

#include <filesystem>
#include <map>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/error/error_source.hpp"

namespace svi {
namespace {

/// Path to the hash asked for.
std::map<std::string, std::string> asked_for(const Plan& plan) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : plan.experiment.inputs) {
    const auto space = entry.find(' ');
    if (space != 64 || entry.size() == 65) {
      raise<ConfigError>(plan.original.file(), ": [experiment] inputs: '", entry,
                         "' is not 'SHA-256 path'; remove the key, because a run writes it");
    }
    hashes[entry.substr(space + 1)] = entry.substr(0, space);
  }
  return hashes;
}

std::string hash_of(const Arm& arm, const InputFile& input) {
  const auto where = cat("[arm.", arm.name, "] reads errors from ", input.path);
  if (!std::filesystem::exists(input.path))
    raise<ConfigError>(where, ", which does not exist; ", input.remedy);
  if (input.path.find(',') != std::string::npos)
    raise<ConfigError>(where, ": a path with a comma in it cannot be kept in [experiment] inputs");
  return sha256_file(input.path);
}

std::vector<std::string> hashed(const Plan& plan, const Registry& registry) {
  const auto expected = asked_for(plan);
  std::map<std::string, std::string> hashes;
  for (const auto& arm : plan.arms) {
    if (!arm.trained) continue;
    for (const auto& input : registry.make<ErrorSource>(arm.document, "")->inputs()) {
      if (hashes.contains(input.path)) continue;
      const auto hash = hashes[input.path] = hash_of(arm, input);
      const auto found = expected.find(input.path);
      if (found != expected.end() && found->second != hash) {
        raise<ConfigError>(input.path, " is not the file of [experiment] inputs: its SHA-256 is ",
                           hash, ", asked for is ", found->second, "; ", input.remedy,
                           ", or remove that line to use the file as it is");
      }
    }
  }
  std::vector<std::string> lines;
  for (const auto& [path, hash] : hashes) lines.push_back(hash + " " + path);
  return lines;
}

}  // namespace

Plan pin_inputs(const Plan& plan, const Registry& registry, const Communicator& world) {
  // The sign tells what follows: lines, or the error that all ranks throw alike.
  std::string text;
  if (world.rank() == 0) {
    try {
      text = "+" + join(hashed(plan, registry), "\n");
    } catch (const Error& error) {
      text = std::string("-") + error.what();
    }
  }
  text = world.broadcast(text);
  if (text.front() == '-') throw ConfigError(text.substr(1));
  Plan pinned = plan;
  pinned.experiment.inputs.clear();
  std::istringstream lines(text.substr(1));
  for (std::string line; std::getline(lines, line);) pinned.experiment.inputs.push_back(line);
  pinned.resolved.set("experiment", "inputs", join(pinned.experiment.inputs), "resolved");
  return pinned;
}

}  // namespace svi
