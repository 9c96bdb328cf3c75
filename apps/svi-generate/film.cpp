#include "film.hpp"

#include <ATen/ATen.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <set>

#include "progress.hpp"
#include "svi/config/describe.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/generate/frame_size.hpp"
#include "svi/generate/prompt_blend.hpp"
#include "svi/generate/time_line.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/method/chain.hpp"
#include "svi/model/extension.hpp"
#include "svi/parallel/environment.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi::generate {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostClips = 1'000'000, kMaxWidth = 832;

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
  static const std::vector<std::string> kKnown = {"film",     "model",   "method",    "sampler",
                                                  "guidance", "rollout", "collective"};
  for (const auto& section : document.sections()) {
    if (section.name.starts_with(kExtensionPrefix)) continue;
    if (std::find(kKnown.begin(), kKnown.end(), section.name) == kKnown.end())
      raise<ConfigError>("command line: there is no section [", section.name, "]; sections are ",
                         join(kKnown), ", extension.NAME");
  }
}

FilmMode mode_of(const Arguments& a) {
  if (a.redecode) return FilmMode::redecode;
  if (a.resume) return FilmMode::resume;
  return a.overwrite ? FilmMode::overwrite : FilmMode::fresh;
}

/// "1 clip", "2 clips".
std::string counted(std::int64_t count, const char* what) {
  return cat(count, " ", what, count == 1 ? "" : "s");
}

RunLock lock_of(const fs::path& video) {
  RunLockOptions how;
  how.remedy = "name another --out";
  how.lost = [](const std::string& text) {
    std::cerr << "svi-generate: " << text << ": this film ends" << std::endl;
    Environment::abort(2);
  };
  auto folder = video;  // films that differ in their ending alone share one
  folder.replace_extension(".film");
  return RunLock(lock_file_of(folder), video.string(), "svi-generate", std::move(how));
}

/// Removes what a film began that failed before anything was sampled.
class Attempt {
 public:
  explicit Attempt(const FilmOutput& output) : output_(output) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { output_.abandon(); }

 private:
  const FilmOutput& output_;
};

}  // namespace

std::string bytes_hash(const at::Tensor& tensor) {
  const auto data = tensor.contiguous();
  return sha256_hex({static_cast<const char*>(data.const_data_ptr()), data.nbytes()}).substr(0, 16);
}

FilmJob::FilmJob(const Arguments& a, const Registry& registry, Pretrained& model, Request request,
                 const LabelledExtensions& extensions, std::vector<std::string> reads)
    : a_(a),
      model_(model),
      request_(std::move(request)),
      output_(request_.out, mode_of(a)),
      reads_(std::move(reads)) {
  output_.check_place(inputs_of(a, request_, model.files()), request_.makes_folder);
  const bool official = model.files().layout != ModelLayout::trained;
  auto document = settings_of(a, official);
  check_sections(document);
  set_size(document, official);
  config_ = resolved_section<FilmConfig>(document, "film", settings_);
  const auto rollout = resolved_section<FilmRollout>(document, "rollout", settings_);
  rollout_.rounding = rollout.rounding;
  rollout_.negative_prompt = rollout.negative_prompt;
  rollout_.passes = rollout.passes;
  method_ = registry.make<Method>(document, "", &settings_);
  sampler_ = registry.make<Sampler>(document, "", &settings_);
  guidance_ = registry.make<Guidance>(document, "", &settings_);
  for (const auto& [label, extension] : make_extensions(registry, document, &settings_))
    settings_.set(
        "start.extension-" + label,
        extension->options().file.empty() ? "no file" : sha256_file(extension->options().file), "");
  load_start();
  if (!official) imagine_start(registry);
  check_method();
  const auto more = method_->frames(config_, 2) - method_->frames(config_, 1);
  storyboard_ = std::make_unique<Storyboard>(request_.segments, *method_,
                                             static_cast<double>(more) / config_.fps);
  if (!request_.audio.empty()) start_.sound = read_film_sound(request_.audio);
  open_pose(extensions);
  clips_ = a.clips.value_or(storyboard_->clips().value_or(usual_clips()));
  if (clips_ < 1 || clips_ > kMostClips)
    raise<ConfigError>("command line: --clips ", clips_, " must be at least 1, at most ",
                       kMostClips);
  write_script(extensions);
  if (method_->needs().whole_length || !request_.end.empty())
    settings_.set("start.clips", cat(clips_), "");
  settings_.set("start.weights", model.identity(), "");
  settings_.set("start.dtype", c10::toString(model.dtype()), "");
  if (a.int8) settings_.set("start.int8", "on", "");
  settings_.set("start.image", bytes_hash(start_.image), "");
  if (start_.sound) settings_.set("start.audio", bytes_hash(start_.sound->samples), "");
  if (start_.before.defined()) settings_.set("start.video", bytes_hash(start_.before), "");
  if (!a.validate) lock_.emplace(lock_of(request_.out));
  output_.check(settings_);
}

