#include <ATen/ATen.h>

#include "fuzz.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/memory/time_grid.hpp"

/// A bank that took a saved state can be asked and saved again; otherwise it refused and is as it
/// was.
void fuzz(std::string_view bytes) {
  const auto state = svi::SafetensorsFile::parse(bytes).load_all();
  svi::TimeGridBank::Config config;
  config.bins = 4;
  config.capacity = 4;
  config.eviction = svi::Eviction::nearest;
  svi::TimeGridBank bank(config);
  try {
    bank.load(state);
  } catch (const svi::IoError&) {
    require(bank.statistics().entries == 0);
    throw;
  }
  for (const auto end : {svi::ErrorEnd::data, svi::ErrorEnd::noise}) {
    svi::Recall request;
    request.end = end;
    const auto error = bank.recall(request);
    require(error.has_value() == bank.has(request));
    if (error) require(error->dim() == 4);
  }
  // Newcomers of an ordinary size meet whatever sizes the state brought.
  svi::BankedError incoming;
  incoming.residual = at::ones({1, 1, 2, 2});
  for (const double sigma : {0.1, 0.5, 0.9}) {
    incoming.sigma = sigma;
    bank.store(incoming, {});
  }
  svi::TimeGridBank again(config);
  again.load(bank.state());
  require(again.statistics().entries == bank.statistics().entries);
}
