// long_subject_consistency and long_background_consistency: VBench-Long (Huang
// et al. 2024, arXiv 2411.13503) with its features of clips (`--dev_flag`).
#include <ATen/ATen.h>

#include <cmath>
#include <optional>
#include <svi/plugin/registry.hpp>

#include "vbench/dreamsim_network.hpp"
#include "vbench/frame_values.hpp"
#include "vbench/long/long_clips.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vbench/long/long_tables.hpp"
#include "vbench/networks.hpp"
#include "vbench/registration.hpp"
#include "vision/preprocess.hpp"

namespace svi::vbench {

namespace {

/// Two networks and the table that makes the second's values comparable.
struct LongNetworks {
  std::shared_ptr<FrameNetwork> within, between;
  const std::array<double, 101>* table = nullptr;
};

/// How first frames of clips are resized, and all films are cut.
struct LongConsistencyOptions : LongOptions {
  bool antialias = true;

  void describe(OptionVisitor& visit) {
    LongOptions::describe(visit);
    visit(antialias, {.key = "antialias",
                      .help = "first frames of clips are resized with antialias, as torchvision "
                              "has done since 0.17"});
  }
};

class LongSession final : public MetricSession {
 public:
  LongSession(LongNetworks networks, const LongCutOptions& options)
      : networks_(std::move(networks)), options_(options) {}

  void add(const ClipView& clip, MetricSink&) override {
    if (!clips_) {
      const auto length = static_cast<std::int64_t>(std::floor(clip.fps)) * options_.seconds;
      if (length < 2) return;  // the speed is not known: no clips, no number
      const auto network = networks_.between;
      clips_.emplace(length, options_, *networks_.table, [network](const at::Tensor& prepared) {
        return network->look(prepared.to(network->device()))[0].cpu();
      });
    }
    const auto features = networks_.within->features(clip.frames);  // [T, D]
    for (std::int64_t t = 0; t < features.size(0); ++t) {
      const auto levels = vision::levels(clip.frames.select(1, t));
      clips_->push(features[t], networks_.between->prepared(levels.unsqueeze(0)), levels);
    }
  }

  void finish(const FilmView&, MetricSink& sink) override {
    if (!clips_) return;
    const auto values = clips_->finish();
    if (values.fused.count == 0) return;  // a film of one frame
    sink.film(0, values.fused.value());
    sink.film_features(0, values.fused.row(), {});
    sink.film(1, values.in_clips);
    if (!std::isnan(values.from_clip_to_clip)) sink.film(2, values.from_clip_to_clip);
  }

 private:
  LongNetworks networks_;
  LongCutOptions options_;
  std::optional<LongClips> clips_;
};

std::vector<Quantity> long_quantities(const std::string& what, const std::string& within,
                                      const std::string& between) {
  const auto film = [&](const std::string& name, const std::string& meaning) {
    return Quantity{
        .name = name, .unit = "1", .meaning = meaning, .per_clip = false, .per_film = true};
  };
  auto fused = film("long_" + what + "_consistency",
                    "half the consistency within clips, half that from clip to clip");
  fused.film_features = 2;
  fused.set_value = SetValue::own;
  return {fused, film("long_" + what + "_in_clips", "mean consistency within clips, in " + within),
          film("long_" + what + "_clip_to_clip",
               "consistency of the first frames of clips, in " + between)};
}

/// What the two metrics do alike once they have their networks.
class LongMetric : public Metric {
 public:
  explicit LongMetric(const LongOptions& cut) : cut_(cut) {}
  std::unique_ptr<MetricSession> open() const final {
    return std::make_unique<LongSession>(networks_, cut_);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const final {
    return cut_.of_set(shown);
  }

 protected:
  LongNetworks networks_;

 private:
  LongOptions cut_;
};

/// `long_subject_consistency`: DINO within clips, DINOv2 from clip to clip.
class LongSubjectMetric final : public LongMetric {
 public:
  struct Config {
    std::string dino, dinov2;
    LongConsistencyOptions cut;

    void describe(OptionVisitor& visit) {
      visit(dino, {.key = "dino",
                   .help = "DINO's weights; empty: the official file in the "
                           "folder of [evaluation] "
                           "weights"});
      visit(dinov2, {.key = "dinov2", .help = "DINOv2's weights; empty: as above"});
      cut.describe(visit);
    }
  };

  explicit LongSubjectMetric(Config config) : LongMetric(config.cut), config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return long_quantities("subject", "DINO ViT-B/16", "DINOv2 ViT-B/14");
  }
  std::vector<MetricFile> needs() const override {
    return {dino_file(config_.dino, "dino"), dinov2_file(config_.dinov2, "dinov2")};
  }
  void ready(const MetricContext& context) override {
    networks_ = {dino_whole(context, config_.dino.empty()),
                 dinov2_middle(context, config_.dinov2.empty(), config_.cut.antialias),
                 &kSubjectTable};
  }

 private:
  Config config_;
};

/// `long_background_consistency`: CLIP within clips, DreamSim from clip to
/// clip.
class LongBackgroundMetric final : public LongMetric {
 public:
  struct Config {
    std::string clip_b32;
    DreamSimOptions dreamsim;
    LongConsistencyOptions cut;

    void describe(OptionVisitor& visit) {
      visit(clip_b32, {.key = "clip_b32",
                       .help = "weights of CLIP's image tower ViT-B/32 by OpenAI's names; "
                               "empty: "
                               "the official file in the folder of [evaluation] weights"});
      dreamsim.describe(visit);
      cut.describe(visit);
    }
  };

  explicit LongBackgroundMetric(Config config)
      : LongMetric(config.cut), config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return long_quantities("background", "CLIP ViT-B/32", "DreamSim");
  }
  std::vector<MetricFile> needs() const override {
    auto files = config_.dreamsim.needs();
    files.push_back(clip_b32_file(config_.clip_b32, "clip_b32"));
    return files;
  }
  void ready(const MetricContext& context) override {
    networks_ = {clip_middle(context, "clip_b32"), dreamsim_frames(context, config_.cut.antialias),
                 &kBackgroundTable};
  }

 private:
  Config config_;
};

}  // namespace

void add_long(Registrar& registrar) {
  registrar.add<Metric, LongSubjectMetric>(
      "long_subject_consistency",
      "VBench-Long: whether a long film keeps its subject, by DINO and DINOv2");
  registrar.add<Metric, LongBackgroundMetric>(
      "long_background_consistency",
      "VBench-Long: whether a long film keeps its scene, by CLIP and DreamSim");
}

}  // namespace svi::vbench
