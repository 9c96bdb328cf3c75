#include <ATen/ATen.h>

#include <map>
#include <svi/core/check.hpp>
#include <svi/method/method.hpp>
#include <svi/method/stretch.hpp>
#include <svi/method/studio.hpp>
#include <svi/model/wan/condition.hpp>
#include <svi/plugin/plugin.hpp>

#include "rolling_queue.hpp"

namespace {

using namespace svi;

using namespace rolling;

/// A queue of latent frames, each a little noisier than the one before it. In every iteration all
/// take k steps of the sampler; the first one is then clean and leaves, and noise joins at the end.
class RollingFilm final : public Film {
 public:
  RollingFilm(const RollingOptions& options, const Studio& studio, const FilmRequest& request)
      : studio_(studio),
        script_(request.script),
        image_(request.image),
        clips_(request.clips),
        stride_(studio.vae.config().temporal_stride()),
        options_(options) {
    const auto sizes = latent_sizes(studio);
    z_ = sizes[0], clip_frames_ = sizes[1], h_ = sizes[2], w_ = sizes[3];
    const auto& falling = studio.sampler.sigmas();
    cut_ = windows_of(options, clip_frames_, static_cast<std::int64_t>(falling.size()));
    std::vector<float> rising = {0};
    rising.insert(rising.end(), falling.rbegin(), falling.rend());
    sigma_ = at::tensor(rising).to(image_.device());
  }

  bool streams() const override { return true; }

  NamedTensors state() const override {
    if (!queue_.defined()) return {};
    return {{"queue", queue_}, {"estimate", estimate_}, {"past", past_}};
  }

  void load(const NamedTensors& state, std::int64_t pieces) override {
    const std::map<std::string, at::Tensor> by_name(state.begin(), state.end());
    const auto take = [&](const char* name, std::int64_t frames) {
      const auto found = by_name.find(name);
      const auto B = image_.size(0);
      if (found == by_name.end() || !found->second.sizes().equals({B, z_, frames, h_, w_})) {
        raise<IoError>("state of a film made by noise_rolling: ", name, " is ",
                       found == by_name.end() ? "missing" : cat(found->second.sizes()),
                       ", expected ", B, " x ", z_, " x ", frames, " x ", h_, " x ", w_,
                       "; begin the film anew");
      }
      return found->second.to(image_.device());
    };
    queue_ = take("queue", cut_.queue);
    estimate_ = take("estimate", cut_.queue);
    past_ = take("past", cut_.context);
    SVI_CHECK(pieces == piece_, "state behind ", pieces, " pieces, the film is at ", piece_);
  }

 private:
  std::int64_t new_frames() const { return clip_frames_ - 1; }  // latent frames a piece adds
  /// How often the queue repeats the first clip's first frame, in front of that clip.
  std::int64_t repeats() const { return std::max<std::int64_t>(cut_.queue - clip_frames_, 0); }

  std::optional<Piece> do_upcoming() const override {
    if (piece_ >= clips_) return std::nullopt;
    return stretch_piece(piece_, piece_, new_frames() * stride_, script_.prompts(piece_));
  }

  at::Tensor do_make(const OnStep& on_step) override {
    const bool first = piece_ == 0;
    SVI_CHECK(first || queue_.defined(), "piece ", piece_,
              " of a rolling film goes on from a state, which is missing; begin the film anew");
    prompt(piece_);
    std::vector<at::Tensor> made;
    const bool noise_first = first && options_.start == Start::noise;
    const bool warms_up = first && !noise_first && options_.warm_up;
    const auto dropped = warms_up ? repeats() + 1 : 0;  // those, and the image
    const auto all = dropped + new_frames();
    if (first) {
      if (noise_first) {
        begin_with_noise();
      } else {
        fill_queue();
      }
      made.push_back(first_latent_);
    }
    const auto noise = draw(kFirstPiece + piece_, all);  // that joins the queue
    for (std::int64_t i = 0; i < all; ++i) {
      if (i > 0 || !noise_first) roll();
      auto frame = shift(noise.narrow(2, i, 1));
      if (i >= dropped) made.push_back(std::move(frame));
      if (on_step) on_step(i + 1, all);
    }
    return at::cat(made, 2);
  }

  void do_accept(const at::Tensor&, const at::Tensor&) override { ++piece_; }

  // Numbers of the draws, in place of clips: the first clip, the noise on it, then the pieces.
  static constexpr std::int64_t kFirstClip = 0, kQueue = 1, kFirstPiece = 2;

  at::Tensor draw(std::int64_t number, std::int64_t frames) const {
    return script_.noise(number, {z_, frames, h_, w_}).to(image_.device());
  }

