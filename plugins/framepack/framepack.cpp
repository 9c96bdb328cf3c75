#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <svi/core/check.hpp>
#include <svi/method/method.hpp>
#include <svi/method/stretch.hpp>
#include <svi/method/studio.hpp>
#include <svi/model/wan/condition.hpp>
#include <svi/plugin/plugin.hpp>

#include "history.hpp"

namespace framepack {
namespace {

using namespace svi;

/// The flow time that history tokens have.
enum class HistoryTime { clean, noise };
std::vector<std::string> enum_names(HistoryTime) { return {"clean", "noise"}; }

struct HistoryOptions : ExtensionOptions {
  HistoryTime time = HistoryTime::clean;

  void describe(OptionVisitor& visit) {
    visit(time, {.key = "time",
                 .help = "flow time of history tokens: 0, for they are clean (clean), or that of "
                         "the section, as the original has it (noise)"});
    ExtensionOptions::describe(visit);
  }
};

/// The transformer's part: the history that the film tells becomes tokens of its own.
class HistoryTokens final : public ModelExtension {
 public:
  using Config = HistoryOptions;
  explicit HistoryTokens(const Config& config) : ModelExtension(config), time_(config.time) {}

 private:
  std::vector<PartRule> do_reads() const override {
    return {{kHistory, {kAnySize, kAnySize, kAnySize, kAnySize}, false, false},
            {kIndices, {kAnySize}, false, false},
            {kRate, {kAnySize}, false, false}};
  }
  std::vector<ParameterSpec> do_parameters(const ExtensionHost& host) const override {
    if (host.patch[0] != 1) {
      raise<ConfigError>(title(), ": the model's patches span ", host.patch[0],
                         " latent frames; a compressed history needs patches of one");
    }
    return {};  // training-free: the model's own projection
  }

  ExtensionInputs do_begin(const ExtensionPass& pass) const override {
    const auto& history = pass.condition[kHistory];
    if (!history.defined()) return {};
    const auto &indices = pass.condition[kIndices], &rates = pass.condition[kRate];
    const auto K = history.size(2);
    SVI_CHECK(indices.defined() && rates.defined() && indices.size(1) == K && rates.size(1) == K,
              "every history frame has an index and a rate");
    // A known frame of image-to-video: the latent, a mask of ones, and the latent again.
    const auto z = history.size(1), masks = host().in_dim - 2 * z;
    const auto known =
        masks > 0 ? at::cat({history,
                             at::ones_like(history.narrow(1, 0, 1)).expand({-1, masks, -1, -1, -1}),
                             history},
                            1)
                  : history;
    ExtensionInputs inputs;
    const auto row = rates[0].to(at::kCPU, at::kDouble).contiguous();
    const auto* rate_of = row.const_data_ptr<double>();
    for (std::int64_t first = 0, next = 0; first < K; first = next) {
      while (next < K && rate_of[next] == rate_of[first]) ++next;
      auto group = history_tokens(
          known.narrow(2, first, next - first), indices[0].narrow(0, first, next - first),
          static_cast<std::int64_t>(rate_of[first]), host().patch, pass.embed_patches);
      if (time_ == HistoryTime::noise)
        group.time = pass.timestep.dim() == 1 ? pass.timestep : std::get<0>(pass.timestep.max(1));
      inputs.groups.push_back(std::move(group));
    }
    return inputs;
  }

  HistoryTime time_;
};

/// Which end of the film is made first.
enum class SectionOrder { inverted, forward };
std::vector<std::string> enum_names(SectionOrder) { return {"inverted", "forward"}; }

/// How far away from a section the image is told to be.
enum class GapRule { capped, exact };
std::vector<std::string> enum_names(GapRule) { return {"capped", "exact"}; }

/// What a section is told of its own frames, which nobody knows.
enum class SectionFrames { grey, zeros };
std::vector<std::string> enum_names(SectionFrames) { return {"grey", "zeros"}; }

struct FramePackOptions : PromptOptions {
  SectionOrder order = SectionOrder::inverted;
  GapRule gap = GapRule::capped;
  SectionFrames unknown = SectionFrames::grey;
  std::vector<std::int64_t> rates = {1, 2, 4};
  std::vector<std::int64_t> history = {1, 2, 16};

