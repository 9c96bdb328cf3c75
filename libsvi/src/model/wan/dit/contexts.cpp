#include "model/wan/dit/contexts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace svi::wan {

Context::Context(at::Tensor text, double last_weight, at::Tensor image, std::size_t blocks,
                 bool keep)
    : text_(std::move(text)),
      image_(std::move(image)),
      last_weight_(last_weight),
      keep_(keep),
      kept_(keep ? blocks : 0) {}

std::shared_ptr<const Context::BlockKeys> Context::block(std::size_t i,
                                                         const std::function<BlockKeys()>& make) {
  if (!keep_) return std::make_shared<const BlockKeys>(make());
  {
    const std::lock_guard lock(mutex_);
    if (kept_[i] != nullptr) return kept_[i];
  }
  auto made = std::make_shared<const BlockKeys>(make());  // twice at worst, with equal results
  const std::lock_guard lock(mutex_);
  kept_[i] = made;
  return made;
}

void ContextCache::keep(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count_ = count;
  if (entries_.size() > count) {
    entries_.erase(entries_.begin(), entries_.end() - static_cast<std::ptrdiff_t>(count));
  }
}

bool ContextCache::keeps() const {
  const std::lock_guard lock(mutex_);
  return count_ > 0;
}

bool ContextCache::same(const Entry& entry, const at::Tensor& text, double last_weight,
                        const at::Tensor& clip) {
  const auto equal = [](const at::Tensor& a, const at::Tensor& b) {
    if (!a.defined() || !b.defined()) return a.defined() == b.defined();
    return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() && at::equal(a, b);
  };
  return entry.context->last_weight() == last_weight && equal(entry.text, text) &&
         equal(entry.clip, clip);
}

bool ContextCache::fresh(const Entry& entry, const std::vector<at::Tensor>& weights, double scale) {
  if (entry.scale != scale || entry.weights.size() != weights.size()) return false;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto& seen = entry.weights[i];
    if (seen.tensor._unsafe_get_target() != weights[i].unsafeGetTensorImpl() ||
        seen.version != weights[i]._version()) {
      return false;
    }
  }
  return true;
}

std::shared_ptr<Context> ContextCache::find(
    const at::Tensor& text, double last_weight, const at::Tensor& clip,
    const std::vector<at::Tensor>& weights, double scale,
    const std::function<std::shared_ptr<Context>(bool)>& make) {
  // A tensor made in InferenceMode counts no versions: whether it was written can't be told.
  const bool tellable = std::none_of(weights.begin(), weights.end(),
                                     [](const at::Tensor& t) { return t.is_inference(); });
  if (!keeps() || !tellable) return make(false);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const Entry& e) { return !fresh(e, weights, scale); });
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
      return same(e, text, last_weight, clip);
    });
    if (found != entries_.end()) {
      std::rotate(found, found + 1, entries_.end());
      return entries_.back().context;
    }
  }
  Entry entry{.text = text.clone(),
              .clip = clip.defined() ? clip.clone() : at::Tensor(),
              .weights = {},
              .scale = scale,
              .context = make(true)};
  for (const auto& weight : weights) {
    entry.weights.push_back({c10::weak_intrusive_ptr<c10::TensorImpl>(weight.getIntrusivePtr()),
                             static_cast<std::int64_t>(weight._version())});
  }
  const std::lock_guard lock(mutex_);
  entries_.push_back(entry);
  if (entries_.size() > count_) entries_.erase(entries_.begin());
  return entry.context;
}

std::shared_ptr<ContextCache> make_context_cache() { return std::make_shared<ContextCache>(); }

std::pair<at::Tensor, double> without_padding(const at::Tensor& text, std::int64_t length) {
  const auto L = text.size(1), total = std::max(length, L);
  // Rows with a number other than zero.
  const auto used = text.ne(0).flatten(2).any(2).any(0).nonzero();
  const auto real = used.size(0) == 0 ? 0 : used[-1].item().toLong() + 1;
  const auto rows = std::min(total, real + 1);
  const auto kept =
      rows > L ? at::constant_pad_nd(text, {0, 0, 0, rows - L}) : text.narrow(1, 0, rows);
  return {kept.contiguous(), static_cast<double>(total - rows + 1)};
}

}  // namespace svi::wan