  /// What the model is told from here on; its y says which frame of a window is known.
  void prompt(std::int64_t clip) {
    if (!window_y_.defined()) {
      const ConditionBuilder builder(studio_.vae);
      const auto frames = [&](std::int64_t latents) { return stride_ * (latents - 1) + 1; };
      const auto motion = image_.unsqueeze(2);
      clip_y_ = builder.build(motion, image_, frames(clip_frames_), {});
      window_y_ = builder.build(motion, image_, frames(cut_.frames()), {});
      first_latent_ = clip_y_.narrow(1, stride_, z_).narrow(2, 0, 1).clone();
    }
    told_ = told(studio_, window_y_, image_, script_.prompts(clip));
  }

  /// The first clip as any method makes it, repeated at its beginning and noised to the queue's
  /// levels.
  void fill_queue() {
    auto condition = told_;
    condition.set(part::kImage, clip_y_);
    const auto clip = sample(studio_, condition, draw(kFirstClip, clip_frames_));
    count(clip.evaluations);
    const auto kept = cut_.queue - repeats();  // a short queue has room for the first ones only
    estimate_ = at::cat({clip.latent.narrow(2, 0, 1).expand({-1, -1, repeats(), -1, -1}),
                         clip.latent.narrow(2, 0, kept)},
                        2);
    const auto level = sigma_of(cut_.levels(0)).view({1, 1, -1, 1, 1});
    queue_ = (1 - level) * estimate_ + level * draw(kQueue, cut_.queue);
    past_ = estimate_.narrow(2, 0, 1).expand({-1, -1, cut_.context, -1, -1}).clone();
  }

  /// From pure noise to the levels at which the first frame is clean.
  void begin_with_noise() {
    queue_ = draw(kQueue, cut_.queue);
    estimate_ = first_latent_.expand_as(queue_).clone();
    past_ = first_latent_.expand({-1, -1, cut_.context, -1, -1}).clone();
    for (std::int64_t j = 0; j < cut_.steps; ++j) advance(cut_.starting(j), cut_.starting(j + 1));
  }

  /// All steps of one iteration: the first frame is clean then.
  void roll() {
    for (std::int64_t j = 0; j < cut_.lead; ++j) advance(cut_.levels(j), cut_.levels(j + 1));
  }

  at::Tensor sigma_of(const std::vector<std::int64_t>& levels) const {
    return sigma_.index_select(0, at::tensor(levels).to(sigma_.device()));
  }

  /// What the model sees of the queue, and what it is told.
  struct Window {
    at::Tensor x;          // [B, z, f, h, w]
    at::Tensor now, then;  // [B, f]: flow times; frames that stay have equal ones
    Condition told;
  };

  Window window(std::int64_t begin, const at::Tensor& latents, const at::Tensor& clean,
                const at::Tensor& from, const at::Tensor& to) const {
    const auto B = queue_.size(0), c = cut_.context, f = cut_.frames();
    const auto now = from.narrow(0, begin, f);
    const auto then = at::cat({now.narrow(0, 0, c), to.narrow(0, begin + c, cut_.moved)});
    auto y = window_y_.clone();
    y.narrow(1, stride_, z_).narrow(2, 0, 1).copy_(clean.narrow(2, begin, 1));
    auto told = told_;
    told.set(part::kImage, y);
    return {latents.narrow(2, begin, f), now.expand({B, f}), then.expand({B, f}), told};
  }

  /// Windows after one step, each [B, z, f, h, w].
  std::vector<at::Tensor> stepped(const std::vector<Window>& windows) {
    std::vector<at::Tensor> out;
    if (options_.partitions == Partitions::one_by_one) {
      for (std::size_t k = 0; k < windows.size(); ++k) {
        const auto& [x, now, then, told] = windows[k];
        const auto passes = denoiser(studio_, told);
        const auto index = cut_.queue - 1 - static_cast<std::int64_t>(k) * cut_.moved;
        out.push_back(studio_.sampler.step(passes, x, now, then, index));
        count(passes.evaluations());
      }
      return out;
    }
    std::vector<at::Tensor> x, now, then;
    std::vector<Condition> told;
    for (const auto& window : windows) {
      x.push_back(window.x);
      now.push_back(window.now);
      then.push_back(window.then);
      told.push_back(window.told);
    }
    const auto passes = denoiser(studio_, Condition::join(told));
    const auto all = studio_.sampler.step(passes, at::cat(x), at::cat(now), at::cat(then), 0);
    count(passes.evaluations() * static_cast<std::int64_t>(windows.size()));
    const auto parts = all.chunk(static_cast<std::int64_t>(windows.size()));
    return {parts.begin(), parts.end()};
  }

