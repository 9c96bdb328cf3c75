#include "arguments.hpp"

#include <boost/program_options.hpp>
#include <sstream>

#include "svi/config/command_line.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi::eval {
namespace {

namespace po = boost::program_options;

/// What the parser fills besides Arguments: lists in one word, a name of an enum.
struct RawArguments {
  std::vector<std::string> metrics;
  std::string layout = "svi";
};

po::options_description described(Arguments& a, RawArguments& raw) {
  po::options_description visible(
      "svi-eval PATH... [options]\n"
      "  PATH is a video, a folder of videos, a pattern, a text file with a video per line, or "
      "the\n"
      "  results of a run (its folder or its .h5)");
  auto add = visible.add_options();
  add("metrics", po::value(&raw.metrics)->composing(),
      "metrics or groups, comma separated: names of --list, a plugin such as vbench, free (those "
      "that need no file), all; default: free");
  add("out", po::value(&a.out)->composing(),
      "write the scores: .h5 (as svi-experiment does), .json or .csv; may be repeated");
  add("page", po::value(&a.page), "write a self-contained page of curves and films: .html");
  add("layout", po::value(&raw.layout), "of .json: svi, or vbench, as VBench writes its own");
  add("truth", po::value(&a.truth),
      "videos of what the films should show, by the same names; for psnr, ssim, lpips and others");
  add("against", po::value(&a.against), "real videos, of any names; for fvd");
  add("prompts", po::value(&a.prompts),
      "prompts of the films: a JSON file {film: text}, or 'names': films are called as their "
      "prompts, as VBench has them; default: as the records beside films tell");
  add("weights", po::value(&a.weights)->default_value("data/metrics"),
      "folder of the files that metrics need");
  add("set", po::value(&a.settings)->composing(),
      "an option of a metric: metric.NAME.key=value; may be repeated");
  add("clip-frames", po::value(&a.clip_frames),
      "frames of a clip, where no record beside the film tells");
  add("fps", po::value(&a.fps), "retime films to this many frames per second");
  add("threads", po::value(&a.threads),
      "threads of each rank; mpirun -n N measures N films at a time, threads share one");
  add("colors", po::value(&a.colors),
      "exact: the same frames on every processor; fast: by SIMD code, a few levels off");
  add("matrix", po::value(&a.matrix), "tagged (as the file says), bt601 or bt709");
  add("strict", po::bool_switch(&a.strict),
      "end with exit code 2 at the first film that cannot be read, instead of measuring the "
      "others, "
      "listing it, and ending with 4");
  add("cache", po::value(&a.cache),
      "folder that keeps scores by the content of films and metrics; 'none': keep nothing; "
      "default: ~/.cache/svi/scores");
  add("compare", po::value(&a.compared)->multitoken(),
      "compare two results, .json or .h5, film by film: paired bootstrap, p-values after Holm");
  add("list", po::bool_switch(&a.list), "list the metrics and the files they need");
  add("plugin", po::value(&a.plugins)->composing(), "load this plugin, too, by name or path");
  add("verbose", po::bool_switch(&a.verbose), "show what the runner does");
  add("version", po::bool_switch(&a.version), "print version and ABI");
  add("help", po::bool_switch(&a.help), "print this help");
  return visible;
}

std::vector<std::string> split_list(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const auto& word : words) {
    std::istringstream in(word);
    for (std::string name; std::getline(in, name, ',');) {
      const auto begin = name.find_first_not_of(' '), end = name.find_last_not_of(' ');
      if (begin != std::string::npos) names.push_back(name.substr(begin, end - begin + 1));
    }
  }
  return names;
}

}  // namespace

Arguments parse_arguments(int argc, char** argv) {
  Arguments a;
  RawArguments raw;
  auto visible = described(a, raw);
  po::options_description all;
  all.add(visible).add_options()("path", po::value(&a.paths), "");
  po::positional_options_description positional;
  positional.add("path", -1);
  try {
    po::variables_map values;
    po::store(po::command_line_parser(argc, argv).options(all).positional(positional).run(),
              values);
    po::notify(values);
  } catch (const po::error& error) {
    raise<ConfigError>("command line: ", error.what(), "; see svi-eval --help");
  }
  a.metrics = split_list(raw.metrics);
  if (raw.layout != "svi" && raw.layout != "vbench")
    raise<ConfigError>("command line: --layout ", raw.layout, " is not svi or vbench");
  a.layout = raw.layout == "vbench" ? Layout::vbench : Layout::svi;
  if (!a.compared.empty() && a.compared.size() != 2) {
    raise<ConfigError>("command line: --compare takes two result files, not ", a.compared.size(),
                       "; name PATHs before it");
  }
  return a;
}

std::string usage() {
  Arguments unused;
  RawArguments raw;
  std::ostringstream out;
  out << described(unused, raw)
      << "\nExamples:\n"
         "  svi-eval films/ --metrics vbench --out scores.json --page scores.html\n"
         "  svi-eval films/ --truth real/ --metrics psnr,ssim,lpips --out scores.csv\n"
         "  mpirun -n 4 svi-eval films/ --against real/ --metrics fvd --out scores.h5\n"
         "  svi-eval --compare base.json erft.json\n"
         "\nDocumentation: docs/evaluating.md\n";
  return out.str();
}

}  // namespace svi::eval
