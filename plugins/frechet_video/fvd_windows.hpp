#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <vector>

#include "vision/i3d.hpp"

namespace fvd {

/// Which frames of a film I3D sees.
struct Sampling {
  svi::vision::I3dFrames preparation = svi::vision::I3dFrames::cd_fvd;
  std::int64_t frames = 16;  // of a window
  std::int64_t stride = 1;   // from frame to frame of a window
  std::int64_t windows = 1;  // of a film at most, one behind the other

  /// From the first to the last frame of a window.
  std::int64_t span() const { return (frames - 1) * stride + 1; }
  /// All of it in one line: features of equal texts can be compared.
  std::string text() const;
};

/// The windows of one film, frame by frame. Holds the frames of one window at most.
class Windows {
 public:
  Windows(std::shared_ptr<const svi::vision::I3d> network, at::Device device,
          const Sampling& sampling)
      : network_(std::move(network)), device_(device), sampling_(sampling) {}

  void add(const at::Tensor& frame);  // the next one, [3, H, W] in [0, 1]
  /// Whether all windows are there: further frames change nothing.
  bool full() const { return static_cast<std::int64_t>(rows_.size()) == sampling_.windows; }
  /// Logits [windows, 400] fp32 of all whole windows so far; undefined if there is none.
  at::Tensor rows() const { return rows_.empty() ? at::Tensor() : at::stack(rows_); }

 private:
  std::shared_ptr<const svi::vision::I3d> network_;
  at::Device device_;
  Sampling sampling_;
  std::int64_t place_ = 0;        // of the next frame in its window
  std::vector<at::Tensor> held_;  // [3, 224, 224] each
  std::vector<at::Tensor> rows_;  // [400] each
};

}  // namespace fvd