void FilmJob::check_method() const {
  method_->check(config_, model_.vae_config().temporal_stride(), *sampler_);
  const auto& before = start_.before;
  if (!before.defined()) return;
  if (method_->needs().no_before) {
    raise<ConfigError>("--continue-video ", a_.continue_video,
                       ": this method begins films with an image; a chain such as --variant shot "
                       "goes on from a video");
  }
  const auto* chain = method_->chain();
  const auto least = chain ? chain->plan(0).motion_frames : 1;
  if (before.size(0) <= least) {
    raise<ConfigError>("--continue-video ", a_.continue_video, ": has ", before.size(0),
                       " frames; more than ", least, " are needed, the motion frames of [method]");
  }
}

std::vector<std::string> FilmJob::prompts() const {
  auto prompts = storyboard_->prompts();
  if (!rollout_.negative_prompt.empty()) prompts.push_back(rollout_.negative_prompt);
  return prompts;
}

std::int64_t FilmJob::frames() const {
  const bool continued = start_.before.defined();
  const auto frames = method_->frames(config_, clips_, &*script_, continued);
  return continued ? frames + method_->shown_before(start_.before.size(0)) : frames;
}

std::string FilmJob::summary() const {
  return cat(request_.out.string(), ": ", counted(clips_, "clip"), " of ", config_.frames,
             " frames, ", config_.width, "x", config_.height, ", ",
             counted(static_cast<std::int64_t>(request_.segments.size()), "prompt"), ", ", frames(),
             " frames, ", static_cast<double>(frames()) / config_.fps, " s");
}

std::string FilmJob::time_line_table() const { return time_line_text(entries()); }

std::vector<TimeLineEntry> FilmJob::entries() const {
  return time_line(*storyboard_, clips_, config_.fps, [this](std::int64_t clip) {
    return clip == 0 ? 0 : method_->frames(config_, clip, &*script_, start_.before.defined());
  });
}

void FilmJob::write_sheet(const std::string& file) const {
  const auto sheet = contact_sheet(request_.out.string(), entries(), [&](const TimeLineEntry& of) {
    const FrameSize size{config_.width, config_.height};
    at::Tensor image = of.first_clip == 0 ? start_.image : at::Tensor();
    if (!of.image.empty()) image = load_image(of.image, size);
    return image.defined() ? ((image + 1) * 127.5).round().clamp(0, 255).to(at::kByte) : image;
  });
  write_file(file, sheet);
}

std::string FilmJob::note() const {
  if (config_.crf > 0) return {};
  return "--crf 0 is lossless; its profile (High 4:4:4 Predictive) is played by ffmpeg, mpv and "
         "VLC, but not by browsers. --crf 1 plays everywhere";
}

MemoryPlan FilmJob::memory_plan(const LabelledExtensions& extensions) const {
  auto request = model_.memory_request();
  for (const auto& [label, extension] : extensions) {
    auto& size = request.extensions.emplace_back(ExtensionSize{label, 0});
    for (const auto& [name, tensor] : extension->parameters()) size.parameters += tensor.numel();
  }
  request.frames = config_.frames;
  request.height = config_.height;
  request.width = config_.width;
  request.prompts = static_cast<std::int64_t>(prompts().size());
  request.texts_cached = !model_.prompts().needs_network(prompts());
  request.batched_guidance = rollout_.passes == PassMode::batched;
  if (config_.tile) request.tile.emplace();
  return plan_memory(request, model_.memory_budget());
}

