#include <ATen/ATen.h>

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

/// The transformer's part: the history that the film tells becomes tokens of its own.
class HistoryTokens final : public ModelExtension {
 public:
  using Config = ExtensionOptions;
  explicit HistoryTokens(const Config& config) : ModelExtension(config) {}

 private:
  std::vector<PartRule> do_reads() const override {
    return {{kHistory, {kAnySize, kAnySize, kAnySize, kAnySize}, false, false},
            {kIndices, {kAnySize}, false, false}};
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
    const auto& indices = pass.condition[kIndices];
    const auto K = history.size(2);
    SVI_CHECK(indices.defined() && indices.size(1) == K, "every history frame has an index");
    // A known frame of image-to-video: the latent, a mask of ones, and the latent again.
    const auto z = history.size(1), masks = host().in_dim - 2 * z;
    const auto known =
        masks > 0 ? at::cat({history,
                             at::ones_like(history.narrow(1, 0, 1)).expand({-1, masks, -1, -1, -1}),
                             history},
                            1)
                  : history;
    ExtensionInputs inputs;
    std::int64_t first = 0;
    for (const auto& [rate, most] : kRates) {
      const auto count = std::min(most, K - first);
      if (count <= 0) break;
      inputs.groups.push_back(history_tokens(known.narrow(2, first, count),
                                             indices[0].narrow(0, first, count), rate, host().patch,
                                             pass.embed_patches));
      first += count;
    }
    return inputs;
  }
};

/// Which end of the film is made first.
enum class SectionOrder { inverted, forward };
std::vector<std::string> enum_names(SectionOrder) { return {"inverted", "forward"}; }

struct FramePackOptions : PromptOptions {
  SectionOrder order = SectionOrder::inverted;

  void describe(OptionVisitor& visit) {
    visit(order, {.key = "order",
                  .help = "inverted: the last section first, each between the image and what comes "
                          "after it; forward: one after the other"});
    PromptOptions::describe(visit);
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
        inverted_(options.order == SectionOrder::inverted) {
    const auto sizes = latent_sizes(studio);
    z_ = sizes[0], added_ = sizes[1] - 1, h_ = sizes[2], w_ = sizes[3];
  }

  bool streams() const override { return true; }

 private:
  std::int64_t place() const { return inverted_ ? clips_ - 1 - number_ : number_; }

  std::optional<Piece> do_upcoming() const override {
    if (number_ >= clips_) return std::nullopt;
    return stretch_piece(number_, place(), added_ * stride_, script_.prompts(place()));
  }

  at::Tensor do_make(const OnStep& on_step) override {
    begin();
    auto condition = told(studio_, y_, image_, script_.prompts(place()));
    // The start frame, then the newest: what lies beside the section comes first.
    const auto B = image_.size(0), q = place() * added_;
    auto history = start_;
    std::vector<double> indices = {static_cast<double>(-q - 1)};
    if (beside_.defined()) {
      history = at::cat({history, beside_}, 2);
      for (std::int64_t k = 0; k < beside_.size(2); ++k)
        indices.push_back(static_cast<double>(inverted_ ? added_ + k : -1 - k));
    }
    condition.set(kHistory, history);
    condition.set(kIndices, at::tensor(indices).to(history.options()).expand({B, -1}));
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
    if (beside_.size(2) > kHistoryFrames) beside_ = beside_.narrow(2, 0, kHistoryFrames);
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
  }

  const Studio& studio_;
  const Script& script_;
  at::Tensor image_;  // [B, 3, H, W]
  std::int64_t clips_, stride_;
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
            .parts = {kHistory, kIndices}};
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
