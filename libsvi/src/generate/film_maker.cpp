#include "svi/generate/film_maker.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include <chrono>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/io/video_join.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/model/wan/vae_tiling.hpp"
#include "svi/tensor/levels.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using Phase = FilmProgress::Phase;

/// [1, 3, T, H, W] in [-1, 1] -> uint8 [T, 3, H, W]; rounded, where the reference truncates and so
/// darkens by half a level.
at::Tensor to_bytes(const at::Tensor& frames) {
  return levels_of_frames(frames[0]).to(at::kCPU).transpose(0, 1).contiguous();
}

at::Tensor from_bytes(const at::Tensor& frames) {  // the other way
  return (frames.to(at::kFloat) / 127.5 - 1).transpose(0, 1).unsqueeze(0).contiguous();
}

/// Leaves a clip in the middle.
struct Stopped {};

}  // namespace

ShownFrames shown_of(const Variant& variant, const Storyboard& storyboard, std::int64_t frames,
                     bool continued, std::int64_t clip, bool last) {
  const bool first = storyboard.clip(clip).cut || (clip == 0 && !continued);
  return shown_frames(variant.plan(clip, 1), frames, first, last || storyboard.clip(clip + 1).cut);
}

std::int64_t film_frames(const Variant& variant, const Storyboard& storyboard, std::int64_t frames,
                         bool continued, std::int64_t clips) {
  std::int64_t sum = 0;
  for (std::int64_t clip = 0; clip < clips; ++clip)
    sum += shown_of(variant, storyboard, frames, continued, clip, clip + 1 == clips).count;
  return sum;
}

DecodeLatent streaming_decoder(const WanVae& vae) {
  return [&vae](const at::Tensor& latent, const auto& on_frames, const auto& decoded) {
    DecoderStream stream(vae);
    for (std::int64_t f = 0; f < latent.size(2); ++f) {
      on_frames(stream.push(latent.narrow(2, f, 1)).clamp(-1, 1));
      decoded(f + 1);
    }
  };
}

DecodeLatent tiled_decoder(const WanVae& vae) {
  return [&vae](const at::Tensor& latent, const auto& on_frames, const auto& decoded) {
    // One tile is the whole frame: the same film as without tiles, to the last bit, because the
    // same sums are added up in the same order.
    const VaeTiling tiling;
    if (latent.size(3) <= tiling.tile_height && latent.size(4) <= tiling.tile_width) {
      return streaming_decoder(vae)(latent, on_frames, decoded);
    }
    on_frames(decode_tiled(vae, latent).clamp(-1, 1));
    decoded(latent.size(2));
  };
}

/// What run() keeps from clip to clip.
struct FilmMaker::Work {
  std::int64_t clips = 0;  // asked for
  ChainState state;
  at::Tensor tail;  // uint8 [m, 3, H, W]: last frames of the last clip, which the film shows only
                    // where it ends there
  bool before = false;  // a video comes first
  std::function<void(const FilmProgress&)> progress;
  std::function<bool()> stop;

  void tell(Phase phase, std::int64_t clip, std::int64_t done, std::int64_t all) const {
    if (progress) progress({phase, clip, clips, done, all});
    if (stop && stop()) throw Stopped();
  }
};

FilmMaker::FilmMaker(Parts parts, FilmConfig config, const Storyboard& storyboard,
                     FilmFolder folder)
    : parts_(std::move(parts)),
      config_(config),
      storyboard_(storyboard),
      folder_(std::move(folder)) {}

VideoWriterOptions FilmMaker::video_options() const {
  VideoWriterOptions options;
  options.fps_numerator = std::llround(config_.fps * 1000);
  options.fps_denominator = 1000;
  options.crf = config_.crf;
  options.upscale = config_.upscale;
  return options;
}

ShownFrames FilmMaker::shown(const Work& work, std::int64_t clip, bool last) const {
  return shown_of(parts_.variant, storyboard_, config_.frames, work.before, clip, last);
}

at::Tensor FilmMaker::noise(std::int64_t clip, const ClipOrder& order) const {
  const auto stride = parts_.vae.config().spatial_stride();
  const std::vector<std::int64_t> sizes = {1, parts_.vae.config().z_dim,
                                           parts_.vae.latent_frames(config_.frames),
                                           config_.height / stride, config_.width / stride};
  const auto seed = order.seed.value_or(config_.seed);
  const auto index = order.seed ? order.clip_of_segment : clip;
  if (config_.noise == NoiseSource::svi) {
    return normal({static_cast<std::uint64_t>(seed), Purpose::rollout_noise, 0,
                   static_cast<std::uint32_t>(index)},
                  sizes);
  }
  auto generator = at::detail::createCPUGenerator(
      static_cast<std::uint64_t>(seed + config_.seed_stride * index));
  return at::randn(sizes, generator, at::TensorOptions(at::kFloat));
}

void FilmMaker::begin(Work& work, const FilmStart& start) const {
  work.state.anchor = start.image.unsqueeze(0);
  if (!start.before.defined()) return;
  work.before = true;
  const auto plan = parts_.variant.plan(0, 1);
  const auto T = start.before.size(0), m = plan.motion_frames;
  if (T <= m) {
    raise<ConfigError>("the video to go on from has ", T, " frames; more than ", m,
                       " are needed, the motion frames of the variant");
  }
  work.state.last_frames = from_bytes(start.before.narrow(0, T - m, m));
  if (fs::exists(folder_.prefix())) return;
  const auto kept = plan.stitch == Stitch::drop_tail ? T - m : T;
  write_video(folder_.prefix().string(), start.before.narrow(0, 0, kept), video_options());
}

