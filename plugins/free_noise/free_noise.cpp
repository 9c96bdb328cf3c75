#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/model/extension.hpp>
#include <svi/plugin/plugin.hpp>

#include "windowed_film.hpp"

namespace {

using namespace svi;

// A condition part that the film brings and the extension reads: [B, V, 1 + w], of each window its
// first latent frame, then the shares of its frames.
constexpr const char* kAttentionWindows = "attention_windows";

/// What is mixed where windows overlap.
enum class Fusion { velocity, attention };
std::vector<std::string> enum_names(Fusion) { return {"velocity", "attention"}; }

/// The transformer's part of fused attention: self-attention goes over windows.
class AttentionWindows final : public ModelExtension {
 public:
  using Config = ExtensionOptions;
  explicit AttentionWindows(const Config& config) : ModelExtension(config) {}

 private:
  std::vector<PartRule> do_reads() const override {
    return {{kAttentionWindows, {kAnySize, kAnySize}, false, false}};
  }
  std::vector<ParameterSpec> do_parameters(const ExtensionHost& host) const override {
    if (host.patch[0] != 1) {
      raise<ConfigError>(title(), ": the model's patches span ", host.patch[0],
                         " latent frames; windows of frames need patches of one");
    }
    return {};  // training-free
  }
  ExtensionInputs do_begin(const ExtensionPass& pass) const override {
    const auto& told = pass.condition[kAttentionWindows];
    ExtensionInputs inputs;
    if (!told.defined()) return inputs;
    const auto rows = told[0].to(at::kCPU, at::kFloat);  // [V, 1 + w]
    const auto first = rows.select(1, 0).round().to(at::kLong).contiguous();
    const auto* begin = first.const_data_ptr<std::int64_t>();
    inputs.views = {.first = {begin, begin + first.numel()},
                    .frames = rows.size(1) - 1,
                    .shares = rows.narrow(1, 1, rows.size(1) - 1).contiguous()};
    return inputs;
  }
};

struct FreeNoiseOptions : windows::WindowOptions {
  std::int64_t stride = 0;
  Fusion fusion = Fusion::velocity;
  bool reschedule = true;

  void describe(OptionVisitor& visit) {
    visit(stride,
          {.key = "stride",
           .help = "latent frames from one window to the next, and of a block of noise; 0: a "
                   "quarter of the window",
           .unit = "latent frames",
           .min = 0,
           .max = 1000});
    visit(fusion, {.key = "fusion",
                   .help = "what is mixed where windows overlap: the velocities of passes of one "
                           "window each, or, in passes of the whole film, the outputs of "
                           "self-attention, which takes the extension free_noise"});
    visit(reschedule, {.key = "reschedule",
                       .help = "repeat the noise of the first window, shuffled within blocks; off: "
                               "noise of its own for every frame"});
    WindowOptions::describe(visit);
  }

  std::int64_t stride_of(std::int64_t frames) const {
    return stride > 0 ? stride : std::max<std::int64_t>(frames / 4, 1);
  }
  void check_window_length(std::int64_t frames) const {
    if (stride_of(frames) <= frames) return;
    raise<ConfigError>("[method] stride = ", stride, ": windows of ", frames,
                       " latent frames would leave a gap; set stride to at most that");
  }
};

class FreeNoiseFilm final : public windows::WindowedFilm {
 public:
  FreeNoiseFilm(const FreeNoiseOptions& options, std::int64_t window, const Studio& studio,
                const FilmRequest& request)
      : WindowedFilm(options, options.fusion == Fusion::velocity ? window : 0,
                     options.stride_of(window), studio, request),
        options_(options),
        noise_window_(window),
        views_(windows::first_frames(film_frames(), window, options.stride_of(window))) {
    const auto V = static_cast<std::int64_t>(views_.size());
    const auto weights = windows::triangle(window).expand({1, V, window});
    shares_ = windows::shares(weights, views_, film_frames());
  }

 private:
  at::Tensor start() const override {
    if (!options_.reschedule) return clip_noise(film_frames());
    // A random order: that of as many random numbers.
    const auto order = [&](std::int64_t block, std::int64_t count) {
      return draw(block, {count}).argsort(1, /*descending=*/false);
    };
    return windows::rescheduled(clip_noise(noise_window_), film_frames(),
                                options_.stride_of(noise_window_), order);
  }
  at::Tensor shares_in(std::int64_t) const override {
    if (options_.fusion == Fusion::velocity) return shares_;
    return at::ones({1, 1, film_frames()});
  }
  void tell(Condition& condition) const override {
    if (options_.fusion == Fusion::velocity) return;
    const auto first = at::tensor(views_).to(at::kFloat).unsqueeze(1);  // [V, 1]
    const auto rows = at::cat({first, shares_[0]}, 1).unsqueeze(0).expand({films(), -1, -1});
    condition.set(kAttentionWindows, rows.to(condition[part::kText].device()));
  }

  FreeNoiseOptions options_;
  std::int64_t noise_window_;        // w latent frames
  std::vector<std::int64_t> views_;  // first frames of the V windows
  at::Tensor shares_;                // [1, V, w]
};

/// FreeNoise: a film of fixed length in overlapping windows, from noise that repeats.
///
/// Source: Qiu et al. 2024 (FreeNoise, ICLR 2024); the README says what differs.
class FreeNoise final : public windows::WindowedMethodOf<FreeNoiseOptions, FreeNoiseFilm> {
 public:
  using WindowedMethodOf::WindowedMethodOf;

  MethodNeeds needs() const override {
    auto needs = WindowedMethod::needs();
    if (config().fusion == Fusion::attention) needs.parts = {kAttentionWindows};
    return needs;
  }
};

}  // namespace

SVI_PLUGIN("free_noise", "0.1.0", registrar) {
  registrar.add<svi::Method, FreeNoise>(
      "free_noise", "FreeNoise: a film in overlapping windows, from noise that repeats");
  registrar.add<svi::ModelExtension, AttentionWindows>(
      "free_noise", "self-attention in overlapping windows, mixed where they overlap");
}
