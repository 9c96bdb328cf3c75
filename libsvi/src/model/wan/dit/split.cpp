#include "model/wan/dit/split.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "model/wan/dit/dit_parts.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace wan {

Split::Split(const Communicator& group, std::unique_ptr<Collective> collective, std::int64_t heads)
    : group_(group), collective_(std::move(collective)), heads_(heads) {
  SVI_CHECK(collective_ != nullptr, "ranks need a collective to exchange tensors");
  if (group_.size() > heads_) {
    raise<ConfigError>("a model of ", heads_, " heads can be split over 1 to ", heads_,
                       " ranks, not ", group_.size(), "; even shares are fastest");
  }
  collective_->connect(group_);
}

SlotRange Split::tokens(std::int64_t total) const {
  SVI_CHECK(total >= group_.size(), "a clip of ", total, " tokens cannot be split over ",
            group_.size(), " ranks");
  return slots_of(group_.rank(), group_.size(), total);
}

SlotRange Split::heads() const { return slots_of(group_.rank(), group_.size(), heads_); }

std::vector<at::Tensor> Split::shares(const at::Tensor& x, std::int64_t axis,
                                      std::int64_t total) const {
  const auto width = x.size(axis) / total;
  std::vector<at::Tensor> parts;
  for (int rank = 0; rank < group_.size(); ++rank) {
    const auto share = slots_of(rank, group_.size(), total);
    parts.push_back(x.narrow(axis, share.first * width, share.count * width));
  }
  return parts;
}

at::Tensor Split::to_heads(const at::Tensor& x, std::int64_t total) const {
  const auto width = x.size(2) / heads_;
  const auto all = at::empty({x.size(0), total, heads().count * width}, x.options());
  auto receive = shares(all, 1, total);
  collective_->all_to_all(shares(x, 2, heads_), receive);
  return all;
}

at::Tensor Split::to_tokens(const at::Tensor& x, std::int64_t total) const {
  const auto width = x.size(2) / heads().count;
  const auto own = at::empty({x.size(0), tokens(total).count, heads_ * width}, x.options());
  auto receive = shares(own, 2, heads_);
  collective_->all_to_all(shares(x, 1, total), receive);
  return own;
}

at::Tensor Split::gather(const at::Tensor& x, std::int64_t total) const {
  const auto all = at::empty({x.size(0), total, x.size(2)}, x.options());
  auto receive = shares(all, 1, total);
  collective_->all_to_all(std::vector<at::Tensor>(receive.size(), x), receive);
  return all;
}

}  // namespace wan

void WanDit::split_over(const Communicator& group, std::unique_ptr<Collective> collective) {
  parts_->split = group.size() == 1 ? nullptr
                                    : std::make_shared<const wan::Split>(
                                          group, std::move(collective), parts_->config.heads);
}

}  // namespace svi