void FilmMaker::decode_clip(Work& work, std::int64_t clip, const at::Tensor& latent) const {
  const auto body = shown(work, clip, /*last=*/false);
  const auto path = folder_.segment(clip, body.first, body.count);
  const auto m = parts_.variant.plan(clip + 1, 1).motion_frames;
  std::optional<VideoWriter> writer;
  if (!fs::exists(path)) writer.emplace(path.string(), video_options());
  std::vector<at::Tensor> last;  // frames that may be among the last m
  std::int64_t seen = 0;
  const auto take = [&](const at::Tensor& frames) {  // [1, 3, t, H, W]
    const auto t = frames.size(2);
    const auto from = std::clamp<std::int64_t>(body.first - seen, 0, t);
    const auto to = std::clamp<std::int64_t>(body.first + body.count - seen, 0, t);
    if (writer && to > from) writer->write(to_bytes(frames.narrow(2, from, to - from)));
    last.push_back(frames);
    seen += t;
    while (last.size() > 1) {
      std::int64_t behind = 0;
      for (std::size_t i = 1; i < last.size(); ++i) behind += last[i].size(2);
      if (behind < m) break;
      last.erase(last.begin());
    }
  };
  parts_.decode(latent, take,
                [&](std::int64_t done) { work.tell(Phase::decoding, clip, done, latent.size(2)); });
  SVI_CHECK(seen == config_.frames, "the codec decoded ", seen, " frames, not ", config_.frames);
  if (writer) writer->close();
  const auto end = at::cat(last, 2);
  work.state.last_frames = end.narrow(2, end.size(2) - m, m).clone();
  const auto hidden = config_.frames - body.first - body.count;
  work.tail =
      hidden > 0 ? to_bytes(work.state.last_frames.narrow(2, m - hidden, hidden)) : at::Tensor();
}

bool FilmMaker::make_clip(Work& work, std::int64_t clip) const {
  const auto order = storyboard_.clip(clip);
  work.state.clip = clip;
  if (order.cut) {
    work.state.anchor = parts_.image(order.image).unsqueeze(0);
    work.state.last_frames = work.state.last_latent = at::Tensor();
  }
  at::Tensor latent;  // [1, z, F, h, w]
  const auto device = parts_.vae.device();
  if (folder_.has_latent(clip)) {
    const auto body = shown(work, clip, /*last=*/false);
    latent = folder_.latent(clip, order).to(device);
    const bool needed = clip + 1 == work.clips || !folder_.has_latent(clip + 1);
    if (!needed && fs::exists(folder_.segment(clip, body.first, body.count))) return true;
  } else {
    const auto sampled = parts_.rollout.sample_clip(work.state, {order.prompt}, noise(clip, order),
                                                    [&](std::int64_t done, std::int64_t steps) {
                                                      work.tell(Phase::sampling, clip, done, steps);
                                                    });
    folder_.put_latent(clip, order, sampled);
    latent = sampled.to(at::kFloat);
  }
  decode_clip(work, clip, latent);
  work.state.last_latent = latent;
  return true;
}

void FilmMaker::join(const Work& work, std::int64_t clips) const {
  if (work.progress) work.progress({Phase::joining, clips - 1, work.clips, 0, 1});
  std::vector<std::string> parts;
  if (work.before) parts.push_back(folder_.prefix().string());
  for (std::int64_t clip = 0; clip < clips; ++clip) {
    const auto body = shown(work, clip, /*last=*/false);
    parts.push_back(folder_.segment(clip, body.first, body.count).string());
  }
  if (work.tail.defined()) {
    write_video(folder_.tail().string(), work.tail, video_options());
    parts.push_back(folder_.tail().string());
  }
  join_videos(parts, folder_.video().string(),
              [&](const fs::path& file) { folder_.record(file, clips); });
}

std::int64_t FilmMaker::run(const FilmStart& start, std::int64_t clips,
                            const std::function<void(const FilmProgress&)>& progress,
                            const std::function<bool()>& stop) const {
  SVI_CHECK(clips >= 1, "a film has at least one clip");
  const c10::NoGradGuard no_gradients;
  Work work;
  work.clips = clips;
  work.progress = progress;
  work.stop = stop;
  folder_.remove_damaged(clips);
  begin(work, start);
  // An earlier film, or more of this one than there is now, stays until this one is whole.
  const auto recorded = folder_.recorded_clips();
  const auto least = recorded > 0 ? recorded : fs::exists(folder_.video()) ? clips : 1;
  // Joining copies the whole film so far, so it is done as often as that stays a small share.
  std::int64_t joined = 0;
  double next_join = 0;
  const auto now = [begin = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::int64_t done = 0;
  try {
    for (; done < clips; ++done) {
      make_clip(work, done);
      if (done + 1 < clips && done + 1 >= least && work.state.last_frames.defined() &&
          now() >= next_join) {
        const auto before = now();
        join(work, done + 1);
        joined = done + 1;
        next_join = now() + 20 * (now() - before) + 5;
      }
    }
  } catch (const Stopped&) {
    return joined;
  }
  join(work, clips);
  return clips;
}

}  // namespace svi
