#include "arguments.hpp"

#include <boost/program_options.hpp>
#include <sstream>

#include "svi/config/command_line.hpp"
#include "svi/core/check.hpp"
#include "svi/core/processors.hpp"
#include "svi/io/output_path.hpp"
#include "svi/pretrained/folder_settings.hpp"

namespace svi::generate {
namespace {

namespace po = boost::program_options;

// What the Wan 2.1 model card recommends as the negative prompt: overexposed, static, blurred,
// subtitles, paintings, JPEG artefacts, deformed hands and faces, walking backwards, ...
constexpr const char* kWanNegativePrompt =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低"
    "质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态"
    "畸形的肢体，"
    "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走";

template <class T>
po::typed_value<T>* store(std::optional<T>& target) {
  return po::value<T>()->notifier([&target](const T& value) { target = value; });
}

po::options_description options(Arguments& a) {
  po::options_description what("Image and prompt");
  auto add = what.add_options();
  add("image", po::value(&a.images)->composing(),
      "first image of the film; several images make several films");
  add("prompt", po::value(&a.prompt), "what the film shows, in quotes");
  add("prompts", po::value(&a.prompts),
      "file of prompts: one per line, or JSON or YAML with durations, seeds and transitions");
  add("samples", po::value(&a.samples),
      "folder with one sub-folder per film, each with an image and prompt.txt, and if need be "
      "pose.mp4, end.png and a sound; --prompt serves those without prompt.txt");
  add("keyword", po::value(&a.keyword),
      "what the film is about: svi finds a picture and tells a prompt for each clip, into "
      "OUT.story, "
      "as svi-story does; --image gives the picture");
  add("audio", po::value(&a.audios)->composing(),
      "sound of the film, from an audio or video file; without --clips the film lasts as long. "
      "An extension that reads the track audio hears it");
  add("pose", po::value(&a.pose),
      "video of poses, for an extension that reads `pose`; without --clips the film lasts as long");
  add("end-image", po::value(&a.end_image),
      "image that the film ends with, for an extension that reads `end`");
  add("track", po::value(&a.tracks)->composing(),
      "NAME=FILE: what an extension reads along the film, a safetensors file with one tensor "
      "[frames, ...], or what the extension itself can read; may be repeated");
  add("continue-video", po::value(&a.continue_video), "continue this video from its last frames");

  po::options_description model("Model");
  add = model.add_options();
  add("model", po::value(&a.model),
      "folder of the weights, official or diffusers layout; default: one that comes with svi");
  add("variant", po::value(&a.variant),
      "how the film is made: shot, film, tom, talk, dance, naive, or the name of another method");
  add("lora", po::value(&a.loras)->composing(),
      "adapter to merge: FILE or FILE=STRENGTH; may be repeated");
  add("no-lora", po::bool_switch(&a.no_lora),
      "use the default base without its adapter: the film drifts");
  add("dtype", store(a.dtype), "precision: auto, fp32 or bf16");
  add("device", po::value(&a.device), "auto, cpu or cuda");
  add("threads", store(a.threads), "CPU threads, at most one per processor; default: all");
  add("plugin", po::value(&a.plugins)->composing(),
      "load this plugin first, by name or path; may be repeated");

  po::options_description film("Length, size and quality");
  add = film.add_options();
  add("clips", store(a.clips), "clips of the film; default: what the prompt file says, or 10");
  add("frames", store(a.frames), "frames per clip");
  add("size", store(a.size), "WIDTHxHEIGHT; default: size of the image, at most 832 wide");
  add("fps", store(a.fps), "frames per second");
  add("seed", store(a.seed), "seed of the noise");
  add("steps", store(a.steps), "sampling steps per clip");
  add("cfg", store(a.cfg), "scale of classifier-free guidance; 1: off");
  add("sampler", store(a.sampler), "name of the sampler; --list-variants lists them");
  add("crf", store(a.crf),
      "compression of the file: 1 (best) to 51 (worst); 0: lossless, which browsers cannot play");
  add("set", po::value(&a.settings)->composing(),
      "any other setting: section.key=value, such as method.motion_frames=5; may be repeated");

  po::options_description fit("Large models");
  add = fit.add_options();
  add("resident-blocks", store(a.resident_blocks),
      "blocks of the transformer that stay on the device; the others come from their file");
  add("int8", po::bool_switch(&a.int8),
      "keep block weights in 8 bits, after a comparison with the full weights");
  add("tile", po::bool_switch(&a.tile), "decode in overlapping tiles: less memory");
  add("ignore-memory", po::bool_switch(&a.force),
      "start even if the memory plan says that the film cannot fit");
  add("split", po::bool_switch(&a.split),
      "let all ranks share each film; default: each rank makes its own films");
  add("split-batch", po::bool_switch(&a.split_batch),
      "let all ranks share each film by the samples of a pass: the windows of noise_rolling with "
      "method.partitions=together, or batched guidance");

  po::options_description run("Run");
  add = run.add_options();
  add("out", po::value(&a.out),
      "file of the video (.mp4, .m4v, .mov or .mkv), or folder for several films");
  add("resume", po::bool_switch(&a.resume),
      "continue a stopped film, or make a finished film longer (--clips)");
  add("overwrite", po::bool_switch(&a.overwrite),
      "make the film anew; it replaces an earlier one of the same name when it is complete");
  add("redecode", po::bool_switch(&a.redecode),
      "decode and encode the stored latents again, for example with another --crf");
  add("validate", po::bool_switch(&a.validate),
      "check everything, show what the film shows when, make nothing");
  add("sheet", po::value(&a.sheet),
      "write what the film shows when as a picture, an .svg file; with --validate, or beside the "
      "film");
  add("list-variants", po::bool_switch(&a.list_variants), "list methods, samplers and guidances");
  add("verbose", po::bool_switch(&a.verbose), "show debug lines");
  add("version", po::bool_switch(&a.version), "print version and ABI");
  add("help", po::bool_switch(&a.help), "print this help");

  po::options_description all("svi-generate [options]");
  all.add(what).add(model).add(film).add(fit).add(run);
  return all;
}

/// Sets one value of the settings, naming the option it comes from.
template <class T>
void put(Document& document, const char* path, const std::optional<T>& value, const char* option) {
  if (value) document.set(path, cat(*value), option);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

void set_defaults(Document& d, const Arguments& a, bool official) {
  const auto set = [&](const char* path, const std::string& value) {
    d.set(path, value, "default");
  };
  set("method.type", variant_name(a, official));
  set("sampler.type", "euler");
  set("collective.type", "mpi");
  if (official) {
    set("guidance.type", "cfg");
    set("rollout.negative_prompt", kWanNegativePrompt);
    return;
  }
  const auto usual = folder_settings(weights_folder(a.model));
  for (const auto& section : usual.sections()) {
    if (section.name == "folder") continue;
    for (const auto& entry : section.entries)
      d.set(section.name, entry.key, entry.value, entry.origin);
  }
}

}  // namespace

Arguments parse_arguments(int argc, char** argv) {
  Arguments a;
  try {
    const auto described = options(a);  // what is parsed refers to it
    const auto parsed = po::command_line_parser(argc, argv).options(described).run();
    refuse_stray_words("svi-generate", command_parts(parsed), {"image", "lora", "plugin", "set"});
    po::variables_map values;
    po::store(parsed, values);
    po::notify(values);
  } catch (const po::error& error) {
    raise<ConfigError>("command line: ", error.what(), "; see svi-generate --help");
  }
  if (!a.prompt.empty() && !a.prompts.empty())
    raise<ConfigError>("command line: --prompt and --prompts exclude each other");
  if (!a.samples.empty() && (!a.images.empty() || !a.prompts.empty()))
    raise<ConfigError>("command line: --samples brings its own images and prompts");
  if (!a.keyword.empty() &&
      (!a.samples.empty() || !a.prompts.empty() || !a.prompt.empty() || a.images.size() > 1))
    raise<ConfigError>("command line: --keyword brings its own prompts, and one picture");
  if (a.split && a.split_batch) {
    raise<ConfigError>(
        "command line: --split and --split-batch both say how ranks share a film; leave one out");
  }
  if (!a.sheet.empty()) {
    if (!a.sheet.ends_with(".svg"))
      raise<ConfigError>("command line: --sheet ", a.sheet, ": must end with .svg");
    check_output_file(a.sheet);
  }
  if (a.overwrite && (a.resume || a.redecode))
    raise<ConfigError>("command line: --overwrite excludes --resume and --redecode");
  const auto problem = threads_problem(a.threads.value_or(1));
  if (!problem.empty()) raise<ConfigError>("command line: --threads ", *a.threads, ": ", problem);
  if (a.audios.size() > 1) {
    raise<ConfigError>("command line: --audio is given ", a.audios.size(),
                       " times: a film has one sound, and one speaker is animated; mix the voices "
                       "into one file, or make a film of each");
  }
  if (!a.audios.empty()) a.audio = a.audios.front();
  if (!a.continue_video.empty() && a.images.size() > 1)
    raise<ConfigError>("command line: --continue-video makes one film; give one --image at most");
  return a;
}

std::string usage() {
  Arguments unused;
  std::ostringstream out;
  out << options(unused)
      << "\nExamples:\n"
         "  svi-generate                                         a film of the small world\n"
         "  svi-generate --model Wan2.1-I2V-14B-480P --lora svi-shot.safetensors --image cat.png "
         "\\\n"
         "    --prompt \"a cat walks\" --clips 20 --out cat.mp4\n"
         "  svi-generate ... --out cat.mp4 --resume --clips 40   the same film, twice as long\n\n"
         "Exit codes:\n"
         "  0  the films are complete\n"
         "  2  an option, a file or a plugin is wrong; the message says what to do\n"
         "  3  stopped by Ctrl-C or SIGTERM after the last whole clip; --resume continues\n"
         "  1  any other failure\n\n"
         "Documentation: docs/generating.md\n";
  return out.str();
}

std::string variant_name(const Arguments& a, bool official) {
  if (a.variant.empty()) return official ? "svi_shot" : "naive_chain";
  for (const auto* svi : {"shot", "film", "tom", "talk", "dance"})
    if (a.variant == svi) return "svi_" + a.variant;
  return a.variant == "naive" ? "naive_chain" : a.variant;
}

DeviceChoice device_choice(const Arguments& a) {
  const auto names = enum_names(DeviceChoice{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == a.device) return static_cast<DeviceChoice>(i);
  }
  raise<ConfigError>("command line: --device ", a.device, " is not one of ", joined(names));
}

Document settings_of(const Arguments& a, bool official) {
  Document d;
  set_defaults(d, a, official);
  for (const auto& [path, value] : a.method_settings) d.set(path, value, "default of the method");
  d.set("model.folder", a.model, "--model");
  if (!a.loras.empty()) d.set("model.lora", joined(a.loras), "--lora");
  if (a.model == kDefaultFolder && a.loras.empty() && !a.no_lora)
    d.set("model.lora", "erft.safetensors", "default");
  put(d, "model.dtype", a.dtype, "--dtype");
  put(d, "model.resident_blocks", a.resident_blocks, "--resident-blocks");
  if (a.int8) d.set("model.int8", "on", "--int8");
  if (a.tile) d.set("film.tile", "on", "--tile");
  put(d, "film.frames", a.frames, "--frames");
  put(d, "film.fps", a.fps, "--fps");
  put(d, "film.seed", a.seed, "--seed");
  put(d, "film.crf", a.crf, "--crf");
  put(d, "sampler.type", a.sampler, "--sampler");
  put(d, "sampler.steps", a.steps, "--steps");
  if (a.cfg) d.set("guidance.type", "cfg", "--cfg");
  put(d, "guidance.scale", a.cfg, "--cfg");
  for (const auto& setting : a.settings) {
    const auto equals = setting.find('=');
    const auto path = setting.substr(0, equals);
    if (equals == std::string::npos || path.find('.') == std::string::npos)
      raise<ConfigError>("command line: --set ", setting, " is not section.key=value");
    d.set(path, setting.substr(equals + 1), "--set " + setting);
  }
  return d;
}

}  // namespace svi::generate
