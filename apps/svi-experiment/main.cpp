// svi-experiment: runs one INI file, from training to tables.
//
// Sample runs:
//   svi-experiment experiments/smoke.ini
//   mpirun -n 2 svi-experiment experiments/ablation_eimg.ini --resume
//   svi-experiment --describe error_source.one_step
//   svi-experiment experiments/ablation_eimg.ini --size full
//   svi-experiment experiments/ablation_eimg.ini --set arm.erft.training.steps=100 --validate
//   svi-experiment --watch results/ablation_eimg

#include <unistd.h>

#include <boost/program_options.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "svi/config/command_line.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/terminal.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/experiment/experiment.hpp"
#include "svi/experiment/inheritance.hpp"
#include "svi/experiment/overrides.hpp"
#include "svi/experiment/reference.hpp"
#include "svi/experiment/watch.hpp"
#include "svi/io/output_path.hpp"
#include "svi/parallel/program.hpp"
#include "svi/parallel/stop.hpp"

namespace po = boost::program_options;

namespace {

struct Arguments {
  std::string file, size;
  std::vector<std::string> settings, plugins;
  std::string describe, format = "text";
  svi::RunOptions run;
  bool help = false, version = false, list = false, described = false, validate = false,
       watch = false, verbose = false;
};

po::options_description options(Arguments& a) {
  po::options_description visible("svi-experiment [options] FILE.ini");
  auto add = visible.add_options();
  add("set", po::value(&a.settings)->composing(),
      "override the file: section.key=value or arm.NAME.section.key=value; may be repeated");
  add("size", po::value(&a.size), "apply [size.NAME] of the file, such as full");
  add("resume", po::bool_switch(&a.run.resume),
      "continue a stopped run; for a finished run, print its table");
  add("overwrite", po::bool_switch(&a.run.overwrite),
      "replace earlier results of the same name; files of others stay");
  add("validate", po::bool_switch(&a.validate), "check the file, compute nothing");
  add("watch", po::bool_switch(&a.watch),
      "follow a run from another terminal; takes FILE.ini or a result folder");
  add("list", po::bool_switch(&a.list), "list every component, built in or from a plugin");
  add("describe", po::value(&a.describe)->implicit_value("all"),
      "print the options of a section or component, such as injection.bernoulli; 'all': of all");
  add("format", po::value(&a.format), "format of --describe: text or md");
  add("plugin", po::value(&a.plugins)->composing(),
      "load this plugin first, by name or path; may be repeated");
  add("verbose", po::bool_switch(&a.verbose), "show debug lines");
  add("version", po::bool_switch(&a.version), "print version and ABI");
  add("help", po::bool_switch(&a.help), "print this help");
  return visible;
}

/// The word that is the experiment: one that ends in .ini, else the first that stands alone.
svi::CommandPart* file_among(std::vector<svi::CommandPart>& parts) {
  svi::CommandPart* file = nullptr;
  for (auto& part : parts) {
    if (!part.stray) continue;
    if (part.words.back().ends_with(".ini")) return &part;
    if (file == nullptr) file = &part;
  }
  return file;
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  auto visible = options(a);
  try {
    const auto parsed = po::command_line_parser(argc, argv).options(visible).run();
    auto parts = svi::command_parts(parsed);
    if (auto* file = file_among(parts)) {
      a.file = file->words.back();
      file->stray = false;
    }
    svi::refuse_stray_words("svi-experiment", parts, {"set", "plugin"});
    po::variables_map values;
    po::store(parsed, values);
    po::notify(values);
    a.described = values.count("describe") > 0;
  } catch (const po::error& error) {
    svi::raise<svi::ConfigError>("command line: ", error.what(), "; see svi-experiment --help");
  }
  if (a.format != "text" && a.format != "md") {
    svi::raise<svi::ConfigError>("command line: --format ", a.format, " is not text or md");
  }
  return a;
}

/// Rank 0 reads; everyone parses the same bytes, so that a mistake is found alike on all ranks.
svi::Document read_document(const Arguments& a, const svi::Communicator& world) {
  if (a.file.empty())
    svi::raise<svi::ConfigError>("command line: no INI file given; see svi-experiment --help");
  const auto read = [&](const std::string& path) -> std::optional<std::string> {
    std::string text;
    if (world.rank() == 0) {
      std::ifstream in(path, std::ios::binary);
      const bool is_file = in && !std::filesystem::is_directory(path);
      std::ostringstream bytes;
      if (is_file) bytes << in.rdbuf();
      // The sign tells the other ranks whether there was a file.
      text = (is_file ? "+" : "-") + bytes.str();
    }
    text = world.broadcast(text);
    if (text.front() == '-') return std::nullopt;
    return text.substr(1);
  };
  auto document = svi::read_with_bases(a.file, read);
  if (!a.size.empty()) document = svi::apply_size(document, a.size);
  for (const auto& setting : a.settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      svi::raise<svi::ConfigError>("command line: --set ", setting, " is not section.key=value");
    }
    svi::set_option(document, setting.substr(0, equals), setting.substr(equals + 1),
                    "--set " + setting);
  }
  return document;
}

