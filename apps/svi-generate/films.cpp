#include "films.hpp"

#include <ATen/Parallel.h>

#include <exception>
#include <iostream>
#include <optional>
#include <thread>

#include "film.hpp"
#include "film_story.hpp"
#include "requests.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/split_model.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/parallel/stop.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/pretrained/folder_settings.hpp"

namespace svi::generate {
namespace {

constexpr int kStopped = 3;  // exit code

/// Prints the plan of the largest film and refuses what cannot fit.
void check_memory(const Arguments& a, const std::vector<FilmJob>& films,
                  const LabelledExtensions& extensions) {
  std::optional<MemoryPlan> largest;
  for (const auto& film : films) {
    auto plan = film.memory_plan(extensions);
    const auto peak = [](const MemoryPlan& of) { return of.host_peak() + of.gpu_peak(); };
    if (!largest || peak(plan) > peak(*largest)) largest.emplace(std::move(plan));
  }
  std::cout << largest->table() << largest->advice() << std::endl;
  if (largest->verdict == MemoryVerdict::too_large && !a.force)
    raise<ConfigError>("not enough memory; see above, or --ignore-memory");
}

/// What films are asked for; where they are only checked, also what they show when.
void tell_of(const std::vector<FilmJob>& films, const Arguments& a) {
  if (!a.sheet.empty() && films.size() > 1)
    raise<ConfigError>("command line: --sheet shows one film; leave it out, or give one image");
  for (const auto& film : films) {
    std::cout << film.summary() << std::endl;
    if (a.validate) std::cout << film.time_line_table() << std::flush;
    if (!a.sheet.empty()) film.write_sheet(a.sheet);
    if (const auto note = film.note(); !note.empty()) SVI_WARN("film", note);
  }
}

/// Whether no film of any rank is refused. Where one is, no lock stays, whichever rank ends first;
/// throws where the problem is this rank's own. Collective over `group`.
bool all_good(std::vector<FilmJob>& films, const std::exception_ptr& problem,
              const Communicator& group) {
  bool good = true;
  for (const auto& each : group.all_gather(problem ? "refused" : "")) good = good && each.empty();
  if (good) return true;
  films.clear();
  group.barrier();
  if (problem) std::rethrow_exception(problem);
  return false;
}

/// Joins the ranks' transformers for --split.
void share(const Arguments& a, const Registry& registry, WanDit& dit, bool official,
           const Communicator& world) {
  dit.split_over(world, registry.make<Collective>(settings_of(a, official), "mpi"));
}

/// The extensions that the settings name, with the values of their files; `reads` gets the tracks
/// that they read along a film. Throws ConfigError or IoError where one cannot join the model.
LabelledExtensions extensions_of(const Arguments& a, const Registry& registry,
                                 const Pretrained& model, bool official, bool together,
                                 std::vector<std::string>& reads) {
  WanDit dit(model.dit_config(), at::TensorOptions(at::kMeta));
  auto extensions = make_extensions(registry, settings_of(a, official));
  for (const auto& [label, extension] : extensions) {
    const auto title = cat("[", kExtensionPrefix, label, "]");
    if (together) {
      raise<ConfigError>(title,
                         " needs all tokens of a clip on one rank: leave --split out, or the "
                         "extension");
    }
    extension->build(label, dit.extension_host(), 0);
    const auto& file = extension->options().file;
    if (file.empty() && !extension->parameters().empty()) {
      const auto source = extension->where_from();
      raise<ConfigError>(title, " has no file: give its trained parameters with --set ",
                         kExtensionPrefix, label, ".file=FILE", source.empty() ? "" : "; ", source);
    }
    if (!file.empty()) extension->load_file(file);
    extension->to(model.device());
    dit.attach(extension);
  }
  registry.make<Method>(settings_of(a, official), "")->check_parts(dit.reads());
  reads = dit.track_parts();
  return extensions;
}

PretrainedConfig model_config(const Arguments& a) {
  // Whether a model is of official size is known once it is found; its own section does not depend
  // on that.
  return parse_config<PretrainedConfig>(settings_of(a, false), "model");
}

/// What the folder's own settings ask for; that of the default folder is there already.
void load_folder_plugin(const std::filesystem::path& folder, Registry& registry) {
  const auto plugin = folder_config(folder).plugin;
  if (!plugin.empty()) load_plugin(find_plugin(plugin), registry);
}

void set_threads(const Arguments& a, const Communicator& world) {
  if (a.threads) {
    at::set_num_threads(static_cast<int>(*a.threads));
  } else if (world.size() == 1) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
  }
}

}  // namespace

int make_films(const Arguments& given, Registry& registry, const Communicator& world) {
  auto a = given;
  set_threads(a, world);
  Pretrained model(model_config(a), choose_device(device_choice(a)), registry);
  const bool official = model.files().layout != ModelLayout::trained;
  load_plugin(find_plugin(variant_name(a, official)), registry);
  if (!official) load_folder_plugin(model.files().folder, registry);
  a.method_settings = registry.make<Method>(settings_of(a, official), "")->film_settings();
  const bool by_tokens = a.split && world.size() > 1;
  const bool together = by_tokens || a.split_batch;
  const FilmStory story(a, registry, world);
  std::vector<std::string> reads;
  const auto extensions = extensions_of(a, registry, model, official, by_tokens, reads);
  const StopRequest stop(world);
  if (together && world.rank() != 0) {
    if (a.validate) return 0;
    if (by_tokens) share(a, registry, model.dit(), official, world);
    for (const auto& [label, extension] : extensions) model.dit().attach(extension);
    compute_along(model.dit(), world, stop);
    return 0;
  }
  std::vector<FilmJob> films;
  std::vector<std::string> prompts;
  auto requests = requests_of(a, official);
  std::exception_ptr problem;
  try {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto owner =
          together ? 0 : static_cast<int>(i % static_cast<std::size_t>(world.size()));
      if (owner != world.rank()) continue;
      films.emplace_back(a, registry, model, std::move(requests[i]), extensions, reads);
      for (auto& prompt : films.back().prompts()) prompts.push_back(std::move(prompt));
    }
    tell_of(films, a);
    if (!prompts.empty()) model.prompts().warn_of_cuts(prompts);
    if (!films.empty()) check_memory(a, films, extensions);
  } catch (const std::exception&) {
    problem = std::current_exception();
  }
  if (!all_good(films, problem, together ? Communicator::self() : world)) return 2;
  if (a.validate) return 0;
  // Texts first: the text encoder is closed before the transformer is opened.
  if (!prompts.empty()) model.prompts().encode(prompts);
  model.prompts().release();
  if (films.empty()) return 0;
  if (by_tokens) share(a, registry, model.dit(), official, world);
  for (const auto& [label, extension] : extensions) model.dit().attach(extension);
  // Whatever can still fail does so before the first film's folder is touched.
  std::optional<SplitModel> shared;
  if (together)
    shared.emplace(model.dit(), world, by_tokens ? PassShare::tokens : PassShare::samples);
  const VelocityModel& dit = shared ? static_cast<const VelocityModel&>(*shared) : model.dit();
  bool complete = true;
  const auto stopping = [&] { return stop.requested(); };
  for (const auto& film : films) complete = complete && !stopping() && film.make(dit, stopping);
  return complete ? 0 : kStopped;
}

}  // namespace svi::generate
