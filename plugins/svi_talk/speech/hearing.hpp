#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "svi/encoder/wav2vec2.hpp"

namespace svi::speech {

/// How sounds are heard.
struct HearingRules {
  std::string encoder = {};           // folder or file of wav2vec 2.0; empty: levels of bands
  std::int64_t layers = 1;            // states in a row
  std::int64_t dim = 16;              // values of a state, or levels
  double lufs = -23;                  // loudness that a sound is brought to
  double piece = 120;                 // seconds that are encoded at once; 0: all
  double longest = 3600;              // seconds
  bool silence = false;               // whether a silent sound is taken
  std::string owner = {};             // "[extension.talk]", for messages
  std::int64_t kept_mebibytes = 256;  // of rows of earlier files
};

/// What a file sounds like, one row per frame of a film.
struct Heard {
  at::Tensor rows;       // [T, layers, dim]
  at::Tensor silence;    // [1, layers, dim]: a row of nothing
  std::string identity;  // of the samples and of what hears them
};

/// Hears files: each once, as long as its rows are kept. Safe from several threads.
class Hearing {
 public:
  explicit Hearing(HearingRules rules);
  ~Hearing();

  const HearingRules& rules() const { return rules_; }
  /// Throws ConfigError (no encoder where one is needed, silent, too long), IoError naming the
  /// file.
  Heard hear(const std::string& path, double fps) const;

 private:
  struct Kept {
    std::string path;
    double fps = 0;
    Heard heard;
  };

  Heard listen(const std::string& path, double fps) const;
  at::Tensor features(const at::Tensor& samples, double fps, std::int64_t frames) const;
  void need_encoder() const;

  HearingRules rules_;
  mutable std::mutex mutex_;
  mutable std::list<Kept> kept_;  // the most recent first
  mutable std::unique_ptr<Wav2Vec2> encoder_;
  mutable std::string encoder_hash_;
};

/// All rows, and silence behind them up to `count`: [count or more, layers, dim].
at::Tensor rows_of(const Heard& heard, std::int64_t count);

}  // namespace svi::speech
