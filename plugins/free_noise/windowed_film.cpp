#include "windowed_film.hpp"

#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/method/stretch.hpp>
#include <svi/model/wan/condition.hpp>

namespace windows {

using namespace svi;

std::vector<std::string> enum_names(ImageWindows) { return {"first", "every"}; }
std::vector<std::string> enum_names(UnknownFrames) { return {"zeros", "grey"}; }

void WindowOptions::describe(OptionVisitor& visit) {
  visit(window, {.key = "window",
                 .help = "latent frames of one pass of the model; 0: those of [clip]",
                 .unit = "latent frames",
                 .min = 0,
                 .max = 1000});
  visit(image, {.key = "image",
                .help = "first: the first window alone is told the user's image; every: all are, "
                        "each as its first frame"});
  visit(unknown, {.key = "unknown",
                  .help = "what windows are told of frames that nobody knows: zeros, as [training] "
                          "image_drop shows, or grey frames, as Wan's image-to-video has them"});
  visit(blend, {.key = "blend",
                .help = "share of a prompt's stretch, at either end, over which its embedding is "
                        "interpolated with its neighbour's",
                .min = 0,
                .max = 0.5});
  PromptOptions::describe(visit);
}

WindowedFilm::WindowedFilm(const WindowOptions& options, std::int64_t window, std::int64_t stride,
                           const Studio& studio, const FilmRequest& request)
    : studio_(studio),
      script_(request.script),
      options_(options),
      image_(request.image),
      clips_(request.clips),
      stride_in_time_(studio.vae.config().temporal_stride()),
      window_(window) {
  const auto sizes = latent_sizes(studio);
  z_ = sizes[0], added_ = sizes[1] - 1, h_ = sizes[2], w_ = sizes[3];
  frames_ = clips_ * added_ + 1;
  if (window_ == 0) window_ = stride = frames_;
  firsts_ = first_frames(frames_, window_, stride);
}

NamedTensors WindowedFilm::state() const {
  if (!latents_.defined()) return {};
  return {{"latents", latents_}};
}

void WindowedFilm::load(const NamedTensors& state, std::int64_t pieces) {
  const std::vector<std::int64_t> sizes = {films(), z_, frames_, h_, w_};
  if (state.size() != 1 || state[0].first != "latents" || !state[0].second.sizes().equals(sizes)) {
    raise<IoError>("state of a film of windows: expected its latents, ", at::IntArrayRef(sizes),
                   "; begin the film anew");
  }
  latents_ = state[0].second.to(image_.device());
  SVI_CHECK(pieces == piece_, "state behind ", pieces, " pieces, the film is at ", piece_);
}

at::Tensor WindowedFilm::draw(std::int64_t number, const std::vector<std::int64_t>& sizes) const {
  constexpr std::int64_t kNoClip = 1'000'000'000;  // beyond all clips
  return script_.noise(kNoClip + number, sizes);
}

at::Tensor WindowedFilm::clip_noise(std::int64_t frames) const {
  return script_.noise(0, {z_, frames, h_, w_}).to(image_.device());
}

std::optional<Piece> WindowedFilm::do_upcoming() const {
  if (piece_ >= clips_) return std::nullopt;
  return stretch_piece(piece_, piece_, added_ * stride_in_time_, script_.prompts(piece_));
}

at::Tensor WindowedFilm::do_make(const OnStep& on_step) {
  if (!latents_.defined()) latents_ = denoised(on_step);  // also where a state was lost
  return piece_ == 0 ? latents_.narrow(2, 0, added_ + 1).clone()
                     : latents_.narrow(2, 1 + piece_ * added_, added_).clone();
}

std::vector<Stretch> WindowedFilm::stretches(std::int64_t film) const {
  std::vector<Stretch> all;
  for (std::int64_t clip = 0; clip < clips_; ++clip) {
    const auto prompt = script_.prompts(clip)[static_cast<std::size_t>(film)];
    const auto end = static_cast<double>(1 + (clip + 1) * added_);
    if (all.empty() || all.back().prompt != prompt) {
      all.push_back({prompt, all.empty() ? 0 : all.back().end, end});
    }
    all.back().end = end;
  }
  return all;
}

at::Tensor WindowedFilm::text_at(double frame, const std::vector<std::vector<Stretch>>& films,
                                 Texts& texts) const {
  const auto encoded = [&](const std::vector<std::string>& prompts) {
    auto& text = texts[prompts];
    if (!text.defined()) text = studio_.encode_text(prompts);
    return text;
  };
  std::vector<std::string> from, to;
  std::vector<float> share;
  for (const auto& stretches : films) {
    const auto turn = turn_at(stretches, options_.blend, frame);
    from.push_back(turn.from);
    to.push_back(turn.to);
    share.push_back(static_cast<float>(turn.share));
  }
  const auto text = encoded(from);
  if (from == to) return text;
  return at::lerp(text, encoded(to), at::tensor(share).view({-1, 1, 1}).to(text.options()));
}

std::vector<Denoiser> WindowedFilm::denoisers() const {
  const ConditionBuilder builder(studio_.vae);
  const auto frames = std::min(window_, options_.frames_of(added_ + 1));
  const auto pixels = stride_in_time_ * (frames - 1) + 1;
  auto known = builder.build(image_.unsqueeze(2), image_, pixels, {});
  auto unknown = at::zeros_like(known);
  if (options_.unknown == UnknownFrames::grey) {
    const auto grey =
        image_.new_zeros({films(), image_.size(1), pixels, image_.size(2), image_.size(3)});
    unknown.narrow(1, stride_in_time_, z_).copy_(studio_.vae.encode(grey));
  }
  if (frames < window_) {  // one window, the film: behind the first clip nothing is known
    const auto last = unknown.narrow(2, frames - 1, 1).expand({-1, -1, window_ - frames, -1, -1});
    known = at::cat({known, last}, 2);
  }
  std::vector<std::vector<Stretch>> prompts;
  for (std::int64_t b = 0; b < films(); ++b) {
    prompts.push_back(stretches(b));
    if (firsts_.size() > 1 || prompts.back().size() == 1) continue;
    raise<ConfigError>("[method] fusion = attention: a pass of the whole film is told one prompt; ",
                       "set prompts = first, or fusion = velocity");
  }
  Texts texts;
  std::vector<Denoiser> all;
  auto condition = told(studio_, known, image_, script_.prompts(0));
  for (const auto first : firsts_) {
    const bool shown = first == 0 || options_.image == ImageWindows::every;
    condition.set(part::kImage, shown ? known : unknown);
    const auto middle = static_cast<double>(first) + 0.5 * static_cast<double>(window_ - 1);
    condition.set(part::kText, text_at(middle, prompts, texts));
    tell(condition);
    all.push_back(denoiser(studio_, condition));
  }
  return all;
}

at::Tensor WindowedFilm::denoised(const OnStep& on_step) {
  const auto models = denoisers();
  const auto& sigmas = studio_.sampler.sigmas();
  const auto steps = static_cast<std::int64_t>(sigmas.size());
  const auto passes = static_cast<std::int64_t>(models.size());
  auto film = start();
  for (std::int64_t k = 0; k < steps; ++k) {
    const auto sigma = [&](std::int64_t step) {
      const auto value = step < steps ? sigmas[static_cast<std::size_t>(step)] : 0.0F;
      return at::full({films()}, value, film.options());
    };
    const auto from = sigma(k), to = sigma(k + 1);
    const auto mix = shares_in(k).to(film.device());  // [1 or B, V, w]
    auto next = at::zeros_like(film);
    for (std::int64_t v = 0; v < passes; ++v) {
      const auto first = firsts_[static_cast<std::size_t>(v)];
      const auto& model = models[static_cast<std::size_t>(v)];
      const auto stepped =
          studio_.sampler.step(model, film.narrow(2, first, window_).contiguous(), from, to, k);
      const auto share = mix.select(1, v).view({-1, 1, window_, 1, 1});
      next.narrow(2, first, window_).add_(share * stepped);
      if (on_step) on_step(k * passes + v + 1, steps * passes);
    }
    film = next;
  }
  for (const auto& model : models) count(model.evaluations());
  return film;
}

void WindowedMethod::check_window(const WindowOptions& options, const ClipShape& shape,
                                  std::int64_t stride) {
  if (shape.frames <= stride) {
    raise<ConfigError>("[clip] frames = ", shape.frames, ": a clip adds latent frames behind the ",
                       "image, so it has at least ", stride + 1, " frames");
  }
  const auto latents = (shape.frames - 1) / stride + 1;
  if (options.frames_of(latents) > latents) {
    raise<ConfigError>("[method] window = ", options.window, ": a film of one clip has ", latents,
                       " latent frames; set window to at most that, or longer clips");
  }
}

std::int64_t WindowedMethod::do_frames(const ClipShape& shape, std::int64_t clips, const Script*,
                                       bool) const {
  return stretch_frames(shape, clips);
}

}  // namespace windows