  void describe(OptionVisitor& visit) {
    visit(order, {.key = "order",
                  .help = "inverted: the last section first, each between the image and what comes "
                          "after it; forward (F1): one after the other"});
    visit(gap, {.key = "gap",
                .help = "distance of the image that a section is told. capped: as the original, at "
                        "most three sections in inverted order, and at most the history in forward "
                        "order; exact: the true one"});
    visit(unknown, {.key = "unknown",
                    .help = "what a section is told of its own frames: latents of grey frames, not "
                            "marked as known, or zeros, as [training] image_drop shows"});
    visit(rates,
          {.key = "rates",
           .help = "rates of the history, the nearest frames first: so many frames, rows and "
                   "columns of patches share a token",
           .min = 1,
           .max = 64});
    visit(history, {.key = "history",
                    .help = "history frames of each rate, beside the image, which has rate 1",
                    .unit = "latent frames",
                    .min = 1,
                    .max = 1000});
    PromptOptions::describe(visit);
  }

  std::string problem() const {
    if (rates.empty() || rates.size() != history.size()) {
      return cat("rates has ", rates.size(), " entries and history ", history.size(),
                 "; give both as many, at least one");
    }
    if (rates.front() == 1 && std::is_sorted(rates.begin(), rates.end())) return {};
    return "rates begin with 1 and do not fall, the nearest frames having most tokens";
  }

  std::int64_t history_frames() const {  // beside the start frame
    return std::accumulate(history.begin(), history.end(), std::int64_t{0});
  }
};

/// A film of sections, each told the image and the compressed sections beside it.
class FramePackFilm final : public Film {
 public:
  FramePackFilm(const FramePackOptions& options, const Studio& studio, const FilmRequest& request)
      : studio_(studio),
        script_(request.script),
        image_(request.image),
        clips_(request.clips),
        stride_(studio.vae.config().temporal_stride()),
        options_(options),
        inverted_(options.order == SectionOrder::inverted) {
    const auto sizes = latent_sizes(studio);
    z_ = sizes[0], added_ = sizes[1] - 1, h_ = sizes[2], w_ = sizes[3];
  }

  bool streams() const override { return true; }

 private:
  std::int64_t place() const { return inverted_ ? clips_ - 1 - number_ : number_; }

  /// Frames between the image and the section, as the model is told.
  std::int64_t gap() const {
    if (options_.gap == GapRule::exact) return place() * added_;
    if (inverted_) return told_gap(place(), clips_) * added_;
    return beside_.defined() ? beside_.size(2) : 0;
  }

  std::optional<Piece> do_upcoming() const override {
    if (number_ >= clips_) return std::nullopt;
    return stretch_piece(number_, place(), added_ * stride_, script_.prompts(place()));
  }

  at::Tensor do_make(const OnStep& on_step) override {
    begin();
    auto condition = told(studio_, y_, image_, script_.prompts(place()));
    // The start frame, then the newest: what lies beside the section comes first.
    const auto B = image_.size(0), beside = beside_.defined() ? beside_.size(2) : 0;
    const auto history = beside > 0 ? at::cat({start_, beside_}, 2) : start_;
    const auto row = [&](const std::vector<double>& values) {
      return at::tensor(values).to(history.options()).expand({B, -1});
    };
    condition.set(kHistory, history);
    condition.set(kIndices, row(history_indices(inverted_, gap(), added_, beside)));
    std::vector<double> rates = {1};
    for (std::size_t i = 0; i < options_.rates.size(); ++i)
      rates.insert(rates.end(), static_cast<std::size_t>(options_.history[i]),
                   static_cast<double>(options_.rates[i]));
    rates.resize(static_cast<std::size_t>(1 + beside));
    condition.set(kRate, row(rates));
    const auto noise = script_.noise(place(), {z_, added_, h_, w_});
    const auto made = sample(studio_, condition, noise, on_step);
    count(made.evaluations);
    return place() == 0 ? at::cat({start_, made.latent}, 2) : made.latent;
  }

