#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "model/wan/layers/lean.hpp"

namespace svi::wan {

/// What cross-attention reads, and each block's keys and values of it once they are computed.
class Context {
 public:
  struct BlockKeys {
    lean::Keys text, image;
  };

  /// text [B, R, D]: the last row stands for `last_weight` equal rows. image [B, tokens, D] or
  /// undefined. With `keep`, keys and values stay for the next forward pass.
  Context(at::Tensor text, double last_weight, at::Tensor image, std::size_t blocks, bool keep);

  const at::Tensor& text() const { return text_; }
  double last_weight() const { return last_weight_; }
  const at::Tensor& image() const { return image_; }

  /// The keys of block i: those kept, or `make()`. Any number of threads may ask.
  std::shared_ptr<const BlockKeys> block(std::size_t i, const std::function<BlockKeys()>& make);

 private:
  at::Tensor text_, image_;
  double last_weight_;
  bool keep_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const BlockKeys>> kept_;
};

/// The contexts of the latest few conditions, found again by the conditions' values.
class ContextCache {
 public:
  /// How many to keep; 0 (the start) keeps none.
  void keep(std::size_t count);
  bool keeps() const;

  /// The context of these conditions, made by `make(keep)` if it is not kept or if one of `weights`
  /// (with `scale`) has been replaced or written since. text [B, R, text_dim], its last row
  /// standing for `last_weight` rows; clip may be undefined.
  std::shared_ptr<Context> find(const at::Tensor& text, double last_weight, const at::Tensor& clip,
                                const std::vector<at::Tensor>& weights, double scale,
                                const std::function<std::shared_ptr<Context>(bool)>& make);

 private:
  // A tensor's identity; the weak pointer keeps another tensor from getting the same address.
  struct Seen {
    c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
    std::int64_t version;
  };
  struct Entry {
    at::Tensor text, clip;  // copies
    std::vector<Seen> weights;
    double scale;
    std::shared_ptr<Context> context;
  };
  static bool same(const Entry& entry, const at::Tensor& text, double last_weight,
                   const at::Tensor& clip);
  static bool fresh(const Entry& entry, const std::vector<at::Tensor>& weights, double scale);

  mutable std::mutex mutex_;
  std::size_t count_ = 0;
  std::vector<Entry> entries_;  // the latest last
};

/// text [B, L, D] zero-padded to `length` rows (0: as it is), of which the zero rows at the end of
/// all samples are equal: returns the rows up to the first such row and how many rows that one
/// stands for.
std::pair<at::Tensor, double> without_padding(const at::Tensor& text, std::int64_t length);

}  // namespace svi::wan
