#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "svi/core/export.hpp"
#include "svi/method/film.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {

/// Where an assembler keeps what a film is made of, and who gets its frames.
class SVI_EXPORT FilmKeeper {
 public:
  virtual ~FilmKeeper();

  /// Whether the latent of piece `number` is kept.
  virtual bool has(std::int64_t number) const = 0;
  /// That latent, [B, z, F, h, w] fp32 on any device.
  virtual at::Tensor latent(const Piece& piece) const = 0;
  /// Keeps a latent that was just made, [B, z, F, h, w]. One that a piece waits for is asked for
  /// again.
  virtual void put(const Piece& piece, const at::Tensor& latent) = 0;

  /// What put_state was given last: pieces and state; nothing without.
  virtual std::optional<std::pair<std::int64_t, NamedTensors>> state() const { return {}; }
  /// Keeps the state of a film behind so many pieces.
  virtual void put_state(std::int64_t pieces, const NamedTensors& state);

  /// Whether the frames of a piece are still to be shown.
  virtual bool wants(const Piece& piece) const = 0;
  /// Frames of a piece, [B, 3, t, H, W] fp32 in [-1, 1], from its decoded frame `first` on. In the
  /// order of the film.
  virtual void frames(const Piece& piece, std::int64_t first, const at::Tensor& frames) = 0;
  /// The piece is decoded, or taken over without: the film so far ends with it.
  virtual void done(const Piece& piece, const at::Tensor& latent) = 0;
};

/// What a film's maker is told of its progress; either may be empty, and may throw to end the film.
struct AssemblerProgress {
  /// So many of a piece's steps are done.
  std::function<void(const Piece&, std::int64_t done, std::int64_t steps)> sampled;
  /// So many of its latent frames are decoded.
  std::function<void(const Piece&, std::int64_t done, std::int64_t frames)> decoded;
};

/// How pieces become frames. All agree but for rounding.
enum class Decoding {
  whole,     // a piece at once: fastest, memory for all of its frames
  streamed,  // latent by latent: least memory
  tiled,     // in tiles with blended seams (decode_tiled): for large frames
};

/// Makes a film out of its pieces: makes or reads back each, decodes them in the order of the film,
/// and hands the film the last frames it goes on from. Memory does not grow with the film unless
/// pieces come out of order. Borrows all. No gradients are recorded.
class SVI_EXPORT Assembler {
 public:
  /// A film that streams is decoded so whatever `decoding` says; throws ConfigError where that is
  /// tiled.
  Assembler(Film& film, const WanVae& vae, FilmKeeper& keeper, Decoding decoding);

  /// Makes all pieces. May be left by an exception and called again on another film: what the
  /// keeper has is not made again.
  void run(const AssemblerProgress& progress = {});

 private:
  at::Tensor finish(const Piece& piece, const at::Tensor& latent,
                    const AssemblerProgress& progress);
  void decode(const Piece& piece, const at::Tensor& latent, const AssemblerProgress& progress,
              const std::function<void(const at::Tensor&)>& on_frames);
  bool can_skip(const Piece& piece) const;

  Film& film_;
  const WanVae& vae_;
  FilmKeeper& keeper_;
  Decoding decoding_;
  std::optional<DecoderStream> stream_;
  std::map<std::int64_t, Piece> waiting_;  // by place: made, but an earlier one is missing
  std::int64_t next_place_ = 0;
};

}  // namespace svi
