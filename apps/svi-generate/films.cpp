#include "films.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <set>
#include <thread>

#include "progress.hpp"
#include "split.hpp"
#include "svi/config/describe.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/data/pocket_world.hpp"
#include "svi/generate/film_maker.hpp"
#include "svi/generate/frame_size.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/pretrained/pretrained.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi::generate {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDefaultClips = 10, kMaxWidth = 832;
constexpr int kStopped = 3;  // exit code

std::atomic<bool> stop_requested{false};

/// One film that is asked for.
struct Request {
  std::string name = {};
  std::string image = {};  // empty: the pocket world's own
  std::vector<PromptSegment> segments = {};
  fs::path out = {};
  std::int64_t index = 0;
};

/// frame.jpg, frame.png, then the first picture by name.
fs::path sample_image(const fs::path& folder) {
  for (const auto* name : {"frame.jpg", "frame.png"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  std::vector<fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension == ".jpg" || extension == ".jpeg" || extension == ".png")
      pictures.push_back(entry.path());
  }
  if (pictures.empty()) raise<IoError>(folder.string(), ": holds no .jpg or .png");
  return *std::min_element(pictures.begin(), pictures.end());
}

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
    request.image = sample_image(folder).string();
    request.segments = read_prompts((folder / "prompt.txt").string());
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<Request> requests_of(const Arguments& a, bool pocket) {
  std::vector<Request> requests;
  if (!a.samples.empty()) {
    requests = sample_requests(a);
  } else {
    std::vector<PromptSegment> segments;
    if (!a.prompts.empty()) segments = read_prompts(a.prompts);
    if (!a.prompt.empty()) segments = {{.prompt = a.prompt}};
    auto images = a.images;
    if (images.empty()) images.emplace_back(a.continue_video);
    if (images.front().empty() && !pocket)
      raise<ConfigError>("command line: --image is missing: the first frame of the film");
    if (segments.empty() && !pocket)
      raise<ConfigError>("command line: --prompt or --prompts is missing");
    for (const auto& image : images) {
      const auto stem = image.empty() ? std::string("pocket") : fs::path(image).stem().string();
      requests.push_back({.name = stem, .image = image, .segments = segments});
    }
  }
  const bool several = requests.size() > 1;
  std::set<fs::path> outs;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto& request = requests[i];
    request.index = static_cast<std::int64_t>(i);
    const auto file = request.name + ".mp4";
    request.out = several ? fs::path(a.out.empty() ? "films" : a.out) / file
                          : fs::path(a.out.empty() ? file : a.out);
    if (!outs.insert(request.out).second)
      raise<ConfigError>("command line: two films would be written to ", request.out.string(),
                         "; give images of different names");
  }
  return requests;
}

/// A rollout's part of the settings that films use.
struct FilmRollout {
  FrameRounding rounding = FrameRounding::none;
  std::string negative_prompt;
  PassMode passes = PassMode::separate;

  void describe(OptionVisitor& visit) {
    visit(rounding,
          {.key = "rounding",
           .help = "rounding of decoded frames to 8 bits before they condition the next clip"});
    visit(negative_prompt, {.key = "negative_prompt", .help = "prompt of the unguided pass"});
    visit(passes, {.key = "passes",
                   .help = "separate: the guidance's passes run one by one; batched: as one pass "
                           "over a larger batch"});
  }
};

template <class Config>
Config resolved_section(const Document& document, const char* name, Document& resolved) {
  auto config = parse_config<Config>(document, name);
  resolve_into(resolved, name, [&](OptionVisitor& visit) { config.describe(visit); });
  return config;
}

void check_sections(const Document& document) {
  static const std::vector<std::string> kKnown = {"film",     "model",   "variant",   "sampler",
                                                  "guidance", "rollout", "collective"};
  for (const auto& section : document.sections()) {
    if (std::find(kKnown.begin(), kKnown.end(), section.name) == kKnown.end())
      raise<ConfigError>("command line: there is no section [", section.name, "]; sections are ",
                         join(kKnown));
  }
}

std::string bytes_hash(const at::Tensor& tensor) {
  const auto data = tensor.contiguous();
  return sha256_hex({static_cast<const char*>(data.const_data_ptr()), data.nbytes()}).substr(0, 16);
}

/// Everything needed to make one film of the request.
class Film {
 public:
  Film(const Arguments& a, const Registry& registry, Pretrained& model, Request request)
      : a_(a), model_(model), request_(std::move(request)), folder_(request_.out) {
    const bool pocket = model.files().layout == ModelLayout::pocket;
    auto document = settings_of(a, !pocket);
    check_sections(document);
    set_size(document, pocket);
    config_ = resolved_section<FilmConfig>(document, "film", settings_);
    const auto rollout = resolved_section<FilmRollout>(document, "rollout", settings_);
    rollout_.rounding = rollout.rounding;
    rollout_.negative_prompt = rollout.negative_prompt;
    rollout_.passes = rollout.passes;
    variant_ = registry.make<Variant>(document, "", &settings_);
    sampler_ = registry.make<Sampler>(document, "", &settings_);
    guidance_ = registry.make<Guidance>(document, "", &settings_);
    load_start(pocket);
    const auto plan = variant_->plan(0, 1);
    storyboard_.emplace(request_.segments, *variant_,
                        static_cast<double>(config_.frames - plan.motion_frames) / config_.fps);
    clips_ = a.clips.value_or(storyboard_->clips().value_or(kDefaultClips));
    if (clips_ < 1) raise<ConfigError>("command line: --clips ", clips_, " must be at least 1");
    settings_.set("start.weights", model.identity(), "");
    settings_.set("start.dtype", c10::toString(model.dtype()), "");
    if (a.int8) settings_.set("start.int8", "on", "");
    settings_.set("start.image", bytes_hash(start_.image), "");
    if (start_.before.defined()) settings_.set("start.video", bytes_hash(start_.before), "");
  }

