#include "svi/error/shuffled.hpp"

#include <ATen/ATen.h>

#include "svi/tensor/error_structure.hpp"

namespace svi {

namespace {

// Beyond the blocks that the permutation of any latent uses.
constexpr std::uint32_t kGridDraw = 0xFFFFFFFFU;

}  // namespace

void ShuffledError::Config::describe(OptionVisitor& visit) {
  base.describe(visit);
  visit(space, {.key = "space",
                .help = "permute the places of each error, in the same way for all channels"});
  visit(grid, {.key = "grid", .help = "store each error in another grid of the bank"});
  visit(
      grids,
      {.key = "grids", .help = "number of grids: the bank's [memory] bins", .min = 2, .max = 1000});
  visit(shift, {.key = "shift",
                .help = "shift of these grids: the bank's [memory] shift",
                .min = 1e-3,
                .max = 1000});
}

std::string ShuffledError::Config::problem() const {
  return space || grid ? "" : "space and grid are both off: that is type = one_step";
}

ShuffledError::ShuffledError(Config config)
    : config_(config), base_(config.base), grids_(config.grids, config.shift) {}

std::vector<BankedError> ShuffledError::do_extract(const StepView& step) const {
  auto errors = base_.extract(step);
  for (std::size_t b = 0; b < errors.size(); ++b) {
    auto& error = errors[b];
    const auto key = step.key(static_cast<std::int64_t>(b));
    if (config_.space) {
      const bool shared =
          error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
      error.residual = permute_places(error.residual, key);
      if (error.data_offset.defined()) error.data_offset = permute_places(error.data_offset, key);
      if (shared) {
        error.noise_offset = error.data_offset;
      } else if (error.noise_offset.defined()) {
        error.noise_offset = permute_places(error.noise_offset, key);
      }
    }
    if (config_.grid) {
      const auto others = static_cast<std::uint64_t>(grids_.count() - 1);
      const auto ahead = 1 + static_cast<std::int64_t>(uniform_index(key, others, kGridDraw));
      error.sigma = grids_.centre((grids_.bin(error.sigma) + ahead) % grids_.count());
    }
  }
  return errors;
}

}  // namespace svi
