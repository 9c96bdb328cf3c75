#include "svi/pretrained/memory_estimate.hpp"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// Stands in for LibTorch's CPU allocator, and counts what it is asked for.
class Counter final : public c10::Allocator {
 public:
  Counter() { c10::SetCPUAllocator(this, /*priority=*/255); }

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) return {nullptr, c10::Device(c10::kCPU)};
    auto* block = static_cast<char*>(
        std::aligned_alloc(kAlignment, (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment));
    if (block == nullptr) throw std::bad_alloc();
    *reinterpret_cast<std::int64_t*>(block) = static_cast<std::int64_t>(bytes);
    const auto now = live_ += static_cast<std::int64_t>(bytes);
    for (auto peak = peak_.load(); now > peak && !peak_.compare_exchange_weak(peak, now);) {
    }
    auto* data = block + kAlignment;
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  static void start() { peak_ = live_.load(), before_ = live_.load(); }
  static std::int64_t peak() { return peak_ - before_; }

 private:
  static constexpr std::size_t kAlignment = 64;
  static void release(void* data) {
    if (data == nullptr) return;
    auto* block = static_cast<char*>(data) - kAlignment;
    live_ -= *reinterpret_cast<std::int64_t*>(block);
    std::free(block);
  }
  static std::atomic<std::int64_t> live_, peak_;
  static std::int64_t before_;
};
std::atomic<std::int64_t> Counter::live_{0}, Counter::peak_{0};
std::int64_t Counter::before_ = 0;

/// The most that was allocated at a time in `work`, beyond what was there before. Bytes.
Counter counter;  // for as long as the process lives: what it gave must come back to it

template <class Work>
std::int64_t measured(const Work& work) {
  const c10::NoGradGuard no_gradients;
  Counter::start();
  work();
  return Counter::peak();
}

/// `foretold` is not below what was measured, but for rounding, and not much above.
void expect_near(const std::string& what, std::int64_t peak, std::int64_t foretold, double above) {
  const auto ratio = static_cast<double>(foretold) / static_cast<double>(peak);
  EXPECT_GE(ratio, 0.95) << what << ": measured " << peak << " bytes, foretold " << foretold;
  EXPECT_LE(ratio, above) << what << ": measured " << peak << " bytes, foretold " << foretold;
}

std::int64_t tensors(const WorkingMemory& memory) { return memory.activations + memory.cache; }

WanDitConfig small_dit(std::int64_t dim, std::int64_t ffn) {
  WanDitConfig config;
  config.dim = dim;
  config.ffn_dim = ffn;
  config.heads = dim / 128;
  config.layers = 2;
  config.in_dim = 36;
  config.text_dim = 64;
  config.text_len = 32;
  return config;
}

void check_dit(const WanDitConfig& config, DitWork work, std::int64_t clip) {
  const WanDit model(config, at::TensorOptions(work.dtype));
  const auto B = work.batch;
  const auto noisy = at::randn({B, 16, work.frames, work.height, work.width});
  const Condition condition{
      {part::kText, at::randn({B, config.text_len, config.text_dim})},
      {part::kImage, at::randn({B, 20, work.frames, work.height, work.width})},
      {part::kClip, clip > 0 ? at::randn({B, clip, config.image_dim}) : at::Tensor()}};
  const auto timestep = at::full({B}, 500.0);
  work.clip_tokens = clip;
  expect_near(cat("transformer in ", work.dtype),
              measured([&] { model.velocity(noisy, timestep, condition); }),
              tensors(dit_work(config, work)), 1.1);
}

TEST(DitWork, ForetellsTheAllocationsOfAForwardPass) {
  const auto config = small_dit(256, 1024);
  check_dit(config, {.frames = 5, .height = 32, .width = 48, .dtype = at::kFloat}, 0);
  check_dit(config, {.frames = 5, .height = 32, .width = 48, .dtype = at::kBFloat16}, 0);
  check_dit(config, {.batch = 2, .frames = 3, .height = 32, .width = 32, .dtype = at::kBFloat16},
            0);
  // More tokens than the feed-forward takes at a time.
  check_dit(config, {.frames = 6, .height = 56, .width = 56, .dtype = at::kBFloat16}, 0);
  auto image = small_dit(256, 1536);
  image.image_dim = 64;
  check_dit(image, {.frames = 5, .height = 32, .width = 32, .dtype = at::kFloat}, 17);
}

