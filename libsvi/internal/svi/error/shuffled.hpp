#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"
#include "svi/error/one_step.hpp"
#include "svi/tensor/time_bins.hpp"

namespace svi {

/// Control: the errors of `one_step` with their structure in space, or their tie to the flow time,
/// broken.
///
/// `space`: the places (F, h, w) of each error are permuted, all channels alike. Every channel
/// keeps its values, and every place the relation between its channels; what is near what is lost.
///
/// `grid`: each error is filed in another of the bank's grids, drawn uniformly. Its gains stay
/// those of the sigma it was made at, so what is recalled is the very error that was made, and the
/// power in the bank as a whole stays; only the time at which it is recalled is another. Moving the
/// gains too would instead scale each error as if it had been made at the other time, and undo what
/// is to be broken. What is recalled from all grids alike, as for the image by default, is changed
/// by `space` alone.
///
/// Draws are keyed by seed, sample and step.
class SVI_EXPORT ShuffledError final : public ErrorSource {
 public:
  struct Config {
    OneStepError::Config base = {};  // the options of one_step
    bool space = true;
    bool grid = true;
    std::int64_t grids = 50;
    double shift = 5;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  explicit ShuffledError(Config config);

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::int64_t do_most_offsets() const override { return base_.most_offsets(); }

  Config config_;
  OneStepError base_;
  TimeBins grids_;
};

}  // namespace svi