  void prepare_folder() const {
    if (a_.overwrite) folder_.remove();
    if (!folder_.exists()) {
      if (a_.redecode)
        raise<ConfigError>(request_.out.string(), ": there are no latents to decode again");
      if (fs::exists(request_.out) && !a_.overwrite)
        raise<ConfigError>(request_.out.string(), ": is there already; name another --out, or ",
                           "--overwrite");
      folder_.create(settings_);
      return;
    }
    if (!a_.resume && !a_.redecode)
      raise<ConfigError>(request_.out.string(), ": a film was begun there; --resume goes on with ",
                         "it, --overwrite begins anew");
    if (!a_.redecode) return folder_.check(settings_);
    folder_.check(settings_, {"film.crf", "film.fps", "film.upscale", "film.tile"});
    folder_.remove_frames();
    folder_.create(settings_);
  }

  std::vector<std::string> prompts() const {
    auto prompts = storyboard_->prompts();
    if (!rollout_.negative_prompt.empty()) prompts.push_back(rollout_.negative_prompt);
    return prompts;
  }

  std::string summary() const {
    return cat(request_.out.string(), ": ", clips_, " clips of ", config_.frames, " frames, ",
               config_.width, "x", config_.height, ", ",
               static_cast<double>(clips_ * (config_.frames - 1) + 1) / config_.fps, " s");
  }

  /// What the film takes, before anything is loaded.
  MemoryPlan memory_plan() const {
    auto request = model_.memory_request();
    request.frames = config_.frames;
    request.height = config_.height;
    request.width = config_.width;
    request.prompts = static_cast<std::int64_t>(prompts().size());
    request.texts_cached = !model_.prompts().needs_network(prompts());
    request.batched_guidance = rollout_.passes == PassMode::batched;
    if (config_.tile) request.tile.emplace();
    return plan_memory(request, model_.memory_budget());
  }

  /// Returns whether it is complete.
  bool make(const VelocityModel& dit) const {
    const auto encode_text = [this](const std::vector<std::string>& prompts) {
      return model_.prompts().encode(prompts);
    };
    EncodeImage encode_image;
    if (model_.needs_image())
      encode_image = [this](const at::Tensor& frames) { return model_.image(frames); };
    const Rollout rollout(Studio{dit, model_.vae(), encode_text, *variant_, *sampler_, *guidance_,
                                 rollout_, config_, encode_image});
    const FrameSize size{config_.width, config_.height};
    const auto device = model_.device();
    const auto decode =
        config_.tile ? tiled_decoder(model_.vae()) : streaming_decoder(model_.vae());
    const FilmMaker maker(
        {rollout, *variant_, model_.vae(), decode,
         [size, device](const std::string& path) { return load_image(path, size).to(device); }},
        config_, *storyboard_, folder_);
    FilmStart start{start_.image.to(device), start_.before};
    std::int64_t made = 0;
    {
      ProgressLine line(request_.out.filename().string(), isatty(STDERR_FILENO) != 0);
      made = maker.run(
          start, clips_, [&](const FilmProgress& progress) { line.show(progress); },
          [] { return stop_requested.load(); });
    }
    if (made == clips_) {
      std::cout << request_.out.string() << "  (" << clips_ << " clips, "
                << maker.frames(clips_) + before_frames() << " frames)\n";
      return true;
    }
    std::cout << request_.out.string() << ": stopped; the same command with --resume goes on"
              << (made > 0 ? cat(" (the video shows the first ", made, " clips)") : "") << "\n";
    return false;
  }

 private:
  std::int64_t before_frames() const {
    if (!start_.before.defined()) return 0;
    const auto plan = variant_->plan(0, 1);
    return start_.before.size(0) - (plan.stitch == Stitch::drop_tail ? plan.motion_frames : 0);
  }

