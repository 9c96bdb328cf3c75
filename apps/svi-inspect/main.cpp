#include <c10/util/Exception.h>

#include <boost/program_options.hpp>
#include <iostream>

#include "inspect.hpp"
#include "svi/config/command_line.hpp"
#include "svi/core/check.hpp"
#include "svi/io/output_path.hpp"

namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "svi-inspect FILE [--brief] [--weights TRANSFORMER] [--copy NAME]\n"
    "    lists a checkpoint: kind, names, shapes, dtypes, totals, and what each name maps to. FILE "
    "is a\n"
    "    .safetensors or .pth file, one of several shards, their index, or a folder that holds one "
    "of these.\n"
    "    --weights compares an adapter with a transformer; --copy NAME reads one of several "
    "copies,\n"
    "    such as generator_ema (also below)\n"
    "svi-inspect convert FILE --out OUT.safetensors [--to official|diffusers|comfyui] [--dtype "
    "fp32|bf16|fp16]\n"
    "            [--lora FILE[=STRENGTH] ...] [--shard-gib N] [--heads N] [--copy NAME]\n"
    "    writes a transformer, codec or encoder with other names, precision or shards, and merges "
    "adapters;\n"
    "    never replaces a file\n"
    "svi-inspect run dit|vae-encode|vae-decode --weights W --inputs I --out O [--heads N] "
    "[--device cpu|cuda] [--copy NAME]\n"
    "    computes one forward pass in fp32: reads the named tensors of I, writes those of O\n"
    "      dit         x [B, C, F, h, w], timestep [B] on 0..1000, context [B, L, D], optional y "
    "[B, C, F, h, w]\n"
    "                  and clip_fea [B, tokens, D]  ->  v [B, C, F, h, w]\n"
    "      vae-encode  video [B, 3, T, H, W] in [-1, 1]  ->  latent [B, z, F, h, w], normalised\n"
    "      vae-decode  latent  ->  video, not clamped\n";

/// One line for the terminal, whatever the library put into the text.
std::string one_line(std::string text) {
  const auto last = text.find_last_not_of(" \n");
  text.erase(last == std::string::npos ? 0 : last + 1);
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string("; ") : std::string(1, c);
  return line;
}

int inspect(int argc, char** argv) {
  svi::inspect::RunOptions options;
  svi::inspect::ConvertOptions conversion;
  std::vector<std::string> words;
  po::options_description described;
  described.add_options()("help,h", "")("brief", "")("words", po::value(&words))(
      "weights", po::value(&options.weights))("inputs", po::value(&options.inputs))(
      "out", po::value(&options.out))("heads", po::value(&options.heads))(
      "device", po::value(&options.device))("to", po::value(&conversion.to))(
      "dtype", po::value(&conversion.dtype))("lora", po::value(&conversion.loras)->composing())(
      "shard-gib", po::value(&conversion.shard_gib))("copy", po::value(&options.copy));
  po::positional_options_description positional;
  positional.add("words", -1);
  const auto parsed =
      po::command_line_parser(argc, argv).options(described).positional(positional).run();
  po::variables_map values;
  po::store(parsed, values);
  po::notify(values);
  if (values.count("help") != 0) {
    std::cout << kUsage;
    return 0;
  }
  const bool runs = !words.empty() && words[0] == "run";
  const bool converts = words.size() > 1 && words[0] == "convert";
  const auto expected = runs || converts ? 2u : 1u;
  if (words.size() > expected) {
    auto parts = svi::command_parts(parsed);
    std::size_t taken = 0;
    for (auto& part : parts) part.stray = part.stray && ++taken > expected;
    svi::refuse_stray_words("svi-inspect", parts, {"lora"});
  }
  if (words.size() != expected) {
    svi::raise<svi::ConfigError>("expected FILE, convert FILE, or run and a model; see ",
                                 "svi-inspect --help");
  }
  if (options.heads < 0)
    svi::raise<svi::ConfigError>("--heads ", options.heads, ": must be above 0");
  if (!options.out.empty()) svi::check_new_file(options.out);
  if (converts) {
    if (options.out.empty()) svi::raise<svi::ConfigError>("convert: --out is missing");
    conversion.input = words[1];
    conversion.out = options.out;
    conversion.heads = options.heads;
    conversion.copy = options.copy;
    svi::inspect::convert(conversion, std::cout);
    return 0;
  }
  if (!runs) {
    svi::inspect::list({words[0], values.count("brief") == 0, options.copy, options.weights},
                       std::cout);
    return 0;
  }
  for (const auto* key : {"weights", "inputs", "out"}) {
    if (values.count(key) == 0)
      svi::raise<svi::ConfigError>("run ", words[1], ": --", key, " is missing");
  }
  options.model = words[1];
  svi::inspect::run(options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string problem;
  try {
    return inspect(argc, argv);
  } catch (const c10::Error& error) {
    problem = error.what_without_backtrace();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  std::cerr << "svi-inspect: " << one_line(problem) << '\n';
  return 2;
}
