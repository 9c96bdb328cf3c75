// overall_consistency: how well a film fits its prompt, by ViCLIP.
//
// VBench (Huang et al. 2024, arXiv 2311.17982; facts from its code, version 0.1.5) compares eight
// frames of a film with its prompt; temporal style is the same on other prompts. VBench-Long
// compares clips.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <svi/core/check.hpp>
#include <svi/metric/metric.hpp>
#include <svi/plugin/registry.hpp>
#include <vector>

#include "consistency_frames.hpp"
#include "frame_values.hpp"
#include "registration.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vision/preprocess.hpp"
#include "vision/transformers/clip_tokenizer.hpp"
#include "vision/transformers/viclip.hpp"

namespace svi::vbench {
namespace {

/// The network and what turns prompts into its tokens.
struct TextAndVideo {
  vision::Viclip network;
  vision::ClipTokenizer tokenizer;

  at::Tensor text(const std::string& prompt) const {
    return network.text(tokenizer.framed(prompt, network.tokens()));
  }
  /// [3, H, W] in [0, 1] to what the network reads: resized in 8-bit levels.
  at::Tensor prepared(const at::Tensor& frame, at::Device device) const {
    const auto levels = vision::levels(frame).to(at::kByte).to(device);
    const auto resized =
        vision::resized_short(levels, network.side(), {vision::Filter::bicubic, false});
    const auto middle = vision::center_crop(resized, network.side()).to(at::kFloat) / 255;
    return vision::normalised(middle, vision::kClip);
  }
};

struct OverallConsistencyConfig {
  std::string file;
  std::string table;
  ConsistencyOf of = ConsistencyOf::film;

  void describe(OptionVisitor& visit) {
    visit(file, {.key = "file",
                 .help = "ViCLIP's weights in the official names; empty: "
                         "ViClip-InternVid-10M-FLT.pth in the folder of [evaluation] weights"});
    visit(table, {.key = "table",
                  .help = "table of CLIP's tokenizer; empty: bpe_simple_vocab_16e6.txt.gz in the "
                          "folder of [evaluation] weights"});
    visit(of, {.key = "of",
               .help = "what is compared with its prompt: film (VBench), or clip (VBench-Long): "
                       "each clip with its own, and a film's number is their mean"});
  }
};

class OverallConsistencySession final : public MetricSession {
 public:
  OverallConsistencySession(std::shared_ptr<TextAndVideo> networks, at::Device device,
                            ConsistencyOf of)
      : networks_(std::move(networks)), device_(device), of_(of) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    const bool own = of_ == ConsistencyOf::clip;
    if (own || clip.first_frame == 0) {
      prompt_ = clip.prompt;
      frames_.clear();
      wanted_ =
          middle_frames(own ? clip.frames.size(1) : clip.film_frames, networks_->network.frames());
    }
    if (clip.prompt != prompt_) prompt_.clear();  // no one text describes the film
    for (const auto frame : wanted_) {
      const auto t = own ? frame : frame - clip.first_frame;
      if (t < 0 || t >= clip.frames.size(1) || prompt_.empty()) continue;
      frames_.push_back(networks_->prepared(clip.frames.select(1, t), device_));
    }
    if (!own) return;
    const double value = likeness();
    values_.add(value);
    sink.clip(0, value);
  }

  void finish(const FilmView&, MetricSink& sink) override {
    if (of_ == ConsistencyOf::film) values_.add(likeness());
    if (values_.count == 0) return;
    Mean film;
    film.add(values_.value());
    sink.film(0, film.value());
    sink.film_features(0, film.row(), {});
  }

 private:
  /// Cosine of text and frames; undefined without a text or with a frame missing.
  double likeness() const {
    if (prompt_.empty() || wanted_.empty() || frames_.size() != wanted_.size()) return kUndefined;
    const auto video = networks_->network.video(at::stack(frames_));
    return video.dot(networks_->text(prompt_)).item<double>();
  }

  std::shared_ptr<TextAndVideo> networks_;
  at::Device device_;
  ConsistencyOf of_;
  std::string prompt_;
  std::vector<std::int64_t> wanted_;  // indices of frames, in order
  std::vector<at::Tensor> frames_;    // those of them that were there, as the network reads them
  Mean values_;
};

/// `overall_consistency`: likeness of a film, or of its clips, to the prompt.
class OverallConsistency final : public Metric {
 public:
  using Config = OverallConsistencyConfig;

  explicit OverallConsistency(Config config) : config_(std::move(config)) {}

  std::vector<Quantity> quantities() const override {
    return {{.name = "overall_consistency",
             .unit = "1",
             .meaning = "cosine of ViCLIP's vectors of eight frames and of the prompt",
             .per_clip = config_.of == ConsistencyOf::clip,
             .per_film = true,
             .film_features = 2,
             .set_value = SetValue::own}};
  }
  std::vector<MetricFile> needs() const override {
    return {{.name = "viclip",
             .what = "ViCLIP, ViT-L/14 trained on InternVid-10M-FLT",
             .file = "ViClip-InternVid-10M-FLT.pth",
             .source = "https://huggingface.co/OpenGVLab/ViCLIP (see there for its licence), about "
                       "1.7 GB",
             .given = config_.file,
             .option = "file"},
            {.name = "table",
             .what = "table of CLIP's tokenizer",
             .file = "bpe_simple_vocab_16e6.txt.gz",
             .bytes = config_.table.empty() ? 1356917 : 0,
             .sha256 = config_.table.empty() ? "924691ac288e5440" : "",
             .source = "clip/bpe_simple_vocab_16e6.txt.gz of https://github.com/openai/CLIP (MIT)",
             .given = config_.table,
             .option = "table"}};
  }
  void ready(const MetricContext& context) override {
    const auto &file = context.file("viclip"), &table = context.file("table");
    device_ = context.device;
    networks_ = context.features.get<TextAndVideo>("viclip", file.sha256 + table.sha256, [&] {
      return std::make_shared<TextAndVideo>(
          TextAndVideo{vision::Viclip(vision::Weights::open(file.path, context.device)),
                       vision::ClipTokenizer(table.path)});
    });
    if (networks_->tokenizer.size() != networks_->network.words()) {
      raise<IoError>(table.path, ": has ", networks_->tokenizer.size(), " words, but ", file.path,
                     " knows ", networks_->network.words());
    }
  }
  std::unique_ptr<MetricSession> open() const override {
    return std::make_unique<OverallConsistencySession>(networks_, device_, config_.of);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return mean_of_films(shown);
  }

 private:
  Config config_;
  at::Device device_ = at::kCPU;
  std::shared_ptr<TextAndVideo> networks_;
};

}  // namespace

void add_overall_consistency(Registrar& registrar) {
  registrar.add<Metric, OverallConsistency>("overall_consistency",
                                            "VBench: how well a film fits its prompt (ViCLIP)");
  registrar.add<Metric, LongDimension<OverallConsistency>>(
      "long_overall_consistency",
      "VBench-Long: how well a long film fits its prompt, clip by clip");
}

}  // namespace svi::vbench
