#include "inputs.hpp"

#include <filesystem>
#include <map>

#include "experiment/results/metric_set.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/error/error_source.hpp"
#include "svi/model/extension.hpp"

namespace svi {
namespace {

/// Hashes of the files of a plan, by path; what metrics lack, once each.
struct Inputs {
  std::map<std::string, std::string> hashes;
  std::vector<std::string> missing;
};

void check_path(const std::string& path, const std::string& where) {
  if (path.find(',') != std::string::npos)
    raise<ConfigError>(where, ": a path with a comma in it cannot be kept in [experiment] inputs");
}

void check_hash(const std::map<std::string, std::string>& expected, const std::string& path,
                const std::string& hash, const std::string& remedy) {
  const auto found = expected.find(path);
  if (found == expected.end() || found->second == hash) return;
  raise<ConfigError>(path, " is not the file of [experiment] inputs: ",
                     hash.empty() ? "it is not there" : "its SHA-256 is " + hash, ", asked for is ",
                     found->second, "; ", remedy, ", or remove that line to use ",
                     hash.empty() ? "what is there" : "the file as it is");
}

std::string hash_of(const Arm& arm, const InputFile& input, const char* what) {
  const auto where = cat("[arm.", arm.name, "] reads ", what, " from ", input.path);
  if (!std::filesystem::exists(input.path))
    raise<ConfigError>(where, ", which does not exist; ", input.remedy);
  check_path(input.path, where);
  return sha256_file(input.path);
}

/// Recorded errors of trained arms, and the files that extensions start from.
void add_arms(const Plan& plan, const Registry& registry,
              const std::map<std::string, std::string>& expected, Inputs& inputs) {
  const auto add = [&](const Arm& arm, const InputFile& input, const char* what) {
    if (inputs.hashes.contains(input.path)) return;
    const auto hash = inputs.hashes[input.path] = hash_of(arm, input, what);
    check_hash(expected, input.path, hash, input.remedy);
  };
  for (const auto& arm : plan.arms) {
    for (const auto& [label, extension] : make_extensions(registry, arm.document)) {
      const auto& file = extension->options().file;
      if (!file.empty())
        add(arm, {file, cat("give another [", kExtensionPrefix, label, "] file")}, "an extension");
    }
    if (!arm.trained) continue;
    for (const auto& input : registry.make<ErrorSource>(arm.document, "")->inputs())
      add(arm, input, "errors");
  }
}

void add_metrics(const Plan& plan, const Registry& registry,
                 const std::map<std::string, std::string>& expected, Inputs& inputs) {
  if (plan.experiment.kind == ExperimentKind::critic) return;  // no film is measured
  std::map<std::string, LocatedFile> located;                  // by path: read once
  for (const auto& arm : plan.arms) {
    const auto folder = metric_folder(arm.document);
    for (const auto& [section, metric] : arm_metrics(arm.document, registry)) {
      for (const auto& need : metric->needs()) {
        const auto path = path_of(need, folder).string();
        if (!located.contains(path)) located[path] = locate(need, folder);
        auto found = located[path];
        // Read for another metric, which may want other content.
        if (!found.sha256.empty() && !is_wanted(need, found.sha256))
          found.problem = cat("is another file: its SHA-256 is ", found.sha256);
        else if (!found.sha256.empty())
          found.problem.clear();
        check_hash(expected, path, found.sha256, "restore it");
        if (found.problem.empty()) {
          check_path(path, cat("[", section, "] needs ", path));
          inputs.hashes[path] = found.sha256;
          continue;
        }
        const auto text = missing_text(need, found, section);
        const bool known =
            std::find(inputs.missing.begin(), inputs.missing.end(), text) != inputs.missing.end();
        if (!known) inputs.missing.push_back(text);
      }
    }
  }
}

Inputs inputs_of(const Plan& plan, const Registry& registry) {
  const auto expected = pinned_inputs(plan);
  Inputs inputs;
  add_arms(plan, registry, expected, inputs);
  add_metrics(plan, registry, expected, inputs);
  return inputs;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::map<std::string, std::string> pinned_inputs(const Plan& plan) {
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

std::vector<std::string> missing_metrics(const Plan& plan, const Registry& registry) {
  Inputs inputs;
  add_metrics(plan, registry, {}, inputs);
  return inputs.missing;
}

Plan pin_inputs(const Plan& plan, const Registry& registry, const Communicator& world) {
  // The sign tells what follows: lines, or the error that all ranks throw alike.
  std::string text, missing;
  if (world.rank() == 0) {
    try {
      const auto inputs = inputs_of(plan, registry);
      std::vector<std::string> lines;
      for (const auto& [path, hash] : inputs.hashes) lines.push_back(hash + " " + path);
      text = "+" + join(lines, "\n");
      missing = join(inputs.missing, "\n");
    } catch (const Error& error) {
      text = std::string("-") + error.what();
    }
  }
  text = world.broadcast(text);
  if (text.front() == '-') throw ConfigError(text.substr(1));
  Plan pinned = plan;
  pinned.experiment.inputs = lines_of(text.substr(1));
  pinned.missing = lines_of(world.broadcast(missing));
  pinned.resolved.set("experiment", "inputs", join(pinned.experiment.inputs), "resolved");
  return pinned;
}

}  // namespace svi
