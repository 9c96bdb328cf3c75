#include "requests.hpp"

#include <algorithm>
#include <set>

#include "svi/core/check.hpp"
#include "svi/generate/sample_files.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/story/story.hpp"

namespace svi::generate {
namespace {

namespace fs = std::filesystem;

std::vector<Request> sample_requests(const Arguments& a) {
  std::vector<fs::path> folders;
  if (!fs::is_directory(a.samples)) raise<IoError>(a.samples, ": is no folder");
  for (const auto& entry : fs::directory_iterator(a.samples)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  if (folders.empty()) raise<IoError>(a.samples, ": holds no folders of samples");
  std::vector<Request> requests;
  for (const auto& folder : folders) {
    Request request;
    request.name = folder.filename().string();
    const auto files = find_sample(folder);
    request.image = files.image.string();
    if (files.prompts.empty() && a.prompt.empty()) {
      raise<IoError>(folder.string(),
                     ": holds no prompt.txt; write one, or give --prompt for samples without");
    }
    request.segments = files.prompts.empty() ? std::vector<PromptSegment>{{.prompt = a.prompt}}
                                             : read_prompts(files.prompts.string());
    request.pose = files.pose.string();
    request.end = files.end.string();
    request.audio = files.audio.string();
    requests.push_back(std::move(request));
  }
  return requests;
}

/// The film of --keyword: a clip for each prompt of its story; the last one stays.
Request story_request(const Arguments& a) {
  const auto files = find_sample(a.story);
  Request request{.name = story_name(a.keyword), .image = files.image.string()};
  request.segments = read_prompts(files.prompts.string());
  for (auto& segment : request.segments) segment.clips = 1;
  return request;
}

}  // namespace

std::vector<Request> requests_of(const Arguments& a, bool official) {
  std::vector<Request> requests;
  if (!a.samples.empty()) {
    requests = sample_requests(a);
  } else if (!a.keyword.empty()) {
    requests.push_back(story_request(a));
  } else {
    std::vector<PromptSegment> segments;
    if (!a.prompts.empty()) segments = read_prompts(a.prompts);
    if (!a.prompt.empty()) segments = {{.prompt = a.prompt}};
    auto images = a.images;
    if (images.empty()) images.emplace_back(a.continue_video);
    if (images.front().empty() && official)
      raise<ConfigError>("command line: --image is missing: the first frame of the film");
    if (segments.empty() && official)
      raise<ConfigError>("command line: --prompt or --prompts is missing");
    for (const auto& image : images) {
      const auto stem =
          image.empty() ? std::string(kDefaultFolder) : fs::path(image).stem().string();
      requests.push_back({.name = stem, .image = image, .segments = segments});
    }
  }
  for (auto& request : requests) {  // what a sample brings comes first
    if (request.pose.empty()) request.pose = a.pose;
    if (request.end.empty()) request.end = a.end_image;
    if (request.audio.empty()) request.audio = a.audio;
  }
  const bool several = requests.size() > 1;
  std::set<fs::path> outs;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& request = requests[i];
    request.index = static_cast<std::int64_t>(i);
    request.makes_folder = several;
    const auto file = request.name + ".mp4";
    request.out = several ? fs::path(a.out.empty() ? "films" : a.out) / file
                          : fs::path(a.out.empty() ? file : a.out);
    if (!outs.insert(request.out).second)
      raise<ConfigError>("command line: two films would be written to ", request.out.string(),
                         "; give images of different names");
  }
  return requests;
}

std::vector<std::string> inputs_of(const Arguments& a, const Request& request,
                                   const ModelFiles& files) {
  std::vector<std::string> inputs = {request.image, a.continue_video, a.prompts,
                                     request.audio, request.pose,     request.end};
  for (const auto& segment : request.segments) inputs.push_back(segment.image);
  for (const auto& file :
       {files.dit, files.vae, files.text_encoder, files.tokenizer, files.image_encoder}) {
    inputs.push_back(file.string());
  }
  for (const auto& lora : a.loras)
    inputs.push_back(fs::exists(lora) ? lora : lora.substr(0, lora.rfind('=')));
  inputs.insert(inputs.end(), a.plugins.begin(), a.plugins.end());
  std::erase(inputs, "");
  return inputs;
}

}  // namespace svi::generate
