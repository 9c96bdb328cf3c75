#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <iomanip>
#include <sstream>
#include <vector>

#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/quantised.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

// Velocity of random inputs at three noise levels, a few tokens each: costs little more than
// reading the weights.
at::Tensor sample_velocity(const WanDit& dit, const WanDitParts& parts, std::uint64_t seed) {
  const auto& c = parts.config;
  std::uint32_t stream = 0;
  const auto normal = [&](at::IntArrayRef sizes) {
    auto value = at::empty(sizes, at::kFloat);
    fill_normal({.seed = seed, .purpose = Purpose::sample_noise, .stream = stream++},
                value.mutable_data_ptr<float>(), value.numel());
    return value.to(parts.head.weight.device());
  };
  constexpr std::int64_t kText = 16, kImage = 16;  // tokens
  const auto times = at::tensor({900.F, 500.F, 100.F}).to(parts.head.weight.device());
  const auto noisy = normal({3, c.in_dim, 2 * c.patch[0], 4 * c.patch[1], 4 * c.patch[2]});
  Condition condition;
  const auto rows = c.text_len > 0 ? std::min(kText, c.text_len) : kText;
  condition.set(part::kText, normal({3, rows, c.text_dim}));
  if (c.image_dim > 0) condition.set(part::kClip, normal({3, kImage, c.image_dim}));
  return dit.velocity(noisy, times, condition).to(at::kDouble);
}

double relative(const at::Tensor& difference, const at::Tensor& reference) {
  const auto size = reference.norm().item<double>();
  return size > 0 ? difference.norm().item<double>() / size : 0;
}

struct Backup {
  WanLinear* layer;
  at::Tensor weight;
};

void put_back(std::vector<Backup>& backups) {
  for (auto& [layer, weight] : backups) {
    layer->weight = weight;
    layer->scale = at::Tensor();
  }
}

void quantise_layers(WanDitParts& parts, std::int64_t group, QuantisationReport& report,
                     std::vector<Backup>& backups) {
  visit_block_linears(parts, [&](const std::string& name, WanLinear& layer) {
    SVI_CHECK(!layer.weight.is_meta(), name, ".weight has no values: load or adopt weights first");
    if (layer.scale.defined()) return;  // already in 8 bits
    auto made = wan::quantised(layer.weight, group);
    if (!at::isfinite(made.scale).all().item<bool>())
      raise<ConfigError>(name, ".weight has values that are not finite; nothing was quantised");
    const auto before = layer.weight.to(at::kFloat);
    const auto error =
        relative(wan::dequantised(made.values, made.scale, at::kFloat) - before, before);
    if (report.layers++ == 0 || error > report.worst_weight_error) {
      report.worst_layer = name;
      report.worst_weight_error = error;
    }
    report.bytes_before += static_cast<std::int64_t>(layer.weight.nbytes());
    report.bytes_after += static_cast<std::int64_t>(made.values.nbytes() + made.scale.nbytes());
    backups.push_back({&layer, layer.weight});
    layer.weight = std::move(made.values);
    layer.scale = std::move(made.scale);
  });
}

}  // namespace

std::string QuantisationReport::text() const {
  std::ostringstream out;
  out << layers << " layers in 8 bits, " << bytes_before / 1000000 << " -> "
      << bytes_after / 1000000 << " MB; velocity changes by " << std::setprecision(2)
      << 100 * velocity_error << " %, weights by at most " << 100 * worst_weight_error << " % ("
      << worst_layer << ")";
  return out.str();
}

QuantisationReport WanDit::quantise(const QuantisationOptions& options) {
  if (options.group < 0 || !(options.limit >= 0)) {
    raise<ConfigError>("quantisation needs group >= 0 and limit >= 0, got ", options.group, " and ",
                       options.limit);
  }
  const at::NoGradGuard no_grad;
  auto& parts = *parts_;
  SVI_CHECK(parts.extensions.empty(), "quantise a model before extensions are attached");
  require_grad(false);
  const auto reference = sample_velocity(*this, parts, options.seed);
  if (!options.allow && reference.norm().item<double>() == 0) {
    raise<ConfigError>(
        "the model predicts zero for every input, so the effect of quantisation cannot be "
        "measured; train it first, or allow any error");
  }
  QuantisationReport report;
  std::vector<Backup> backups;  // as long as the check may refuse; mapped weights cost nothing
  try {
    quantise_layers(parts, options.group, report, backups);
    const auto velocity = sample_velocity(*this, parts, options.seed);
    report.velocity_error = relative(velocity - reference, reference);
    // Written so that NaN is refused.
    if (!options.allow && !(report.velocity_error <= options.limit)) {
      raise<ConfigError>(
          "8 bits change the velocity by ", report.velocity_error, " (limit ", options.limit,
          "), most of all the weights of ", report.worst_layer,
          "; use a smaller group, keep these weights in 16 bits, or allow the error");
    }
  } catch (...) {
    put_back(backups);
    throw;
  }
  return report;
}

}  // namespace svi
