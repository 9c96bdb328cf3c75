#include "pretrained/memory_remedies.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// The search for settings; `fits` decides.
class Search {
 public:
  Search(const WeightCounts& counts, const MemoryBudget& budget)
      : counts_(counts), budget_(budget) {}

  bool fits(const MemoryRequest& request) const {
    return plan_without_remedies(request, counts_, budget_).verdict != MemoryVerdict::too_large;
  }

  /// Changes, in the order in which they are best made. Each gives the request as changed so that
  /// it fits or, where it cannot, as far as it goes; none where there is nothing to change.
  using Change = std::function<std::optional<MemoryRemedy>(const MemoryRequest&)>;
  std::vector<Change> changes() const {
    return {
        [](const auto& r) { return guidance(r); },  [](const auto& r) { return tile(r); },
        [](const auto& r) { return precision(r); }, [this](const auto& r) { return residents(r); },
        [](const auto& r) { return eight_bit(r); }, [this](const auto& r) { return size(r); },
        [this](const auto& r) { return frames(r); }};
  }

 private:
  static std::optional<MemoryRemedy> guidance(MemoryRequest r) {
    if (!r.batched_guidance) return std::nullopt;
    r.batched_guidance = false;
    return MemoryRemedy{"--set rollout.passes=separate", r};
  }
  static std::optional<MemoryRemedy> tile(MemoryRequest r) {
    if (r.tile) return std::nullopt;
    r.tile.emplace();
    return MemoryRemedy{"--tile", r};
  }
  static std::optional<MemoryRemedy> precision(MemoryRequest r) {
    if (c10::elementSize(r.dtype) <= 2) return std::nullopt;
    r.dtype = at::kBFloat16;
    return MemoryRemedy{"--dtype bf16", r};
  }
  static std::optional<MemoryRemedy> eight_bit(MemoryRequest r) {
    if (r.eight_bit) return std::nullopt;
    r.eight_bit = true;
    return MemoryRemedy{"--int8", r};
  }

  /// As many blocks as there is room for.
  std::optional<MemoryRemedy> residents(MemoryRequest r) const {
    const auto now = r.resident_blocks < 0 ? counts_.blocks : r.resident_blocks;
    if (now == 0) return std::nullopt;
    const auto with = [&](std::int64_t blocks) {
      r.resident_blocks = blocks;
      return r;
    };
    r.resident_blocks = most(0, now - 1, [&](std::int64_t blocks) { return fits(with(blocks)); });
    return MemoryRemedy{cat("--resident-blocks ", r.resident_blocks), r};
  }

  /// The largest frame of about the same shape.
  std::optional<MemoryRemedy> size(MemoryRequest r) const {
    const auto unit = r.vae.spatial_stride() * r.dit.patch[1];
    const auto units = r.width / unit;
    if (units < 2 || r.height / unit < 1) return std::nullopt;
    const auto with = [&, height = r.height, width = r.width](std::int64_t across) {
      r.width = across * unit;
      r.height = std::max(unit, height * r.width / width / unit * unit);
      return r;
    };
    with(most(1, units - 1, [&](std::int64_t across) { return fits(with(across)); }));
    return MemoryRemedy{cat("--size ", r.width, "x", r.height), r};
  }

  /// The longest clip.
  std::optional<MemoryRemedy> frames(MemoryRequest r) const {
    const auto stride = r.vae.temporal_stride();
    const auto groups = (r.frames - 1) / stride;
    if (groups < 2) return std::nullopt;
    const auto with = [&](std::int64_t count) {
      r.frames = count * stride + 1;
      return r;
    };
    with(most(1, groups - 1, [&](std::int64_t count) { return fits(with(count)); }));
    return MemoryRemedy{cat("--frames ", r.frames), r};
  }

  /// The most of first .. last that `works`, which all smaller ones do too; `first` if none does.
  static std::int64_t most(std::int64_t first, std::int64_t last,
                           const std::function<bool(std::int64_t)>& works) {
    while (first < last) {
      const auto middle = first + (last - first + 1) / 2;
      if (works(middle)) {
        first = middle;
      } else {
        last = middle - 1;
      }
    }
    return first;
  }

  const WeightCounts& counts_;
  const MemoryBudget& budget_;
};

}  // namespace

std::vector<MemoryRemedy> find_remedies(const MemoryRequest& request, const WeightCounts& counts,
                                        const MemoryBudget& budget) {
  const Search search(counts, budget);
  const auto changes = search.changes();
  std::vector<MemoryRemedy> alone;
  for (const auto& change : changes) {
    auto remedy = change(request);
    if (remedy && search.fits(remedy->request)) alone.push_back(std::move(*remedy));
  }
  if (!alone.empty()) return alone;
  MemoryRemedy together{"", request};
  for (const auto& change : changes) {
    const auto remedy = change(together.request);
    if (!remedy) continue;
    const auto before = plan_without_remedies(together.request, counts, budget);
    const auto after = plan_without_remedies(remedy->request, counts, budget);
    if (after.host_peak() >= before.host_peak() && after.gpu_peak() >= before.gpu_peak()) continue;
    together.settings += (together.settings.empty() ? "" : " ") + remedy->settings;
    together.request = remedy->request;
    if (search.fits(together.request)) return {together};
  }
  return {};
}

}  // namespace svi
