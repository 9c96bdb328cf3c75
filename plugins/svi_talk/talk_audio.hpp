#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "speech/hearing.hpp"
#include "svi/model/extension.hpp"

/// What a film does where its sound is silent or over.
enum class SilenceRule { refuse, allow };
inline std::vector<std::string> enum_names(SilenceRule) { return {"refuse", "allow"}; }

/// MultiTalk's audio layers for one speaker, with their official tensor names: a projector of
/// windows of speech features to audio tokens of each latent frame, and in every block, behind the
/// text cross-attention, attention of a frame's tokens to the audio tokens of that frame alone.
///
/// Source: Kong et al. 2025 (MultiTalk, arXiv 2505.22647) as SVI-Talk (Li et al. 2025) runs it.
class TalkAudio final : public svi::ModelExtension {
 public:
  struct Config : svi::ExtensionOptions {
    std::string encoder = {};
    std::int64_t window = 5;
    std::int64_t layers = 12;
    std::int64_t audio_dim = 768;
    std::int64_t stride = 4;
    std::int64_t hidden = 512;
    std::int64_t tokens = 32;
    std::int64_t width = 768;
    std::int64_t speakers = 1;
    double lufs = -23;
    double piece = 120;
    double longest = 3600;
    SilenceRule silence = SilenceRule::refuse;

    void describe(svi::OptionVisitor& visit);
    std::string problem() const;
  };

  explicit TalkAudio(Config config);

 private:
  std::vector<svi::PartRule> do_reads() const override;
  std::vector<svi::ParameterSpec> do_parameters(const svi::ExtensionHost& host) const override;
  std::string do_where_from() const override;
  svi::MadeTrack do_track_of(std::string_view part, const svi::TrackFile& file) const override;
  svi::ExtensionInputs do_begin(const svi::ExtensionPass& pass) const override;
  bool do_acts_after_cross_attention(std::int64_t) const override { return true; }
  at::Tensor do_after_cross_attention(const svi::ExtensionBlock& block) const override;

  void take_sizes_of_file();

  Config config_;
  mutable std::mutex hearing_lock_;
  mutable std::unique_ptr<svi::speech::Hearing> hearing_;  // of all films: each sound is heard once
};