bool FilmJob::make(const VelocityModel& dit, const std::function<bool()>& stop) const {
  output_.begin(settings_);
  const Attempt attempt(output_);
  const auto encode_text = [this](const std::vector<std::string>& prompts) {
    return encode_blends(prompts, [this](const std::vector<std::string>& plain) {
      return model_.prompts().encode(plain);
    });
  };
  EncodeImage encode_image;
  if (model_.needs_image())
    encode_image = [this](const at::Tensor& frames) { return model_.image(frames); };
  const Studio studio{dit,        model_.vae(), encode_text, *method_,     *sampler_,
                      *guidance_, rollout_,     config_,     encode_image, reads_};
  const FilmMaker maker({studio, *storyboard_, *script_}, config_, output_.folder());
  const FilmStart start{start_.image.to(model_.device()), start_.before, start_.sound};
  std::int64_t made = 0;
  {
    ProgressLine line(request_.out.filename().string(), isatty(STDERR_FILENO) != 0);
    made = maker.run(
        start, clips_, [&](const FilmProgress& progress) { line.show(progress); }, stop);
  }
  if (made < clips_) {
    tell_stopped(made);
    return false;
  }
  output_.finish();
  std::cout << request_.out.string() << "  (" << counted(clips_, "clip") << ", " << frames()
            << " frames)" << std::endl;
  return true;
}

void FilmJob::tell_stopped(std::int64_t made) const {
  std::cout << request_.out.string() << ": stopped; the same command with --resume"
            << (a_.overwrite ? " instead of --overwrite" : "") << " goes on";
  if (output_.replaces())
    std::cout << " (the video stays the earlier one until the new one is whole)";
  else if (made > 0)
    std::cout << " (the video shows the first " << counted(made, "clip") << ")";
  std::cout << std::endl;
}

void FilmJob::set_size(Document& document, bool official) const {
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
  } else if (official) {
    const auto size = film_size(image_size(request_.image), kMaxWidth, unit);
    if (!document.get("film", "width")) document.set("film.width", cat(size.width), "the image");
    if (!document.get("film", "height")) document.set("film.height", cat(size.height), "the image");
  }
}

void FilmJob::load_start() {
  const FrameSize size{config_.width, config_.height};
  const auto stride = model_.vae_config().temporal_stride();
  if ((config_.frames - 1) % stride != 0) {
    raise<ConfigError>("[film] frames = ", config_.frames, ": this codec takes ", stride,
                       " k + 1 frames; the nearest is ",
                       (config_.frames - 1 + stride / 2) / stride * stride + 1);
  }
  const auto unit = model_.vae_config().spatial_stride() * model_.dit_config().patch[1];
  for (const auto& [key, pixels] : {std::pair("width", size.width), {"height", size.height}}) {
    if (pixels % unit != 0) {
      raise<ConfigError>("[film] ", key, " = ", pixels, ": must be a multiple of ", unit,
                         "; the nearest is ",
                         std::max<std::int64_t>(1, (pixels + unit / 2) / unit) * unit);
    }
  }
  if (!a_.continue_video.empty()) {
    start_.before = resize_frames(read_video(a_.continue_video, {.fps = config_.fps}), size);
    start_.image = start_.before[0].to(at::kFloat) / 127.5 - 1;  // unless there is an --image
  }
  if (!request_.image.empty() && request_.image != a_.continue_video)
    start_.image = load_image(request_.image, size);
  std::set<std::string> images;  // of cuts: a missing one should not wait for its clip
  for (const auto& segment : request_.segments) {
    if (!segment.image.empty() && images.insert(segment.image).second)
      load_image(segment.image, size);
  }
}

/// What nobody has given comes from the world that the weights have learnt.
void FilmJob::imagine_start(const Registry& registry) {
  if (start_.image.defined() && !request_.segments.empty()) return;
  const auto world = folder_config(model_.files().folder).world;
  const auto source = registry.make<ClipSource>(Document{}, world);
  const auto scene = source->scene(config_.scene + request_.index, config_);
  if (!start_.image.defined()) start_.image = scene.image;
  if (request_.segments.empty()) request_.segments = {{.prompt = scene.prompts.front()}};
}

}  // namespace svi::generate
