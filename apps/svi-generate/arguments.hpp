#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/pretrained/device.hpp"

namespace svi::generate {

/// The command line.
struct Arguments {
  std::string model = kDefaultFolder, variant, prompt, prompts, samples, out, continue_video, audio,
              keyword, story, sheet, pose, end_image, device = "auto";
  std::vector<std::string> images, loras, plugins, settings, tracks, audios;
  std::optional<std::string> size, sampler, dtype;
  std::optional<std::int64_t> clips, seed, steps, frames, crf, resident_blocks, threads;
  std::optional<double> cfg, fps;
  /// What the method wants where the command line says nothing: Method::film_settings.
  std::vector<std::pair<std::string, std::string>> method_settings;
  bool resume = false, overwrite = false, redecode = false, no_lora = false, int8 = false,
       tile = false, force = false, split = false, split_batch = false, validate = false;
  bool help = false, version = false, verbose = false, list_variants = false;
};

/// Throws ConfigError.
Arguments parse_arguments(int argc, char** argv);
std::string usage();

/// The settings of a film as an INI document: the defaults of the model and the variant, then what
/// the command line says. `official`: of a model of official size.
Document settings_of(const Arguments& arguments, bool official);

/// shot, film, talk and naive are short for svi_shot, svi_film, svi_talk and naive_chain.
std::string variant_name(const Arguments& arguments, bool official);
DeviceChoice device_choice(const Arguments& arguments);

}  // namespace svi::generate
