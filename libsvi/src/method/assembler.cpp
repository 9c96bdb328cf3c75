#include "svi/method/assembler.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/model/wan/vae_tiling.hpp"

namespace svi {
namespace {

/// The last frames of those that came by.
class LastFrames {
 public:
  explicit LastFrames(std::int64_t count) : count_(count) {}

  void add(const at::Tensor& frames) {  // [B, 3, t, H, W]
    seen_ += frames.size(2);
    if (count_ == 0) return;
    kept_.push_back(frames);
    while (kept_.size() > 1) {
      std::int64_t behind = 0;
      for (std::size_t i = 1; i < kept_.size(); ++i) behind += kept_[i].size(2);
      if (behind < count_) break;
      kept_.erase(kept_.begin());
    }
  }

  std::int64_t seen() const { return seen_; }

  at::Tensor take() const {  // [B, 3, count, H, W]
    if (count_ == 0) return {};
    const auto end = at::cat(kept_, 2);
    return end.narrow(2, end.size(2) - count_, count_).clone();
  }

 private:
  std::int64_t count_, seen_ = 0;
  std::vector<at::Tensor> kept_;
};

/// One tile is the whole frame: the same film as without tiles, to the last bit, because the same
/// sums are added up in the same order.
bool is_one_tile(const at::Tensor& latent) {
  const VaeTiling tiling;
  return latent.size(3) <= tiling.tile_height && latent.size(4) <= tiling.tile_width;
}

}  // namespace

FilmKeeper::~FilmKeeper() = default;

void FilmKeeper::put_state(std::int64_t, const NamedTensors&) {}

Assembler::Assembler(Film& film, const WanVae& vae, FilmKeeper& keeper, Decoding decoding)
    : film_(film), vae_(vae), keeper_(keeper), decoding_(decoding) {
  if (film.streams() && decoding == Decoding::tiled) {
    raise<ConfigError>(
        "[film] tile = on: the method of [method] makes one stretch of latents without clips, "
        "which is decoded as it grows and not in tiles; leave tile off");
  }
}

void Assembler::decode(const Piece& piece, const at::Tensor& latent,
                       const AssemblerProgress& progress,
                       const std::function<void(const at::Tensor&)>& on_frames) {
  const auto F = latent.size(2);
  const auto told = [&](std::int64_t done) {
    if (progress.decoded) progress.decoded(piece, done, F);
  };
  const bool streams = film_.streams();
  const bool tiled = decoding_ == Decoding::tiled && !is_one_tile(latent);
  if (tiled || (decoding_ == Decoding::whole && !streams)) {
    on_frames((tiled ? decode_tiled(vae_, latent) : vae_.decode(latent)).clamp(-1, 1));
    told(F);
    return;
  }
  if (!stream_) stream_.emplace(vae_);
  for (std::int64_t f = 0; f < F; ++f) {
    on_frames(stream_->push(latent.narrow(2, f, 1)).clamp(-1, 1));
    told(f + 1);
  }
  if (!streams) stream_.reset();
}

at::Tensor Assembler::finish(const Piece& piece, const at::Tensor& latent,
                             const AssemblerProgress& progress) {
  LastFrames last(piece.tail);
  decode(piece, latent, progress, [&](const at::Tensor& frames) {
    keeper_.frames(piece, last.seen(), frames);
    last.add(frames);
  });
  SVI_CHECK(last.seen() == piece.decoded, "the codec decoded ", last.seen(), " frames, not ",
            piece.decoded);
  keeper_.done(piece, latent);
  ++next_place_;
  return last.take();
}

/// Whether nobody needs the frames of a piece that is kept.
bool Assembler::can_skip(const Piece& piece) const {
  return !film_.streams() && keeper_.has(piece.number + 1) && !keeper_.wants(piece);
}

void Assembler::run(const AssemblerProgress& progress) {
  const c10::NoGradGuard no_gradients;
  const auto saved = keeper_.state();
  while (const auto piece = film_.upcoming()) {
    // A piece behind the state that is kept was made, but not yet told to the film when it stopped.
    const bool kept = keeper_.has(piece->number) && (!saved || piece->number < saved->first);
    if (!kept && saved && piece->number == saved->first) film_.load(saved->second, saved->first);
    at::Tensor latent;
    if (kept) {
      latent = keeper_.latent(*piece).to(vae_.device());
    } else {
      latent = film_.make([&](std::int64_t done, std::int64_t steps) {
        if (progress.sampled) progress.sampled(*piece, done, steps);
      });
      keeper_.put(*piece, latent);
    }
    at::Tensor tail;
    if (piece->place != next_place_) {
      waiting_.emplace(piece->place, *piece);
      SVI_CHECK(piece->tail == 0, "a piece out of order cannot hand on its frames");
    } else if (kept && can_skip(*piece)) {
      keeper_.done(*piece, latent);
      ++next_place_;
    } else {
      tail = finish(*piece, latent, progress);
    }
    film_.accept(latent, tail);
    if (!kept) {
      if (const auto state = film_.state(); !state.empty())
        keeper_.put_state(piece->number + 1, state);
    }
    for (auto next = waiting_.find(next_place_); next != waiting_.end();
         next = waiting_.find(next_place_)) {
      const auto ready = next->second;
      waiting_.erase(next);
      finish(ready, keeper_.latent(ready).to(vae_.device()), progress);
    }
  }
  SVI_CHECK(waiting_.empty(), "the film misses clip ", next_place_);
}

}  // namespace svi
