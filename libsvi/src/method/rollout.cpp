#include "svi/method/rollout.hpp"

#include <ATen/ATen.h>

#include <map>

#include "svi/core/check.hpp"
#include "svi/method/assembler.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// Keeps what waits, and hands on the rest.
class MemoryKeeper final : public FilmKeeper {
 public:
  MemoryKeeper(const Film& film, std::int64_t clips,
               const std::function<void(const RolledClip&)>& on_clip)
      : film_(film), clips_(clips), on_clip_(on_clip) {}

  bool has(std::int64_t) const override { return false; }
  at::Tensor latent(const Piece& piece) const override { return latents_.at(piece.number); }
  void put(const Piece& piece, const at::Tensor& latent) override {
    latents_[piece.number] = latent;
    evaluations_[piece.number] = film_.evaluations() - counted_;
    counted_ = film_.evaluations();
  }
  bool wants(const Piece&) const override { return true; }
  void frames(const Piece&, std::int64_t, const at::Tensor& frames) override {
    video_.push_back(frames);
  }
  void done(const Piece& piece, const at::Tensor& latent) override {
    RolledClip rolled;
    rolled.clip = piece.place;
    rolled.first_frame = piece.first_frame;
    rolled.video = video_.size() == 1 ? video_.front() : at::cat(video_, 2);
    video_.clear();
    const auto shown = piece.frames + (piece.place + 1 == clips_ ? piece.ending : 0);
    rolled.frames = rolled.video.narrow(2, piece.skipped, shown);
    rolled.latent = latent;
    rolled.prompts = piece.prompts;
    rolled.evaluations = film_.evaluations();
    rolled.own_evaluations = evaluations_.extract(piece.number).mapped();
    latents_.erase(piece.number);
    on_clip_(rolled);
  }

 private:
  const Film& film_;
  std::int64_t clips_;
  const std::function<void(const RolledClip&)>& on_clip_;
  std::map<std::int64_t, at::Tensor> latents_;  // by number: of pieces that are not decoded yet
  std::map<std::int64_t, std::int64_t> evaluations_;  // of the same pieces
  std::int64_t counted_ = 0;                          // of all pieces made so far
  std::vector<at::Tensor> video_;                     // of the piece in work
};

}  // namespace

std::vector<std::string> SceneScript::prompts(std::int64_t clip) const {
  std::vector<std::string> prompts;
  for (const auto& scene : scenes_) {
    const auto count = static_cast<std::int64_t>(scene.prompts.size());
    prompts.push_back(
        scene.prompts[static_cast<std::size_t>(studio_.method.prompt_of(clip, count))]);
  }
  return prompts;
}

at::Tensor SceneScript::noise(std::int64_t clip, const std::vector<std::int64_t>& sizes) const {
  std::vector<at::Tensor> noises;
  for (const auto& scene : scenes_) {
    noises.push_back(normal({static_cast<std::uint64_t>(studio_.rollout.seed),
                             Purpose::rollout_noise, static_cast<std::uint32_t>(scene.index),
                             static_cast<std::uint32_t>(studio_.rollout.same_noise ? 0 : clip)},
                            sizes));
  }
  return at::stack(noises);  // [B, sizes...]
}

Condition track_parts(const Studio& studio, const std::vector<Scene>& scenes, std::int64_t first,
                      std::int64_t count) {
  Condition parts;
  if (studio.tracks.empty()) return parts;
  const auto film = studio.method.frames(studio.shape, studio.rollout.clips);
  std::vector<Tracks> cut;
  for (const auto& scene : scenes) {
    const auto owner = cat("scene ", scene.name);
    try {
      cut.push_back(scene.tracks.only(studio.tracks, owner).slice(first, count, film));
    } catch (const ConfigError& error) {
      const std::string said = error.what();
      raise<ConfigError>(said.starts_with(owner) ? "" : owner + ": ", said);
    }
  }
  for (const auto& name : studio.tracks) {
    std::vector<at::Tensor> rows;
    for (const auto& tracks : cut) rows.push_back(tracks[name]);
    parts.set(name, at::stack(rows));
  }
  return parts;
}

void roll_out(const Studio& studio, const std::vector<Scene>& scenes,
              const std::function<void(const RolledClip&)>& on_clip) {
  SVI_CHECK(!scenes.empty(), "no scene to roll out");
  std::vector<at::Tensor> images;
  for (const auto& scene : scenes) images.push_back(scene.image);
  const SceneScript script(studio, scenes);
  const FilmRequest request{at::stack(images), {}, studio.rollout.clips, script};
  const auto film = studio.method.begin(studio, request);
  MemoryKeeper keeper(*film, studio.rollout.clips, on_clip);
  Assembler(*film, studio.vae, keeper, Decoding::whole).run();
}

}  // namespace svi
