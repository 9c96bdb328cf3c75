#pragma once

#include <cstdint>
#include <string_view>

#include "svi/plugin/component.hpp"
#include "svi/tensor/error_structure.hpp"

namespace svi {

/// Which stored errors may answer a recall.
enum class RecallScope { same_bin, all_bins, sigma_range };

/// One target of injection: hit or not, and how strong.
struct InjectionTarget {
  bool hit = false;  // whether an error is injected
  double scale = 1;  // factor on the recalled error, modulation included
};

/// What happens to one training sample.
struct Injection {
  bool clean = false;      // the master switch: nothing is injected
  InjectionTarget noise;   // into n,                      from the noise end, same bin
  InjectionTarget latent;  // into x,                      from the data end, same bin
  InjectionTarget image;   // into the condition latent y, from the data end, `image_scope`
  RecallScope image_scope = RecallScope::all_bins;   // which bins answer for the condition
  double image_sigma_low = 0, image_sigma_high = 1;  // flow times, for RecallScope::sigma_range
  std::int64_t image_frames = 1;  // latent frames of the condition that are hit, from frame 0
  /// Where in the banked error they are taken from: the last ones if negative, else first frame
  /// = floor(image_place * (F - image_frames + 1)).
  double image_place = -1;
  ErrorStructure structure = ErrorStructure::intact;  // of every recalled error
};

/// One training sample as an injection policy sees it.
struct SampleView {
  std::uint64_t seed = 0;        // of the run: the policy draws by (seed, purpose, sample, step)
  std::uint32_t sample = 0;      // index in the global batch
  std::uint32_t step = 0;        // training step
  std::int64_t total_steps = 1;  // length of the training
  double sigma = 0;              // flow time in [0, 1]
};

/// Says when errors are injected, into what, and how strongly.
///
/// A pure function of the sample: the same on every rank, whatever was called before.
class SVI_EXPORT InjectionPolicy : public Component {
 public:
  static constexpr std::string_view kKind = "injection";
  ~InjectionPolicy() override;

  Injection draw(const SampleView& sample) const;  // checks the result, after do_draw

 private:
  virtual Injection do_draw(const SampleView& sample) const = 0;
};

}  // namespace svi
