#include "svi/experiment/plan.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "films.hpp"
#include "preflight.hpp"
#include "sections.hpp"
#include "svi/core/check.hpp"
#include "svi/core/processors.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/experiment/overrides.hpp"
#include "svi/method/method.hpp"

namespace svi {
namespace {

constexpr std::string_view kArmPrefix = "arm.", kSizePrefix = "size.";

bool is_arm(const Document::Section& section) { return section.name.starts_with(kArmPrefix); }

/// Everything but arms and sizes.
Document base_of(const Document& document) {
  Document base = document;
  for (const auto& section : document.sections()) {
    if (is_arm(section) || section.name.starts_with(kSizePrefix)) base.erase(section.name);
  }
  return base;
}

void check_seeds(const ExperimentConfig& experiment, const Document& document) {
  auto seeds = experiment.seeds;
  std::sort(seeds.begin(), seeds.end());
  if (seeds.empty() || std::adjacent_find(seeds.begin(), seeds.end()) != seeds.end()) {
    raise<ConfigError>(document.file(),
                       ": [experiment] seeds must hold at least one seed, and none twice");
  }
}

/// A section's lines, for comparing.
std::string text_of(const Document& document, const std::string& section) {
  std::string text;
  if (const auto* found = document.find(section)) {
    for (const auto& entry : found->entries) text += cat(entry.key, " = ", entry.value, "\n");
  }
  return text;
}

/// All arms fill the same tables of a diagnostic, so what decides on their sizes must be equal.
void check_diagnostics(const Plan& plan) {
  const auto& first = plan.arms.front();
  const auto names = names_below(first.document, kDiagnosticPrefix);
  if (names.empty()) return;
  std::vector<std::string> sections = {"clip"};
  for (const auto& name : names) sections.push_back(std::string(kDiagnosticPrefix) + name);
  for (const auto& arm : plan.arms) {
    for (const auto& section : sections) {
      if (text_of(arm.document, section) == text_of(first.document, section)) continue;
      raise<ConfigError>(plan.original.file(), ": [arm.", arm.name, "] changes [", section,
                         "], but diagnostics measure all arms alike; set it for the whole "
                         "experiment, or leave the diagnostics out");
    }
  }
}

/// Throws ConfigError where the method cannot make films of such clips with any codec of Wan's
/// kind. Which one it is, with strides of 4 in time or none, its weights tell later.
void check_method(const Method& method, const ClipShape& clip, const Sampler& sampler) {
  try {
    method.check(clip, 4, sampler);
  } catch (const ConfigError&) {
    try {
      method.check(clip, 1, sampler);
      return;
    } catch (const ConfigError&) {
    }
    throw;
  }
}

/// Films of every arm can be made of its clips.
void check_methods(const Plan& plan, const Registry& registry) {
  if (!makes_films(plan.experiment.kind)) return;
  for (const auto& arm : plan.arms) {
    const auto method = registry.make<Method>(arm.document, "");
    const auto sampler = registry.make<Sampler>(arm.document, "");
    const auto clip = parse_config<ClipConfig>(arm.document, "clip");
    try {
      check_method(*method, clip, *sampler);
    } catch (const ConfigError& error) {
      raise<ConfigError>(plan.original.file(), ": [arm.", arm.name, "]: ", error.what());
    }
  }
}

/// Adapters of [model] belong to weights that are there before the run.
void check_adapters(const Plan& plan) {
  if (plan.experiment.kind != ExperimentKind::pretrain) return;
  for (const auto& arm : plan.arms) {
    const auto model = parse_config<ModelConfig>(arm.document, "model");
    if (model.lora.empty()) continue;
    raise<ConfigError>(plan.original.file(), ": [model] lora = ", join(model.lora),
                       ": kind = pretrain trains a transformer from nothing, to which no adapter "
                       "belongs; leave it out");
  }
}

/// There are files, and nothing is asked for that needs a model.
void check_measuring(const Plan& plan) {
  if (plan.experiment.kind != ExperimentKind::measure) return;
  for (const auto& arm : plan.arms) {
    films_of(arm);
    const auto diagnostics = names_below(arm.document, kDiagnosticPrefix);
    if (diagnostics.empty()) continue;
    raise<ConfigError>(plan.original.file(), ": [diagnostic.", diagnostics.front(),
                       "] looks into a model, and kind = measure has none; remove it");
  }
}

/// Resolves the base and every arm.
void complete(Plan& plan, const Document& given, const Registry& registry) {
  const auto document = with_film_arms(given);
  const auto base = base_of(document);
  plan.resolved = complete_document(base, registry);
  for (const auto& section : document.sections()) {
    if (!is_arm(section)) continue;
    Arm arm;
    arm.name = section.name.substr(kArmPrefix.size());
    if (arm.name.empty() || arm.name.find('.') != std::string::npos) {
      raise<ConfigError>(section.origin, ": [", section.name, "] needs one name after 'arm.'");
    }
    arm.label = document.get(section.name, "label").value_or(arm.name);
    arm.document = complete_document(apply_arm(base, section), registry);
    arm.trained = plan.experiment.kind != ExperimentKind::measure &&
                  arm.document.get("training", "steps").value_or("0") != "0";
    plan.arms.push_back(std::move(arm));
    plan.resolved.add_section(section.name, section.origin);
    for (const auto& entry : section.entries)
      plan.resolved.set(section.name, entry.key, entry.value, entry.origin);
    pin_grid(plan.resolved, section.name, plan.arms.back().document);
  }
  if (plan.arms.empty()) {
    raise<ConfigError>(document.file(),
                       ": no arm; add a section such as [arm.base], even an empty one");
  }
  check_measuring(plan);
  check_adapters(plan);
  check_methods(plan, registry);
  check_diagnostics(plan);
  const bool pretrain = plan.resolved.get("experiment", "kind") == "pretrain";
  if (pretrain && plan.arms.front().trained) {
    raise<ConfigError>(document.file(), ": [arm.", plan.arms.front().name,
                       "] comes first, so its curves are those of the base that kind = pretrain "
                       "trains: set its training.steps = 0, and train adapters in later arms");
  }
}

}  // namespace

std::string ExperimentConfig::problem() const {
  if (name.empty()) return "needs a name: it names the result folder and file";
  const bool fits = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  return fits ? "" : "name = " + name + " names a folder: use letters, digits, '_' and '-'";
}

Plan Plan::make(const Document& document, Registry& registry) {
  Plan plan;
  plan.original = document;
  plan.experiment = parse_config<ExperimentConfig>(document, "experiment");
  plan.run = parse_config<RunConfig>(document, "run");
  const auto problem = threads_problem(plan.run.threads);
  if (!problem.empty()) {
    raise<ConfigError>(document.file(), ": [run] threads = ", plan.run.threads, ": ", problem);
  }
  check_seeds(plan.experiment, document);
  for (const auto& name : plan.experiment.plugins) {
    plan.plugins.push_back(load_plugin(find_plugin(name), registry));
  }
  plan.shipped = load_default_plugin(registry);
  complete(plan, document, registry);
  check_names(plan);
  warn_of_other_grid(document);
  for (const auto& size : size_names(document)) {
    if (size == plan.experiment.size) {
      raise<ConfigError>(document.file(), ": [experiment] size = ", size,
                         " records which size was applied; choose it with --size ", size);
    }
    // Nobody asked for it yet, but a mistake in it should not wait.
    Plan other;
    const auto sized = apply_size(document, size);
    parse_config<RunConfig>(sized, "run");
    other.original = sized;
    other.experiment = parse_config<ExperimentConfig>(sized, "experiment");
    check_seeds(other.experiment, sized);
    complete(other, sized, registry);
    check_names(other);
  }
  return plan;
}

std::string Plan::folder() const {
  return (std::filesystem::path(experiment.results) / experiment.name).string();
}

}  // namespace svi