TEST(DitWork, ForetellsThePlainBlocksThatAGpuRuns) {
  // Half precision on the CPU takes the same blocks.
  const auto config = small_dit(256, 1024);
  check_dit(config, {.frames = 3, .height = 32, .width = 32, .dtype = at::kHalf}, 0);
  auto wide = small_dit(128, 2048);
  check_dit(wide, {.frames = 3, .height = 32, .width = 32, .dtype = at::kHalf}, 0);
}

WanVae codec(std::int64_t dim, std::int64_t widening = 2) {
  WanVaeConfig config;
  config.dim = dim;
  config.dim_mult = {1, widening, widening, widening};
  WanVae vae(config);
  vae.initialise(1);
  vae.require_grad(false);
  return vae;
}

TEST(VaeWork, ForetellsTheAllocationsFrameByFrame) {
  const auto vae = codec(64);
  const VideoWork work{.frames = 9, .height = 64, .width = 96};
  const auto video = at::rand({1, 3, work.frames, work.height, work.width});
  at::Tensor latent;
  expect_near("encoder", measured([&] { latent = vae.encode(video); }),
              tensors(vae_encode_work(vae.config(), work)), 1.2);
  DecoderStream stream(vae);
  const auto decoding = measured([&] {
    for (std::int64_t f = 0; f < latent.size(2); ++f) stream.push(latent.narrow(2, f, 1));
  });
  expect_near("decoder", decoding, tensors(vae_decode_work(vae.config(), work)), 1.2);
}

TEST(VaeWork, EncodingTakesNoMoreMemoryForMoreFrames) {
  const auto vae = codec(64, 1);
  const auto peak = [&](std::int64_t frames) {
    const auto video = at::rand({1, 3, frames, 32, 32});
    return measured([&] { vae.encode(video); });
  };
  EXPECT_NEAR(static_cast<double>(peak(13)), static_cast<double>(peak(9)), 1e5);
}

TEST(VaeWork, ForetellsTheAllocationsOfWholeVideosAndStreams) {
  // High and narrow: convolutions of less rows take a path of LibTorch that official sizes do not.
  const VideoWork work{.frames = 9, .height = 512, .width = 16};
  const auto vae = codec(16);
  const auto video = at::rand({1, 3, work.frames, work.height, work.width});
  at::Tensor latent;
  expect_near("encoder", measured([&] { latent = vae.encode(video); }),
              vae_encode_work(vae.config(), work).total(), 1.3);
  DecoderStream stream(vae);
  const auto decoding = measured([&] {
    for (std::int64_t f = 0; f < latent.size(2); ++f) stream.push(latent.narrow(2, f, 1));
  });
  expect_near("decoder", decoding, vae_decode_work(vae.config(), work).total(), 1.3);
}

void randomise(const NamedTensors& shapes, at::ScalarType dtype, NamedTensors& weights) {
  for (const auto& [name, tensor] : shapes)
    weights.emplace_back(name, at::randn(tensor.sizes(), at::TensorOptions(dtype)) * 0.02);
}

TEST(Umt5Work, ForetellsTheAllocationsOfEncoding) {
  const Umt5Config config{
      .vocabulary = 100, .dim = 256, .attention_dim = 256, .ffn_dim = 640, .heads = 4, .layers = 2};
  for (const auto compute : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t texts : {1, 2}) {
      Umt5Encoder encoder(config);
      NamedTensors weights;
      randomise(encoder.parameters(), at::kBFloat16, weights);
      encoder.adopt(weights);
      encoder.compute(at::kCPU, compute);
      const auto ids = at::randint(0, 100, {texts, 160}, at::kLong);
      const auto lengths = at::full({texts}, 160, at::kLong);
      expect_near(cat("umT5 in ", compute), measured([&] { encoder.encode(ids, lengths); }),
                  tensors(umt5_work(config, texts, 160, compute, compute != at::kBFloat16)), 1.15);
    }
  }
}

TEST(ClipWork, ForetellsTheAllocationsOfAnImage) {
  const ClipVisionConfig config{
      .image = 56, .patch = 7, .dim = 160, .mlp_dim = 640, .heads = 2, .layers = 3};
  for (const auto stored : {at::kHalf, at::kFloat}) {
    ClipVision tower(config);
    NamedTensors weights;
    randomise(tower.parameters(), stored, weights);
    tower.adopt(weights);
    const auto frames = at::rand({1, 3, 64, 64});
    expect_near("CLIP", measured([&] { tower.encode(frames); }),
                tensors(clip_work(config, 1, stored != at::kFloat)), 1.15);
  }
}

}  // namespace
}  // namespace svi
