#include "fvd_windows.hpp"

#include <svi/core/check.hpp>

namespace fvd {

std::string Sampling::text() const {
  return svi::cat(frames, " frames at stride ", stride,
                  windows == 1 ? ", one window" : svi::cat(", up to ", windows, " windows"),
                  " a film, resized to 224 x 224 as ",
                  enum_names(preparation).at(static_cast<std::size_t>(preparation)), " does");
}

void Windows::add(const at::Tensor& frame) {
  if (full()) return;
  const auto period = sampling_.frames * sampling_.stride;
  const bool wanted = place_ % sampling_.stride == 0;
  place_ = (place_ + 1) % period;
  if (!wanted) return;
  held_.push_back(svi::vision::i3d_frame(frame, sampling_.preparation));
  if (static_cast<std::int64_t>(held_.size()) < sampling_.frames) return;
  const auto clip = at::stack(held_, 1).unsqueeze(0).to(device_);  // [1, 3, T, 224, 224]
  rows_.push_back(network_->logits(clip)[0].cpu());
  held_.clear();
}

}  // namespace fvd
