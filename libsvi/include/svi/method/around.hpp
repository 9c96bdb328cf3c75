#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "svi/method/chain.hpp"

namespace svi {

/// Another film with something done around its pieces: a base for methods that change what a clip
/// is told, or what it becomes, and leave the order of making as it is. Here nothing is done.
class FilmAround : public Film {
 public:
  /// Around that film.
  explicit FilmAround(std::unique_ptr<Film> inner) : inner_(std::move(inner)) {}

  NamedTensors state() const override { return inner_->state(); }
  void load(const NamedTensors& state, std::int64_t pieces) override {
    inner_->load(state, pieces);
  }
  bool streams() const override { return inner_->streams(); }

 protected:
  /// The next piece as the inner film makes it, [B, z, F, h, w]; counts what it takes.
  at::Tensor make_inner(const OnStep& on_step) {
    const auto before = inner_->evaluations();
    auto latent = inner_->make(on_step);
    count(inner_->evaluations() - before);
    return latent;
  }
  /// Lets the inner film go on; the arguments are those of accept().
  void accept_inner(const at::Tensor& latent, const at::Tensor& tail) {
    inner_->accept(latent, tail);
  }

 private:
  std::optional<Piece> do_upcoming() const override { return inner_->upcoming(); }
  at::Tensor do_make(const OnStep& on_step) override { return make_inner(on_step); }
  void do_accept(const at::Tensor& latent, const at::Tensor& tail) override {
    accept_inner(latent, tail);
  }

  std::unique_ptr<Film> inner_;
};

/// A method whose films are those of a chain with something done around them. It derives from this
/// and begins a FilmAround of begin_inner().
///
/// Training, errors of generated clips and diagnostics know chains only: this is none for them, so
/// that none of them forgets what is done around.
class ChainAround : public Method {
 public:
  /// Around a chain of these options.
  explicit ChainAround(const ChainOptions& options) : chain_(options) {}

  std::int64_t shown_before(std::int64_t frames) const override {
    return chain_.shown_before(frames);
  }
  TrainingPlan training() const override { return chain_.training(); }

 protected:
  /// The chain's plan of a clip.
  ClipPlan plan(std::int64_t clip) const { return chain_.plan(clip); }
  /// The chain's film, made with a model in place of the studio's.
  std::unique_ptr<Film> begin_inner(const Studio& studio, const FilmRequest& request,
                                    const VelocityModel& model) const {
    const Studio inner{model,          studio.vae,     studio.encode_text,
                       chain_,         studio.sampler, studio.guidance,
                       studio.rollout, studio.shape,   studio.encode_image,
                       studio.tracks};
    return chain_.begin(inner, request);
  }

  /// Of the chain inside.
  void do_check(const ClipShape& shape, std::int64_t stride,
                const Sampler& sampler) const override {
    chain_.check(shape, stride, sampler);
  }

 private:
  std::int64_t do_frames(const ClipShape& shape, std::int64_t clips, const Script* script,
                         bool continued) const override {
    return chain_.frames(shape, clips, script, continued);
  }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return chain_.prompt_of(clip, count);
  }

  OptionChain chain_;
};

}  // namespace svi
