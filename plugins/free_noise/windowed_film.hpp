#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <svi/method/method.hpp>
#include <svi/method/studio.hpp>
#include <utility>
#include <vector>

#include "windows.hpp"

namespace windows {

/// Which windows are told the user's image as their first frame.
enum class ImageWindows { first, every };
std::vector<std::string> enum_names(ImageWindows);

/// What a model is told of frames that nobody knows.
enum class UnknownFrames {
  zeros,  // zeros, as [training] image_drop shows
  grey,   // latents of grey frames, not marked as known, as Wan's image-to-video has them
};
std::vector<std::string> enum_names(UnknownFrames);

/// The options that all films of windows share.
struct WindowOptions : svi::PromptOptions {
  std::int64_t window = 0;
  ImageWindows image = ImageWindows::first;
  UnknownFrames unknown = UnknownFrames::zeros;
  double blend = 0.25;

  WindowOptions() { prompts = svi::PromptOrder::stream; }
  void describe(svi::OptionVisitor& visit);

  /// Latent frames of a window, of a clip of so many.
  std::int64_t frames_of(std::int64_t clip) const { return window > 0 ? window : clip; }
};

/// A film of fixed length, denoised all at once in overlapping windows. In every step of the
/// sampler each window takes the step by itself; where windows overlap, their results are mixed by
/// shares that sum to one. Steps of flow matching are linear in the velocity, so this is a mean of
/// velocities.
///
/// All latents are in memory; a pass sees one window. Pieces after the first are there already.
class WindowedFilm : public svi::Film {
 public:
  /// Windows of `window` latent frames, `stride` apart; 0: one, the film. Borrows studio and
  /// script.
  WindowedFilm(const WindowOptions& options, std::int64_t window, std::int64_t stride,
               const svi::Studio& studio, const svi::FilmRequest& request);

  bool streams() const override { return true; }
  svi::NamedTensors state() const override;
  void load(const svi::NamedTensors& state, std::int64_t pieces) override;

 protected:
  const std::vector<std::int64_t>& firsts() const { return firsts_; }  // of the V windows
  std::int64_t window() const { return window_; }                      // w latent frames
  std::int64_t film_frames() const { return frames_; }                 // F latent frames
  std::int64_t films() const { return image_.size(0); }                // B

  /// Noise that does not depend on ranks or on the batch, [B, sizes...]. `number`: from 0, of the
  /// draws that no clip makes.
  at::Tensor draw(std::int64_t number, const std::vector<std::int64_t>& sizes) const;
  /// The noise of clip 0, for so many latent frames: [B, z, F, h, w].
  at::Tensor clip_noise(std::int64_t frames) const;

 private:
  virtual at::Tensor start() const = 0;                       // noise of the film, [B, z, F, h, w]
  virtual at::Tensor shares_in(std::int64_t step) const = 0;  // [1 or B, V, w], see shares()
  /// More of what a window's passes are told; `condition` has text and image.
  virtual void tell(svi::Condition&) const {}

  std::optional<svi::Piece> do_upcoming() const override;
  at::Tensor do_make(const svi::OnStep& on_step) override;
  void do_accept(const at::Tensor&, const at::Tensor&) override { ++piece_; }

  at::Tensor denoised(const svi::OnStep& on_step);
  std::vector<svi::Denoiser> denoisers() const;
  using Texts = std::map<std::vector<std::string>, at::Tensor>;  // encoded prompts of all films
  at::Tensor text_at(double frame, const std::vector<std::vector<Stretch>>& films,
                     Texts& texts) const;
  std::vector<Stretch> stretches(std::int64_t film) const;

  const svi::Studio& studio_;
  const svi::Script& script_;
  WindowOptions options_;
  at::Tensor image_;  // [B, 3, H, W]
  std::int64_t clips_, stride_in_time_, window_;
  std::int64_t z_ = 0, added_ = 0, h_ = 0, w_ = 0;  // sizes of a piece's latent
  std::int64_t frames_ = 0;                         // F
  std::vector<std::int64_t> firsts_;
  at::Tensor latents_;  // [B, z, F, h, w], once they are made
  std::int64_t piece_ = 0;
};

/// What methods of windowed films share: one stretch behind the image, whole from the beginning.
class WindowedMethod : public svi::Method {
 public:
  svi::MethodNeeds needs() const override {
    return {.steps = true, .whole_length = true, .no_cut = true, .no_before = true};
  }

 protected:
  /// Throws ConfigError where a clip of `frames` adds nothing behind the image, or a window is
  /// longer than the shortest film, one clip.
  static void check_window(const WindowOptions& options, const svi::ClipShape& shape,
                           std::int64_t stride);

 private:
  std::int64_t do_frames(const svi::ClipShape& shape, std::int64_t clips, const svi::Script*,
                         bool) const override;
};

/// A windowed method of these options, whose check_window_length throws ConfigError where windows
/// of so many latent frames cannot cover a film, and of this film.
template <typename Options, typename WindowFilm>
class WindowedMethodOf : public WindowedMethod {
 public:
  using Config = Options;
  explicit WindowedMethodOf(Config config) : config_(std::move(config)) {}

 protected:
  const Config& config() const { return config_; }

 private:
  void do_check(const svi::ClipShape& shape, std::int64_t stride,
                const svi::Sampler&) const override {
    check_window(config_, shape, stride);
    config_.check_window_length(config_.frames_of((shape.frames - 1) / stride + 1));
  }
  std::unique_ptr<svi::Film> do_begin(const svi::Studio& studio,
                                      const svi::FilmRequest& request) const override {
    return std::make_unique<WindowFilm>(config_, config_.frames_of(svi::latent_sizes(studio)[1]),
                                        studio, request);
  }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return config_.prompt_of(clip, count);
  }

  Config config_;
};

}  // namespace windows
