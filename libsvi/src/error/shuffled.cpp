#include "svi/error/shuffled.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace svi {

namespace {

// Beyond the blocks that the permutation of any latent uses.
constexpr std::uint32_t kGridDraw = 0xFFFFFFFFU;

at::Tensor permutation(const RandomKey& key, std::int64_t count) {  // [count] int64
  std::vector<float> draws(static_cast<std::size_t>(count));
  fill_uniform(key, draws.data(), count);
  auto order = at::empty({count}, at::kLong);
  auto* first = order.mutable_data_ptr<std::int64_t>();
  std::iota(first, first + count, 0);
  std::stable_sort(first, first + count, [&](std::int64_t a, std::int64_t b) {
    return draws[static_cast<std::size_t>(a)] < draws[static_cast<std::size_t>(b)];
  });
  return order;
}

at::Tensor permuted(const at::Tensor& error, const at::Tensor& order) {  // [C, F, h, w]
  return error.flatten(1).index_select(1, order.to(error.device())).view(error.sizes());
}

}  // namespace

void ShuffledError::Config::describe(OptionVisitor& visit) {
  base.describe(visit);
  visit(space, {.key = "space", .help = "permute the places of each error, all channels alike"});
  visit(grid, {.key = "grid", .help = "file each error in another grid of the bank"});
  visit(grids, {.key = "grids",
                .help = "grids to choose from: the bank's [memory] bins",
                .min = 2,
                .max = 1000});
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
      const auto order = permutation(key, error.residual[0].numel());
      const bool shared =
          error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
      error.residual = permuted(error.residual, order);
      if (error.data_offset.defined()) error.data_offset = permuted(error.data_offset, order);
      if (shared) {
        error.noise_offset = error.data_offset;
      } else if (error.noise_offset.defined()) {
        error.noise_offset = permuted(error.noise_offset, order);
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
