#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/condition.hpp"
#include "svi/sampler/sampler.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What a batch of films is asked to show, clip by clip. A pure function of its arguments.
class SVI_EXPORT Script {
 public:
  virtual ~Script();

  /// The prompt of each film, [B].
  virtual std::vector<std::string> prompts(std::int64_t clip) const = 0;
  /// The noise that a clip begins with, [B, sizes...] fp32, on the CPU, so that every device sees
  /// the same numbers. `sizes`: of one film.
  virtual at::Tensor noise(std::int64_t clip, const std::vector<std::int64_t>& sizes) const = 0;
  /// What the films' tracks hold at frames first .. first + count - 1: parts [B, count, ...] that
  /// the model reads. Throws ConfigError naming a track that is missing or too short.
  virtual Condition tracks(std::int64_t first, std::int64_t count) const;
  /// Whether a new scene begins with the clip, from image(clip).
  virtual bool cut(std::int64_t clip) const;
  /// The image of a cut, [B, 3, H, W] fp32 in [-1, 1].
  virtual at::Tensor image(std::int64_t clip) const;
};

/// A film, or a batch of equal films, that is asked for.
struct FilmRequest {
  at::Tensor image;        // [B, 3, H, W]     fp32 in [-1, 1]: the first frames
  at::Tensor before;       // [B, 3, T, H, W]  fp32 in [-1, 1]: the end of a video to go on from;
                           // undefined without one
  std::int64_t clips = 1;  // how long it is
  const Script& script;    // borrowed by the film
};

/// A stretch of a film: latents that are made at once, and where their frames belong.
///
/// Pieces may be made in any order. A piece by itself decodes to `decoded` frames; the film shows
/// `frames` of them from frame `skipped` on, and `ending` more where it ends with this piece.
struct Piece {
  std::int64_t number = 0;                // in the order of making, from 0
  std::int64_t place = 0;                 // in the order of the film, from 0: its clip
  std::int64_t first_frame = 0;           // index in the film of the first frame shown
  std::int64_t decoded = 0;               // pixel frames
  std::int64_t skipped = 0;               // pixel frames
  std::int64_t frames = 0;                // pixel frames
  std::int64_t ending = 0;                // pixel frames
  std::int64_t tail = 0;                  // last decoded frames that accept() wants
  std::vector<std::string> prompts = {};  // [B]
};

/// One film, or a batch of equal films, in the making.
///
/// The maker asks for the next piece, makes it or reads it back, decodes it and hands it over:
///
///   while (const auto piece = film.upcoming()) {
///     const auto latent = kept(*piece) ? read(*piece) : film.make();
///     film.accept(latent, last_frames_of(latent, piece->tail));
///   }
///
/// so that a film that was stopped goes on with the same bits. Borrows the studio and the script.
class SVI_EXPORT Film {
 public:
  virtual ~Film();

  /// The piece to make next; nothing once the film is whole.
  std::optional<Piece> upcoming() const { return do_upcoming(); }
  /// Samples that piece: [B, z, F, h, w] fp32.
  at::Tensor make(const OnStep& on_step = {});
  /// Goes on behind that piece. latent [B, z, F, h, w]: as made, or read back; tail [B, 3, k, H, W]
  /// fp32 in [-1, 1]: its last Piece::tail decoded frames, which may be undefined where the next
  /// piece is read back, too.
  void accept(const at::Tensor& latent, const at::Tensor& tail);

  /// What pieces read back do not restore, such as a queue of frames in the making; empty for
  /// films that go on from the piece before alone.
  virtual NamedTensors state() const { return {}; }
  /// Goes on behind `pieces` pieces from what state() was then. Throws IoError where it does not
  /// fit.
  virtual void load(const NamedTensors& state, std::int64_t pieces);

  /// Whether the pieces are one stretch of latents, which the codec decodes without a break.
  virtual bool streams() const { return false; }
  /// Function evaluations so far, per film: a step of two passes counts two.
  std::int64_t evaluations() const { return evaluations_; }

 protected:
  /// Adds to evaluations().
  void count(std::int64_t evaluations) { evaluations_ += evaluations; }

 private:
  virtual std::optional<Piece> do_upcoming() const = 0;
  virtual at::Tensor do_make(const OnStep& on_step) = 0;
  virtual void do_accept(const at::Tensor& latent, const at::Tensor& tail) = 0;

  std::int64_t evaluations_ = 0;
};

}  // namespace svi