  /// One step of all frames, between levels of all slots.
  void advance(const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after) {
    const auto c = cut_.context;
    const auto latents = at::cat({past_, queue_}, 2), clean = at::cat({past_, estimate_}, 2);
    const auto from = at::cat({sigma_.new_zeros({c}), sigma_of(before)}),
               to = at::cat({sigma_.new_zeros({c}), sigma_of(after)});
    std::vector<Window> windows;
    std::vector<std::int64_t> begins;
    for (std::int64_t begin = 0; begin < cut_.queue; begin += cut_.moved) {
      // A window of frames that have not begun costs nothing.
      if (std::equal(before.begin() + begin, before.begin() + begin + cut_.moved,
                     after.begin() + begin))
        continue;
      windows.push_back(window(begin, latents, clean, from, to));
      begins.push_back(begin);
    }
    const auto next = stepped(windows);
    auto queue = queue_.clone();
    for (std::size_t k = 0; k < next.size(); ++k)
      queue.narrow(2, begins[k], cut_.moved).copy_(next[k].narrow(2, c, cut_.moved));
    const auto level = sigma_of(before), way = sigma_of(after) - level;
    const auto stays = way.eq(0);  // frames that have not begun
    const auto rate = (level / way.masked_fill(stays, 1)).view({1, 1, -1, 1, 1});
    const auto guessed = queue_ - rate * (queue - queue_);
    estimate_ = at::where(stays.view({1, 1, -1, 1, 1}), estimate_, guessed);
    queue_ = queue;
  }

  /// The frame that leaves, [B, z, 1, h, w]; `fresh` joins.
  at::Tensor shift(const at::Tensor& fresh) {
    const auto Q = cut_.queue, c = cut_.context;
    auto leaving = queue_.narrow(2, 0, 1).clone();
    queue_ = at::cat({queue_.narrow(2, 1, Q - 1), fresh}, 2);
    estimate_ = at::cat({estimate_.narrow(2, 1, Q - 1), estimate_.narrow(2, Q - 1, 1)}, 2);
    if (c > 0) past_ = at::cat({past_, leaving}, 2).narrow(2, 1, c).clone();
    return leaving;
  }

  const Studio& studio_;
  const Script& script_;
  at::Tensor image_;  // [B, 3, H, W]
  std::int64_t clips_, stride_;
  RollingOptions options_;
  std::int64_t z_ = 0, clip_frames_ = 0, h_ = 0, w_ = 0;  // sizes of a clip's latent
  Windows cut_;
  at::Tensor sigma_;              // [T + 1]: flow time of each level, from 0
  at::Tensor clip_y_, window_y_;  // [B, s + z, F or f, h, w]
  at::Tensor first_latent_;       // [B, z, 1, h, w]: the image
  Condition told_;                // of a window, but for its known frame
  at::Tensor queue_, estimate_;   // [B, z, Q, h, w]: as they are, and clean as far as known
  at::Tensor past_;               // [B, z, c, h, w]: the last frames that left
  std::int64_t piece_ = 0;
};

/// FIFO and Rolling Diffusion: a film without clips, from a queue of frames at rising noise levels.
///
/// Source: Kim et al. 2024 (FIFO-Diffusion, NeurIPS 2024), with latent partitioning and lookahead
/// denoising; Ruhe et al. 2024 (Rolling Diffusion Models). The README says what differs.
class NoiseRolling final : public Method {
 public:
  using Config = RollingOptions;
  explicit NoiseRolling(Config config) : config_(config) {}

  MethodNeeds needs() const override { return {.steps = true, .no_cut = true, .no_before = true}; }

 private:
  void do_check(const ClipShape& shape, std::int64_t stride,
                const Sampler& sampler) const override {
    if (shape.frames <= stride) {
      raise<ConfigError>("[clip] frames = ", shape.frames,
                         ": noise rolling adds latent frames behind the image, so a clip has at "
                         "least ",
                         stride + 1, " frames");
    }
    windows_of(config_, (shape.frames - 1) / stride + 1,
               static_cast<std::int64_t>(sampler.sigmas().size()));
  }
  std::unique_ptr<Film> do_begin(const Studio& studio, const FilmRequest& request) const override {
    return std::make_unique<RollingFilm>(config_, studio, request);
  }
  std::int64_t do_frames(const ClipShape& shape, std::int64_t clips, const Script*,
                         bool) const override {
    return stretch_frames(shape, clips);
  }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return config_.prompt_of(clip, count);
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("noise_rolling", "0.1.0", registrar) {
  registrar.add<svi::Method, NoiseRolling>(
      "noise_rolling", "FIFO and Rolling Diffusion: frames at rising noise levels, no clips");
}