  void set_size(Document& document, bool pocket) const {
    const auto unit = model_.vae_config().spatial_stride() * model_.dit_config().patch[1];
    if (a_.size) {
      const auto size = parse_size(*a_.size);
      if (size.width % unit != 0 || size.height % unit != 0) {
        raise<ConfigError>("command line: --size ", *a_.size, ": both must be multiples of ", unit,
                           "; the nearest is ",
                           std::max<std::int64_t>(1, (size.width + unit / 2) / unit) * unit, "x",
                           std::max<std::int64_t>(1, (size.height + unit / 2) / unit) * unit);
      }
      document.set("film.width", cat(size.width), "--size");
      document.set("film.height", cat(size.height), "--size");
    } else if (!pocket) {
      const auto image = read_image(request_.image);
      const auto size = film_size({image.size(2), image.size(1)}, kMaxWidth, unit);
      if (!document.get("film", "width")) document.set("film.width", cat(size.width), "the image");
      if (!document.get("film", "height"))
        document.set("film.height", cat(size.height), "the image");
    }
  }

  void load_start(bool pocket) {
    const FrameSize size{config_.width, config_.height};
    const auto stride = model_.vae_config().temporal_stride();
    if ((config_.frames - 1) % stride != 0) {
      raise<ConfigError>("[film] frames = ", config_.frames, ": this codec takes ", stride,
                         " k + 1 frames; the nearest is ",
                         (config_.frames - 1 + stride / 2) / stride * stride + 1);
    }
    if (!a_.continue_video.empty()) {
      start_.before = resize_frames(read_video(a_.continue_video), size);
      if (request_.image.empty()) request_.image = a_.continue_video;
    }
    if (!request_.image.empty()) start_.image = load_image(request_.image, size);
    if (!pocket || (!request_.image.empty() && !request_.segments.empty())) return;
    const auto scene = PocketWorld(PocketWorld::Config{}).scene(request_.index, config_);
    if (request_.image.empty()) start_.image = scene.image;
    if (request_.segments.empty()) request_.segments = {{.prompt = scene.prompts.front()}};
  }

  const Arguments& a_;
  Pretrained& model_;
  Request request_;
  FilmFolder folder_;
  Document settings_;
  FilmConfig config_;
  RolloutConfig rollout_;
  std::unique_ptr<Variant> variant_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Guidance> guidance_;
  std::optional<Storyboard> storyboard_;
  FilmStart start_;
  std::int64_t clips_ = 0;
};

/// Prints the plan of the largest film and refuses what cannot fit.
void check_memory(const Arguments& a, const std::vector<Film>& films) {
  std::optional<MemoryPlan> largest;
  for (const auto& film : films) {
    auto plan = film.memory_plan();
    const auto peak = [](const MemoryPlan& of) { return of.host_peak() + of.gpu_peak(); };
    if (!largest || peak(plan) > peak(*largest)) largest.emplace(std::move(plan));
  }
  std::cout << largest->table() << largest->advice() << std::endl;
  if (largest->verdict == MemoryVerdict::too_large && !a.force)
    raise<ConfigError>("not enough memory; see above, or --ignore-memory");
}

/// Joins the ranks' transformers for --split.
void share(const Arguments& a, const Registry& registry, WanDit& dit, bool official,
           const Communicator& world) {
  dit.split_over(world, registry.make<Collective>(settings_of(a, official), "mpi"));
}

PretrainedConfig model_config(const Arguments& a) {
  // Whether a model is of official size is known once it is found; its own section does not depend
  // on that.
  return parse_config<PretrainedConfig>(settings_of(a, false), "model");
}

}  // namespace

void request_stop() { stop_requested = true; }

int make_films(const Arguments& a, Registry& registry, const Communicator& world) {
  if (a.threads > 0) {
    at::set_num_threads(static_cast<int>(a.threads));
  } else if (world.size() == 1) {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
  }
  Pretrained model(model_config(a), choose_device(device_choice(a)));
  const bool pocket = model.files().layout == ModelLayout::pocket;
  load_plugin(find_plugin(variant_name(a, !pocket)), registry);
  const bool together = a.split && world.size() > 1;
  if (together && world.rank() != 0) {
    if (a.validate) return 0;
    share(a, registry, model.dit(), !pocket, world);
    compute_along(model.dit(), world);
    return 0;
  }
  std::vector<Film> films;
  std::vector<std::string> prompts;
  auto requests = requests_of(a, pocket);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto owner = together ? 0 : static_cast<int>(i % static_cast<std::size_t>(world.size()));
    if (owner != world.rank()) continue;
    films.emplace_back(a, registry, model, std::move(requests[i]));
    for (auto& prompt : films.back().prompts()) prompts.push_back(std::move(prompt));
  }
  for (const auto& film : films) std::cout << film.summary() << std::endl;
  if (!films.empty()) check_memory(a, films);
  if (a.validate) return 0;
  for (const auto& film : films) film.prepare_folder();
  // Texts first: the text encoder is closed before the transformer is opened.
  if (!prompts.empty()) model.prompts().encode(prompts);
  model.prompts().release();
  if (films.empty()) return 0;
  if (together) share(a, registry, model.dit(), !pocket, world);
  const SplitModel shared(model.dit(), world);
  const VelocityModel& dit = together ? static_cast<const VelocityModel&>(shared) : model.dit();
  bool complete = true;
  for (const auto& film : films) complete = complete && !stop_requested.load() && film.make(dit);
  if (together) shared.finish();
  return complete ? 0 : kStopped;
}

}  // namespace svi::generate