  void do_accept(const at::Tensor& latent, const at::Tensor&) override {
    begin();
    const auto made = place() == 0 ? latent.narrow(2, 1, added_) : latent;
    const auto nearest = inverted_ ? made : made.flip({2});  // first: beside the next section
    beside_ = beside_.defined() ? at::cat({nearest, beside_}, 2) : nearest;
    if (const auto most = options_.history_frames(); beside_.size(2) > most)
      beside_ = beside_.narrow(2, 0, most);
    beside_ = beside_.clone();
    ++number_;
  }

  /// Encodes what every section is told: the image as the start frame, and that nothing else is
  /// known.
  void begin() {
    if (start_.defined()) return;
    start_ = studio_.vae.encode(image_.unsqueeze(2));  // [B, z, 1, h, w]
    const auto grey = image_.new_zeros(
        {image_.size(0), image_.size(1), studio_.shape.frames, image_.size(2), image_.size(3)});
    const auto unknown = studio_.vae.encode(grey).narrow(2, 1, added_);
    y_ = at::cat({unknown.new_zeros({unknown.size(0), stride_, added_, h_, w_}), unknown}, 1);
    if (options_.unknown == SectionFrames::zeros) y_ = at::zeros_like(y_);
  }

  const Studio& studio_;
  const Script& script_;
  at::Tensor image_;  // [B, 3, H, W]
  std::int64_t clips_, stride_;
  FramePackOptions options_;
  bool inverted_;
  std::int64_t z_ = 0, added_ = 0, h_ = 0, w_ = 0;  // sizes of a section's latent
  at::Tensor start_;                                // [B, z, 1, h, w]: the image
  at::Tensor y_;                                    // [B, s + z, N, h, w]: no frame is known
  at::Tensor beside_;  // [B, z, k, h, w]: made frames, the one beside the section in work first
  std::int64_t number_ = 0;
};

/// FramePack: films of sections whose history is compressed to a constant number of tokens, made
/// from the last section to the first.
///
/// Source: Zhang and Agrawala 2025 (FramePack). Training-free here; the README says what differs.
class FramePack final : public Method {
 public:
  using Config = FramePackOptions;
  explicit FramePack(Config config) : config_(config) {}

  MethodNeeds needs() const override {
    return {.whole_length = config_.order == SectionOrder::inverted,
            .no_cut = true,
            .no_before = true,
            .parts = {kHistory, kIndices, kRate}};
  }

 private:
  void do_check(const ClipShape& shape, std::int64_t stride, const Sampler&) const override {
    if (shape.frames > stride) return;
    raise<ConfigError>("[clip] frames = ", shape.frames,
                       ": a section adds latent frames behind the image, so a clip has at least ",
                       stride + 1, " frames");
  }
  std::unique_ptr<Film> do_begin(const Studio& studio, const FilmRequest& request) const override {
    return std::make_unique<FramePackFilm>(config_, studio, request);
  }
  std::int64_t do_frames(const ClipShape& shape, std::int64_t clips, const Script*,
                         bool) const override {
    return stretch_frames(shape, clips);
  }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return config_.prompt_of(clip, count);
  }

  Config config_;
};

}  // namespace
}  // namespace framepack

SVI_PLUGIN("framepack", "0.1.0", registrar) {
  registrar.add<svi::Method, framepack::FramePack>(
      "framepack", "FramePack: sections with a compressed history, the last one first");
  registrar.add<svi::ModelExtension, framepack::HistoryTokens>(
      "framepack", "tokens of a compressed history, by the model's own projection");
}
