#include "sections.hpp"

#include <algorithm>
#include <cctype>
#include <map>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/diagnose/diagnostic.hpp"
#include "svi/error/error_source.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/injection/injection_policy.hpp"
#include "svi/memory/memory_bank.hpp"
#include "svi/method/method.hpp"
#include "svi/method/rollout.hpp"
#include "svi/metric/metric.hpp"
#include "svi/model/critic.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/sampler/sampler.hpp"
#include "svi/train/critic_trainer.hpp"
#include "svi/train/recycler.hpp"
#include "svi/train/trainer.hpp"
#include "svi/train/vae_trainer.hpp"

namespace svi {
namespace {

/// The sections that are structs of options, in the order in which resolved.ini shows them.
template <class Visit>
void for_each_fixed_section(Visit&& visit) {
  visit.template operator()<ExperimentConfig>("experiment", "the question, and the run as a whole");
  visit.template operator()<RunConfig>("run", "devices, threads, ranks and checkpoints");
  visit.template operator()<ModelConfig>("model", "weights of the base model");
  visit.template operator()<ClipConfig>("clip", "the shape of one clip");
  visit.template operator()<PoolConfig>("pool", "training clips, encoded once");
  visit.template operator()<LoraConfig>("lora", "the trained adapter");
  visit.template operator()<Trainer::Config>("training", "flow-matching training of the adapter");
  visit.template operator()<Recycler::Config>("recycling", "how banks store and share errors");
  visit.template operator()<RolloutConfig>("rollout", "long videos, clip by clip");
  visit.template operator()<EvaluationConfig>("evaluation",
                                              "held-out scenes, and the films kept of them");
  visit.template operator()<FilmsConfig>("films", "video files, for kind = measure");
  visit.template operator()<WanVaeConfig>("vae", "sizes of the codec to pretrain");
  visit.template operator()<VaePretrainerConfig>("vae_training", "pretraining of the codec");
  visit.template operator()<WanDitConfig>("dit", "sizes of the transformer to pretrain");
  visit.template operator()<Trainer::Config>("pretraining",
                                             "pretraining of the transformer, all weights");
  visit.template operator()<CriticConfig>("critic", "sizes of the quality critic to train");
  visit.template operator()<CriticTrainingConfig>("critic_training",
                                                  "training of the critic on damaged real frames");
}

/// The sections that name a component by `type`, with the type that holds where nothing is said.
template <class Visit>
void for_each_component(Visit&& visit) {
  visit.template operator()<ClipSource>(default_folder_config().world.c_str());
  visit.template operator()<Method>("naive_chain");
  visit.template operator()<Sampler>("euler");
  visit.template operator()<Guidance>("cfg");
  visit.template operator()<ErrorSource>("one_step");
  visit.template operator()<InjectionPolicy>("bernoulli");
  visit.template operator()<MemoryBank>("time_grid");
  visit.template operator()<Collective>("mpi");
}

std::vector<std::string> known_sections() {
  std::vector<std::string> names;
  for_each_fixed_section(
      [&]<class Config>(const char* name, const char*) { names.emplace_back(name); });
  for_each_component([&]<class Interface>(const char*) { names.emplace_back(Interface::kKind); });
  return names;
}

void check_section_names(const Document& document) {
  const auto known = known_sections();
  for (const auto& section : document.sections()) {
    if (section.name.starts_with(kMetricPrefix) || section.name.starts_with(kDiagnosticPrefix) ||
        section.name.starts_with(kExtensionPrefix))
      continue;
    if (std::find(known.begin(), known.end(), section.name) != known.end()) continue;
    // Its name before films of any kind could be made.
    const auto near =
        section.name == "variant" ? std::string("method") : nearest_name(section.name, known);
    raise<ConfigError>(section.origin, ": unknown section [", section.name, "]; ",
                       near.empty() ? "known: " + join(known) +
                                          ", metric.NAME, diagnostic.NAME, extension.NAME, arm.NAME"
                                    : "did you mean [" + near + "]?");
  }
}

/// The name becomes that of a job and of a group in the result file.
void check_diagnostic_name(const Document& document, const std::string& name) {
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  const auto section = std::string(kDiagnosticPrefix) + name;
  if (!good) {
    raise<ConfigError>(document.find(section)->origin, ": [", section,
                       "] names a part of the results: use letters, digits, '_' and '-'");
  }
}

/// Makes every metric once. Each quantity becomes a dataset of its name: two of one name would be
/// one dataset, that of whichever metric came last.
void complete_metrics(const Document& document, const Registry& registry, Document& complete) {
  std::map<std::string, std::string> owners;  // quantity to section
  for (const auto& name : names_below(document, kMetricPrefix)) {
    const auto section = std::string(kMetricPrefix) + name;
    const auto metric = registry.make<Metric>(document, name, &complete, section);
    for (const auto& quantity : metric->quantities()) {
      const auto [owner, fresh] = owners.emplace(quantity.name, section);
      if (fresh) continue;
      raise<ConfigError>(document.find(section)->origin, ": [", section, "] gives the quantity '",
                         quantity.name, "', and so does [", owner->second, "]",
                         owner->second == section
                             ? std::string(" itself; its plugin is wrong")
                             : " at " + document.find(owner->second)->origin +
                                   "; keep one of them, or run them in two experiments");
    }
  }
}

constexpr std::pair<const char*, const char*> kGridKeys[] = {{"bins", "steps"}, {"shift", "shift"}};

/// Whether the bank has a grid of flow times, and the sampler one that it can take over.
bool follows_sampler(const Document& document) {
  return document.get("memory", "type").value_or("time_grid") == "time_grid" &&
         document.get("sampler", "timesteps").value_or("").empty();
}

/// A bank's bins are those of the sampler's steps unless the file says otherwise.
Document with_bank_on_sampler_grid(Document document) {
  for (const auto& [of_bank, of_sampler] : kGridKeys) {
    const auto wanted = document.get("sampler", of_sampler);
    if (wanted && follows_sampler(document) && !document.get("memory", of_bank))
      document.set("memory", of_bank, *wanted, cat("[sampler] ", of_sampler));
  }
  return document;
}

}  // namespace

std::vector<std::string> names_below(const Document& document, std::string_view prefix) {
  std::vector<std::string> names;
  for (const auto& section : document.sections()) {
    if (section.name.starts_with(prefix)) names.push_back(section.name.substr(prefix.size()));
  }
  return names;
}

void warn_of_other_grid(const Document& document) {
  if (!follows_sampler(document)) return;
  for (const auto& [of_bank, of_sampler] : kGridKeys) {
    const auto wanted = document.get("sampler", of_sampler), set = document.get("memory", of_bank);
    if (!wanted || !set || *wanted == *set) continue;
    SVI_WARN("memory", "[memory] ", of_bank, " = ", *set, ", but [sampler] ", of_sampler, " = ",
             *wanted, ": the bank's bins are not the sampler's steps; leave [memory] ", of_bank,
             " out to follow the sampler");
  }
}

void pin_grid(Document& resolved, const std::string& arm, const Document& completed) {
  for (const auto& [of_bank, of_sampler] : kGridKeys) {
    const auto value = completed.get("memory", of_bank);
    const auto path = cat("memory.", of_bank);
    if (value && value != resolved.get("memory", of_bank) && !resolved.get(arm, path))
      resolved.set(arm, path, *value, cat("[sampler] ", of_sampler));
  }
}

Document complete_document(const Document& given, const Registry& registry) {
  check_section_names(given);
  const auto document = with_bank_on_sampler_grid(given);
  Document complete = document;
  for_each_fixed_section([&]<class Config>(const char* name, const char*) {
    auto config = parse_config<Config>(document, name);
    resolve_into(complete, name, [&](OptionVisitor& visit) { config.describe(visit); });
  });
  // Films that are there already need no method, sampler or bank.
  const bool measures = document.get("experiment", "kind") == "measure";
  for_each_component([&]<class Interface>(const char* fallback) {
    if (measures && document.find(Interface::kKind) == nullptr) return;
    registry.make<Interface>(document, fallback, &complete);
  });
  make_extensions(registry, document, &complete);
  complete_metrics(document, registry, complete);
  for (const auto& name : names_below(document, kDiagnosticPrefix)) {
    check_diagnostic_name(document, name);
    registry.make<Diagnostic>(document, name, &complete, std::string(kDiagnosticPrefix) + name);
  }
  return complete;
}

std::vector<SectionInfo> fixed_sections() {
  std::vector<SectionInfo> sections;
  for_each_fixed_section([&]<class Config>(const char* name, const char* summary) {
    Config config;
    sections.push_back(
        {name, summary, option_texts([&](OptionVisitor& visit) { config.describe(visit); })});
  });
  return sections;
}

}  // namespace svi
