#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "svi/generate/prompt_file.hpp"
#include "svi/pretrained/model_folder.hpp"

namespace svi::generate {

/// One film that is asked for.
struct Request {
  std::string name = {};
  std::string image = {};  // empty: one of the world that the weights have learnt
  std::vector<PromptSegment> segments = {};
  std::string pose = {}, end = {}, audio = {};  // files; empty where there is none
  std::filesystem::path out = {};
  bool makes_folder = false;  // that of `out`, if it is missing
  std::int64_t index = 0;
};

/// All films that are asked for. Throws ConfigError, IoError.
std::vector<Request> requests_of(const Arguments& arguments, bool official);

/// Every file that the film reads.
std::vector<std::string> inputs_of(const Arguments& arguments, const Request& request,
                                   const ModelFiles& files);

}  // namespace svi::generate
