// svi-story: a keyword to a picture and a prompt for each clip, as svi-generate --samples reads
// them.
//
// Sample runs:
//   svi-story --keyword motorcycle --clips 10 --out stories/motorcycle
//   svi-story --keyword cat --model Wan2.1-I2V-14B-480P --teller mllm --out stories/cat

#include <boost/program_options.hpp>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "svi/config/command_line.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/parallel/program.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/story/story.hpp"

namespace {

namespace po = boost::program_options;

struct Arguments {
  std::string keyword, out, image, source, teller, model;
  std::vector<std::string> settings, plugins;
  std::optional<std::int64_t> clips, seed;
  bool list = false, version = false, help = false, verbose = false;
};

template <class T>
po::typed_value<T>* store(std::optional<T>& target) {
  return po::value<T>()->notifier([&target](const T& value) { target = value; });
}

po::options_description options(Arguments& a) {
  po::options_description described("svi-story [options]");
  auto add = described.add_options();
  add("keyword", po::value(&a.keyword), "what the film is about, in quotes where it has spaces");
  add("clips", store(a.clips), "prompts of the story, one for each clip; default: 10");
  add("out", po::value(&a.out), "folder of the sample; default: stories/KEYWORD");
  add("seed", store(a.seed), "another one gives another story");
  add("model", po::value(&a.model),
      "folder of the weights that will make the film; default: those that come with svi");
  add("image", po::value(&a.image), "start from this picture");
  add("source", po::value(&a.source),
      "where the picture comes from: given, folder, openverse, world; default: world for weights "
      "that were trained here, else openverse, which needs the network");
  add("teller", po::value(&a.teller), "who tells the story: grammar (the default) or mllm");
  add("set", po::value(&a.settings)->composing(),
      "any other setting: section.key=value, such as storyteller.url=http://localhost:8000/v1; may "
      "be repeated");
  add("plugin", po::value(&a.plugins)->composing(), "load this plugin first; may be repeated");
  add("list", po::bool_switch(&a.list), "list image sources and storytellers");
  add("verbose", po::bool_switch(&a.verbose), "show debug lines");
  add("version", po::bool_switch(&a.version), "print version and ABI");
  add("help", po::bool_switch(&a.help), "print this help");
  return described;
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  try {
    const auto described = options(a);
    const auto parsed = po::command_line_parser(argc, argv).options(described).run();
    svi::refuse_stray_words("svi-story", svi::command_parts(parsed), {"plugin", "set"});
    po::variables_map values;
    po::store(parsed, values);
    po::notify(values);
  } catch (const po::error& error) {
    svi::raise<svi::ConfigError>("command line: ", error.what(), "; see svi-story --help");
  }
  if (!a.image.empty() && !a.source.empty() && a.source != "given")
    svi::raise<svi::ConfigError>("command line: --image is the picture; leave --source out");
  return a;
}

std::string usage() {
  Arguments unused;
  std::ostringstream out;
  out << options(unused)
      << "\nThe folder holds frame.jpg (or .png), prompt.txt and story.json, which names sources,\n"
         "licence, seed and hashes. svi-generate --samples stories makes a film of each of its\n"
         "folders.\n\n"
         "Exit codes: 0 the story is written; 2 an option, a file or an answer is wrong, and the\n"
         "message says what to do; 1 any other failure\n\n"
         "Documentation: docs/generating.md\n";
  return out.str();
}

svi::Document settings_of(const Arguments& a) {
  svi::Document d;
  const auto set = [&](const char* path, const std::string& value, const char* option) {
    if (!value.empty()) d.set(path, value, option);
  };
  set("story.keyword", a.keyword, "--keyword");
  set("story.model", a.model, "--model");
  if (a.clips) d.set("story.clips", svi::cat(*a.clips), "--clips");
  if (a.seed) d.set("story.seed", svi::cat(*a.seed), "--seed");
  set("image_source.type", a.image.empty() ? a.source : "given", "--source");
  set("image_source.file", a.image, "--image");
  set("storyteller.type", a.teller, "--teller");
  for (const auto& setting : a.settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || !svi::is_story_setting(setting)) {
      svi::raise<svi::ConfigError>("command line: --set ", setting,
                                   " is not section.key=value, with a section of story, "
                                   "image_source, storyteller");
    }
    d.set(setting.substr(0, equals), setting.substr(equals + 1), "--set " + setting);
  }
  return d;
}

void list(const svi::Registry& registry) {
  for (const auto* kind : {"image_source", "storyteller"}) {
    const auto found = registry.kinds().find(kind);
    if (found == registry.kinds().end()) continue;
    for (const auto& [name, registration] : found->second)
      std::cout << kind << "  " << name << "  " << registration.summary << "\n";
  }
}

int run(int argc, char** argv) {
  const auto a = parse(argc, argv);
  svi::start_logging(0, a.verbose ? svi::Severity::debug : svi::Severity::info);
  if (a.help) {
    std::cout << usage();
    return 0;
  }
  if (a.version) {
    std::cout << "ABI: " << svi::kAbi << "\n";
    return 0;
  }
  svi::Registry registry;
  svi::register_builtins(registry);
  for (const auto& name : a.plugins) svi::load_plugin(svi::find_plugin(name), registry);
  if (a.list) {
    svi::load_installed_plugins(registry);
    list(registry);
    return 0;
  }
  const auto settings = settings_of(a);
  if (!a.model.empty()) {
    const auto plugin = svi::folder_config(svi::weights_folder(a.model)).plugin;
    if (!plugin.empty()) svi::load_plugin(svi::find_plugin(plugin), registry);
  }
  const auto story = svi::tell_story(settings, registry);
  const auto out = a.out.empty() ? std::filesystem::path("stories") / svi::story_name(a.keyword)
                                 : std::filesystem::path(a.out);
  svi::write_story(story, out);
  for (const auto& beat : story.beats) std::cout << beat.prompt << "\n";
  if (!story.picture.attribution.empty()) std::cout << story.picture.attribution << "\n";
  std::cout << out.string() << ": " << story.frame_name << ", prompt.txt, story.json" << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "svi-story: " << svi::text_of(error) << std::endl;
    return svi::exit_code_of(error);
  }
}
