#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "skeleton/motion.hpp"
#include "svi/model/extension.hpp"

/// Strides of the pose net's seven layers: {in time, in rows and columns}.
using PoseStrides = std::array<std::array<std::int64_t, 2>, 7>;

/// The strides that take `time` pixel frames and `space` x `space` pixels to one token. Doublings
/// in space go to the last layer, then to layers 3, 4, 5 in turn; those in time to layers 4, 5, 3
/// in turn. 4 and 16 give the official ones: (1, 2), (2, 2), (2, 2), (1, 2) behind three of one.
/// Throws ConfigError that begins with `title` where one is no power of two, or `space` is 1.
PoseStrides pose_strides(std::int64_t time, std::int64_t space, const std::string& title);

/// The pose net of UniAnimate-DiT, with its official tensor names: seven convolutions over frames,
/// rows and columns that make a token of each token's part of the pose video, which is added to the
/// model's patch embedding.
///
/// Source: Wang et al. 2025 (UniAnimate-DiT, arXiv 2504.11289) as SVI-Dance (Li et al. 2025) trains
/// it.
class PoseNet final : public svi::ModelExtension {
 public:
  struct Config : svi::ExtensionOptions {
    double confidence = 0.3;
    std::int64_t person = -1;
    svi::skeleton::MissingRule missing = svi::skeleton::MissingRule::refuse;
    std::vector<std::int64_t> canvas = {};
    double pose_fps = 0;

    /// Of two draws of the reference, 0.05 and 0.1, either zeroes.
    Config() { drop = 0.145; }
    void describe(svi::OptionVisitor& visit);
    std::string problem() const;
  };

  explicit PoseNet(Config config) : ModelExtension(config), config_(std::move(config)) {}

 private:
  std::vector<svi::PartRule> do_reads() const override;
  std::vector<svi::ParameterSpec> do_parameters(const svi::ExtensionHost& host) const override;
  svi::NamedTensors do_read_file(const std::filesystem::path& file) const override;
  std::string do_where_from() const override;
  svi::MadeTrack do_track_of(std::string_view part, const svi::TrackFile& file) const override;
  svi::ExtensionInputs do_begin(const svi::ExtensionPass& pass) const override;

  Config config_;
};