/// Follows a run, whose result folder is given or follows from the INI file. The other ranks,
/// should there be any, have nothing to do.
int watch(const Arguments& a, const svi::Communicator& world) {
  std::filesystem::path folder = a.file;
  if (folder.extension() == ".ini" && !std::filesystem::is_directory(folder)) {
    const auto experiment =
        svi::parse_config<svi::ExperimentConfig>(read_document(a, world), "experiment");
    folder = std::filesystem::path(experiment.results) / experiment.name;
  }
  if (folder.empty()) {
    svi::raise<svi::ConfigError>(
        "command line: --watch needs an INI file or a result folder, such as results/smoke");
  }
  if (world.rank() != 0) return 0;
  svi::WatchOptions options;
  options.redraw = isatty(STDOUT_FILENO) != 0;
  options.columns = svi::terminal_columns(STDOUT_FILENO);
  const auto end = svi::watch_run(folder, options);
  return end == svi::WatchEnd::complete  ? 0
         : end == svi::WatchEnd::stopped ? svi::kStoppedExitCode
                                         : 1;
}

int run(const Arguments& a, const svi::Communicator& world, char** argv) {
  const bool speaks = world.rank() == 0;
  if (a.help) {
    Arguments unused;
    if (speaks)
      std::cout << options(unused) << "\nDocumentation: docs/running.md, docs/options.md\n";
    return 0;
  }
  if (a.version) {
    if (speaks) std::cout << "svi " << svi::kVersion << "\nABI: " << svi::kAbi << "\n";
    return 0;
  }
  if (a.watch) return watch(a, world);
  svi::Registry registry;
  svi::register_builtins(registry);
  for (const auto& name : a.plugins) svi::load_plugin(svi::find_plugin(name), registry);
  if (a.list || a.described) {
    if (a.file.empty() && a.plugins.empty()) svi::load_installed_plugins(registry);
    if (speaks) {
      std::cout << (a.list ? svi::list_components(registry)
                           : svi::describe(registry, a.describe, a.format == "md"));
    }
    return 0;
  }
  const auto document = read_document(a, world);
  const auto plan = svi::Plan::make(document, registry);
  if (a.validate) {
    if (speaks) svi::check_output_folder(plan.folder());
    const auto sizes = svi::size_names(document);
    if (speaks) {
      std::cout << a.file << ": valid; " << plan.arms.size() << " arms";
      if (!sizes.empty()) std::cout << "; sizes: " << svi::join(sizes);
      std::cout << "\n";
      for (const auto& line : svi::missing_metrics(plan, registry)) {
        std::cout << "gives no number: " << line << "\n";
      }
    }
    return 0;
  }
  auto run_options = a.run;
  run_options.program = argv[0];
  svi::catch_stop_signals();
  const auto end = svi::run_experiment(plan, registry, world, run_options);
  if (end == svi::RunEnd::stopped) return svi::kStoppedExitCode;
  // A signal in the last moment: mpirun, which it may have reached first, ends with a code of its
  // own unless a rank has one.
  const auto late = svi::stop_signal();
  if (late.empty()) return 0;
  std::cerr << svi::cat(plan.folder(), ": complete; ", late, " came when there was no job left\n");
  return svi::kStoppedExitCode;
}

}  // namespace

int main(int argc, char** argv) {
  const auto body = [&](const svi::Communicator& world) {
    const auto arguments = parse(argc, argv);
    svi::start_logging(world.rank(),
                       arguments.verbose ? svi::Severity::debug : svi::Severity::info);
    return run(arguments, world, argv);
  };
  return svi::run_program({"svi-experiment", /*alike=*/true, body}, argc, argv);
}
