// svi-eval: what metrics say of videos, whoever made them.
//
// Sample runs:
//   svi-eval films/ --metrics vbench --out scores.json
//   mpirun -n 4 svi-eval films/ --against real/ --metrics fvd --out scores.h5
//   svi-eval --compare base.json erft.json
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>

#include "arguments.hpp"
#include "export.hpp"
#include "films.hpp"
#include "scores.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/check.hpp"
#include "svi/core/host.hpp"
#include "svi/core/log.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/experiment/experiment.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"
#include "svi/metric/metric.hpp"
#include "svi/parallel/program.hpp"
#include "svi/parallel/stop.hpp"

namespace svi::eval {
namespace {

namespace fs = std::filesystem;

/// The films that could be read are measured, some could not be.
constexpr int kBrokenExitCode = 4;

/// Of --list: each metric, where it comes from, and the files it needs.
std::string metric_list(const Registry& registry, const fs::path& weights) {
  std::ostringstream out;
  for (const auto& [name, registration] : registry.kinds().at(std::string(Metric::kKind))) {
    out << name << " (" << registration.origin << "): " << registration.summary << "\n";
    const auto made = registration.make(nullptr, nullptr);
    for (const auto& need : static_cast<const Metric&>(*made).needs()) {
      const auto path = path_of(need, weights);
      out << "    needs " << path.string();
      if (need.bytes > 0) out << ", " << need.bytes << " bytes";
      if (!need.sha256.empty()) out << ", SHA-256 " << need.sha256;
      out << (fs::exists(path) ? " (there)" : " (not there)") << "\n        " << need.what
          << "; from " << need.source << "\n";
    }
  }
  return out.str();
}

Scores read_any(const std::string& file) {
  return fs::path(file).extension() == ".json" ? read_scores_json(file) : read_scores(file, {});
}

void check_outputs(const Arguments& a) {
  for (const auto& file : a.out) {
    const auto ending = fs::path(file).extension();
    if (ending != ".h5" && ending != ".json" && ending != ".csv")
      raise<ConfigError>("--out ", file, ": use .h5, .json or .csv");
    check_output_file(file);
  }
  if (a.page.empty()) return;
  if (fs::path(a.page).extension() != ".html") raise<ConfigError>("--page ", a.page, ": use .html");
  check_output_file(a.page);
}

/// A folder of this run alone; gone with it.
class WorkingFolder {
 public:
  explicit WorkingFolder(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  ~WorkingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

 private:
  fs::path path_;
};

/// Where the runner works: beside the first output, or among temporary files.
fs::path working_folder(const Arguments& a) {
  const auto& first = a.out.empty() ? a.page : a.out.front();
  const auto parent = first.empty() ? fs::temp_directory_path() : fs::absolute(first).parent_path();
  return parent / cat(".svi-eval-", host_name(), "-", getpid());
}

void write_outputs(const Arguments& a, const Scores& scores, const fs::path& result) {
  for (const auto& file : a.out) {
    const auto ending = fs::path(file).extension();
    if (ending == ".json") write_file(file, scores_json(scores, a.layout));
    if (ending == ".csv") write_file(file, scores_csv(scores));
    if (ending == ".h5") {
      AtomicFile copy{fs::path(file)};
      fs::copy_file(result, copy.temporary(), fs::copy_options::overwrite_existing);
      copy.commit();
    }
  }
  if (!a.page.empty()) write_file(a.page, scores_page(scores, a.page));
}

/// What rank 0 alone can do; what it throws is thrown alike on all ranks.
std::string on_first_rank(const Communicator& world, const std::function<std::string()>& work) {
  std::string told;
  if (world.rank() == 0) {
    try {
      told = "+" + work();
    } catch (const Error& error) {
      told = std::string("-") + error.what();
    } catch (const fs::filesystem_error& error) {
      told = cat("-", error.path1().string(), ": ", error.code().message());
    }
  }
  told = world.broadcast(told);
  if (told.front() == '-') throw ConfigError(told.substr(1));
  return told.substr(1);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Every metric there is to choose from, and how plugins named on the command line were named.
struct KnownMetrics {
  Registry registry = {};
  PluginWords words = {};

  explicit KnownMetrics(const std::vector<std::string>& plugins) {
    register_builtins(registry);
    load_installed_plugins(registry);
    for (const auto& word : plugins) words[load_plugin(find_plugin(word), registry).name] = word;
  }
};

int measure(const Arguments& a, const KnownMetrics& known, const Communicator& world) {
  // The first line is the run, or empty; then follow the videos.
  const auto found = lines_of(on_first_rank(world, [&] {
    check_outputs(a);
    const auto films = find_films(a.paths);
    return films.run.string() + "\n" + join(films.videos, "\n");
  }));
  Films films{found.at(0), {found.begin() + 1, found.end()}};
  const auto folder = fs::path(on_first_rank(world, [&] { return working_folder(a).string(); }));
  std::optional<WorkingFolder> made;
  on_first_rank(world, [&] {
    made.emplace(folder);
    if (films.run.empty()) write_file(folder / kVideoList, join(films.videos, "\n") + "\n");
    return std::string();
  });
  const auto document = experiment_of(a, films, known.registry, known.words, folder);
  catch_stop_signals();
  Registry registry;  // to which the plan adds the plugins that it names
  register_builtins(registry);
  const auto plan = Plan::make(document, registry);
  RunOptions options;
  options.overwrite = true;
  options.silent = true;
  options.program = "svi-eval";
  const auto end = run_experiment(plan, registry, world, options);
  bool broken = false;
  if (end == RunEnd::complete && world.rank() == 0) {
    const auto result = fs::path(plan.folder()) / (plan.experiment.name + ".h5");
    const auto scores = read_scores(result, films.videos);
    write_outputs(a, scores, result);
    std::cout << scores_table(scores);
    broken = !scores.broken_lines().empty();
    for (const auto& file : a.out) std::cout << file << "\n";
    if (!a.page.empty()) std::cout << a.page << "\n";
  }
  broken = world.broadcast(std::string(broken ? "1" : "")) == "1";  // waits: the folder goes now
  if (end != RunEnd::complete) return kStoppedExitCode;
  return broken ? kBrokenExitCode : 0;
}

int run(const Arguments& a, const Communicator& world) {
  const bool speaks = world.rank() == 0;
  if (a.help || a.version) {
    if (speaks && a.help) std::cout << usage();
    if (speaks && !a.help) std::cout << "svi " << kVersion << "\nABI: " << kAbi << "\n";
    return 0;
  }
  if (!a.compared.empty()) {
    if (speaks) {
      std::cout << compare_scores(read_any(a.compared[0]), a.compared[0], read_any(a.compared[1]),
                                  a.compared[1]);
    }
    return 0;
  }
  const KnownMetrics known(a.plugins);
  if (a.list) {
    if (speaks) std::cout << metric_list(known.registry, a.weights);
    return 0;
  }
  if (a.paths.empty())
    raise<ConfigError>("command line: name the videos to measure; see svi-eval --help");
  return measure(a, known, world);
}

}  // namespace
}  // namespace svi::eval

int main(int argc, char** argv) {
  const auto body = [&](const svi::Communicator& world) {
    const auto arguments = svi::eval::parse_arguments(argc, argv);
    svi::start_logging(world.rank(),
                       arguments.verbose ? svi::Severity::info : svi::Severity::warning);
    return svi::eval::run(arguments, world);
  };
  return svi::run_program({"svi-eval", /*alike=*/true, body}, argc, argv);
}
