#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace color_match {

/// Which moments of the channels are matched.
enum class Moments {
  mean,        // the mean of each channel
  mean_std,    // its mean and standard deviation
  covariance,  // means and the covariance of all channels
};
inline std::vector<std::string> enum_names(Moments) { return {"mean", "mean_std", "covariance"}; }

/// An affine map of channels for each sample, x -> matrix (x - from) + to.
struct ChannelMap {
  at::Tensor matrix;    // [B, c, c]  double
  at::Tensor from, to;  // [B, c, 1]  double: the means before and after
};

/// The map that gives what has the moments of `have` those of `want`: [B, c, ...], any sizes behind
/// the channels.
///
/// With covariance it is the linear optimal transport between normal distributions (Pitie and
/// Kokaram 2007, Monge-Kantorovich linearisation). A channel, or direction, in which `have` is
/// constant keeps its scale.
ChannelMap channel_map(const at::Tensor& have, const at::Tensor& want, Moments moments);

/// x [B, c, ...] moved by that map, by `strength` of the way; in x's dtype.
at::Tensor moved(const at::Tensor& x, const ChannelMap& map, double strength = 1);

}  // namespace color_match
