#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "model/tiny_dit.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/parallel/mpi_collective.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"
#include "svi/train/trainable.hpp"
#include "svi/train/trainer.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kDim = 4, kFrames = 3, kStride = 4, kPixels = 9;

class AudioAttentionTest : public ::testing::Test {
 protected:
  AudioAttentionTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::shared_ptr<ModelExtension> extension(const WanDit& dit, const std::string& options = {},
                                            std::uint64_t seed = 1) const {
    const auto document = Document::parse(
        "[extension.voice]\ntype = audio_attention\naudio_dim = 4\nwidth = 8\ntokens = 3\n" +
            options,
        "test.ini");
    auto made = make_extensions(registry_, document).at(0);
    made.second->build(made.first, dit.extension_host(), seed);
    return made.second;
  }

  std::unique_ptr<WanDit> model(std::int64_t layers) const {
    auto dit = std::make_unique<WanDit>(test::tiny_dit(layers));
    at::manual_seed(3);
    for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.2);
    return dit;
  }

  static void randomise(ModelExtension& extension) {
    at::manual_seed(4);
    for (const auto& [name, tensor] : extension.parameters()) tensor.normal_(0, 0.3);
  }

  Registry registry_;
  at::Tensor noisy_ = normal({1, Purpose::test, 1, 0}, {2, 2, kFrames, 4, 4});
  at::Tensor times_ = at::tensor({600.F, 200.F});
  at::Tensor audio_ = normal({1, Purpose::test, 2, 0}, {2, kPixels, kDim});
  Condition text_{{part::kText, normal({1, Purpose::test, 3, 0}, {2, 4, 8})}};

  Condition with(const at::Tensor& audio) const {
    auto told = text_;
    told.set(part::kAudio, audio);
    return told;
  }
};

TEST_F(AudioAttentionTest, ChangesNoBitBeforeItIsTrained) {
  for (const bool gradients : {false, true}) {
    const c10::AutoGradMode mode(gradients);
    const auto dit = model(2);
    const auto before = dit->velocity(noisy_, times_, text_);
    dit->attach(extension(*dit));
    EXPECT_TRUE(at::equal(dit->velocity(noisy_, times_, with(audio_)), before));
  }
}

// In a model of one block nothing passes between frames behind the audio.
TEST_F(AudioAttentionTest, LetsEachLatentFrameHearItsOwnPixelFramesAlone) {
  for (const bool gradients : {false, true}) {  // fused, lean
    const c10::AutoGradMode mode(gradients);
    const auto dit = model(1);
    const auto voice = extension(*dit);
    randomise(*voice);
    dit->attach(voice);
    const auto before = dit->velocity(noisy_, times_, with(audio_));
    for (std::int64_t t = 0; t < kPixels; ++t) {
      auto other = audio_.clone();
      other.select(1, t).add_(1);
      const auto changed = (dit->velocity(noisy_, times_, with(other)) - before).abs();
      const auto heard = (t + kStride - 1) / kStride;  // 0, then four pixel frames each
      for (std::int64_t f = 0; f < kFrames; ++f) {
        const auto most = changed.select(2, f).max().item<double>();
        if (f == heard) {
          EXPECT_GT(most, 1e-4) << t;
        } else {
          EXPECT_EQ(most, 0) << t << " " << f;
        }
      }
    }
  }
}

TEST_F(AudioAttentionTest, TakesSeveralFeatureVectorsPerPixelFrame) {
  const auto dit = model(1);
  const auto voice = extension(*dit, "windows = 2\n");
  randomise(*voice);
  dit->attach(voice);
  const auto windows = normal({1, Purpose::test, 5, 0}, {2, kPixels, 2, kDim});
  EXPECT_EQ(dit->velocity(noisy_, times_, with(windows)).sizes(), noisy_.sizes());
  EXPECT_THROW(dit->velocity(noisy_, times_, with(audio_)), ConfigError);
}

TEST_F(AudioAttentionTest, RefusesWhatDoesNotFit) {
  const auto dit = model(2);
  const auto message = [&](const auto& action) {
    try {
      action();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("no ConfigError");
  };
  EXPECT_THAT(message([&] { extension(*dit, "blocks = 0, 2\n"); }), HasSubstr("blocks 0 to 1"));
  dit->attach(extension(*dit, "stride = 2\n"));
  EXPECT_THAT(message([&] { dit->velocity(noisy_, times_, with(audio_)); }),
              HasSubstr("condition.audio has 9 frames"));
}

// By itself, in fp64.
TEST_F(AudioAttentionTest, HasTheGradientsOfFiniteDifferences) {
  const auto dit = model(2);
  const auto voice = extension(*dit, "blocks = 1\n");
  randomise(*voice);
  voice->to(at::kCPU, at::kDouble);
  voice->require_grad(true);
  EXPECT_FALSE(voice->acts_after_cross_attention(0));
  const auto tokens = normal({1, Purpose::test, 6, 0}, {2, kFrames * 4, 24}).to(at::kDouble);
  const auto r = normal({1, Purpose::test, 7, 0}, tokens.sizes()).to(at::kDouble);
  const auto told = with(audio_);
  const std::function<at::Tensor(const at::Tensor&)> embed;
  const auto loss = [&] {
    const TokenGrid grid{kFrames, 2, 2};
    const auto inputs = voice->begin({told, times_, 2, grid, embed});
    return (voice->after_cross_attention({1, tokens, grid, inputs.kept}) * r).sum();
  };
  loss().backward();
  const c10::NoGradGuard no_grad;
  const double step = 1e-5;
  for (const auto& [name, tensor] : voice->parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    const auto flat = tensor.flatten(), gradient = tensor.grad().flatten();
    // A key's bias moves all scores of a query alike: its gradient is zero, up to rounding.
    for (std::int64_t i = 0; i < flat.size(0); i += std::max<std::int64_t>(1, flat.size(0) / 7)) {
      const auto value = flat[i].item<double>();
      flat[i].fill_(value + step);
      const auto up = loss().item<double>();
      flat[i].fill_(value - step);
      const auto down = loss().item<double>();
      flat[i].fill_(value);
      const auto expected = gradient[i].item<double>();
      EXPECT_NEAR((up - down) / (2 * step), expected, 1e-6 * std::max(1.0, std::abs(expected)))
          << name << " " << i;
    }
  }
}

TEST_F(AudioAttentionTest, ComesBackFromItsFile) {
  const TemporaryFolder folder;
  const auto dit = model(4);
  const auto voice = extension(*dit, "blocks = 1, 3\n");
  randomise(*voice);
  voice->save(folder / "voice.safetensors");
  const auto again = extension(*dit, "blocks = 1, 3\n", 2);
  again->load_file(folder / "voice.safetensors");
  const auto& saved = voice->parameters();
  ASSERT_EQ(again->parameters().size(), saved.size());
  bool named = false;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    named |= saved[i].first == "audio.blocks.3.q.weight";
    EXPECT_TRUE(at::equal(again->parameters()[i].second, saved[i].second)) << saved[i].first;
  }
  EXPECT_TRUE(named);
  EXPECT_THROW(extension(*dit)->load_file(folder / "voice.safetensors"), IoError);
}

/// Clips whose latent is in every frame what the sound of that frame says.
class Loudness final : public BatchSource {
 public:
  explicit Loudness(const at::Tensor& text) : text_(text) {}

  TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) override {
    std::vector<at::Tensor> latents, audios;
    for (auto sample = first; sample < first + count; ++sample) {
      const auto audio = normal(
          {5, Purpose::test, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(step)},
          {kPixels, kDim});
      const auto loud = at::stack({audio[0][0], audio[4][0], audio[8][0]});
      latents.push_back(loud.view({1, kFrames, 1, 1}).expand({2, kFrames, 4, 4}));
      audios.push_back(audio);
    }
    return {at::stack(latents),
            {{part::kText, text_.narrow(0, 0, 1).expand({count, -1, -1})},
             {part::kAudio, at::stack(audios)}}};
  }

 private:
  at::Tensor text_;
};

/// A model with an adapter and the extension, and the trainer of both.
struct VoiceTraining {
  VoiceTraining(std::unique_ptr<WanDit> model, std::shared_ptr<ModelExtension> extension,
                const at::Tensor& text, double drop)
      : dit(std::move(model)), voice(std::move(extension)), data(text) {
    lora = std::make_shared<Lora>(LoraConfig{.rank = 2, .alpha = 2}, dit->linears(), 1);
    dit->attach(lora);
    dit->attach(voice);
    auto trained = svi::trainable(*lora);
    for (auto& parameter : svi::trainable(*voice)) trained.push_back(std::move(parameter));
    Trainer::Config config{.steps = 150, .slots = 2, .micro_batch = 4};
    config.loss_weight = LossWeight::unweighted;
    config.optimizer.learning_rate = 1e-2;
    config.optimizer.warmup_steps = 0;
    collective.connect(Communicator::self());
    std::vector<std::pair<std::string, double>> drops;
    if (drop > 0) drops.emplace_back(part::kAudio, drop);
    trainer = std::make_unique<Trainer>(
        config, Trainer::Parts{*dit, trained, data, collective, nullptr, nullptr, drops}, 7,
        Communicator::self());
  }

  /// Mean loss of the last 30 of 150 steps.
  double train() const {
    double sum = 0;
    trainer->run([&](const StepReport& report) {
      if (report.step >= 120) sum += report.unweighted_loss / 30;
    });
    return sum;
  }

  std::unique_ptr<WanDit> dit;
  std::shared_ptr<ModelExtension> voice;
  std::shared_ptr<Lora> lora;
  Loudness data;
  MpiCollective collective;
  std::unique_ptr<Trainer> trainer;
};

TEST_F(AudioAttentionTest, LearnsWhatOnlyTheSoundTells) {
  const auto run = [&](double drop) {
    auto dit = model(2);
    const auto voice = extension(*dit);
    return VoiceTraining(std::move(dit), voice, text_[part::kText], drop).train();
  };
  const auto hearing = run(0), deaf = run(1);
  EXPECT_LT(hearing, 0.7 * deaf);
}

TEST_F(AudioAttentionTest, GoesOnFromACheckpointAsIfNeverStopped) {
  const auto fresh = [&] {
    auto dit = model(2);
    const auto voice = extension(*dit);
    return std::make_unique<VoiceTraining>(std::move(dit), voice, text_[part::kText], 0.3);
  };
  const auto whole = fresh(), first = fresh(), second = fresh();
  whole->trainer->run({}, 12);
  first->trainer->run({}, 5);
  second->trainer->load(first->trainer->state());
  second->trainer->run({}, 12);
  const auto expected = whole->trainer->state(), state = second->trainer->state();
  bool extended = false;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    extended |= state[i].first == "parameters.extension.voice.audio.blocks.1.o.weight";
    EXPECT_TRUE(at::equal(state[i].second, expected[i].second)) << expected[i].first;
  }
  EXPECT_TRUE(extended);
  for (std::size_t i = 0; i < whole->voice->parameters().size(); ++i) {
    EXPECT_TRUE(
        at::equal(second->voice->parameters()[i].second, whole->voice->parameters()[i].second));
  }
}

class SoundingLightTest : public ::testing::Test {
 protected:
  SoundingLightTest() {
    load_plugin(PLUGIN_FILE, registry_);
    world_ = registry_.make<ClipSource>(
        Document::parse("[data]\ntype = sounding_light\nframes = 40\n", "test.ini"), "none");
  }

  Registry registry_;
  std::unique_ptr<ClipSource> world_;
  ClipShape shape_{5, 16, 16};
};

TEST_F(SoundingLightTest, ShinesAsBrightAsItsSoundIsLoud) {
  const auto scene = world_->scene(3, shape_);
  const auto loudness = scene.tracks["audio"].select(1, 0);  // [40]
  const auto truth = *world_->truth(3, 0, 40, shape_);
  EXPECT_TRUE(at::equal(truth.select(1, 0), scene.image));
  EXPECT_TRUE(at::allclose(truth.select(0, 0).select(1, 8).select(1, 8), 0.8 * loudness, 0, 1e-6));
  const auto clip = world_->training_clip(0, 7, shape_);
  EXPECT_TRUE(at::allclose(clip.video.select(0, 0).select(1, 8).select(1, 8),
                           0.8 * clip.tracks["audio"].select(1, 0), 0, 1e-6));
}

TEST_F(SoundingLightTest, GivesTheFramesAFilmNeedsOrSaysThatTheyAreTooFew) {
  const auto tracks = world_->scene(3, shape_).tracks;
  EXPECT_TRUE(at::equal(tracks.slice(8, 5)["audio"], tracks["audio"].narrow(0, 8, 5)));
  try {
    tracks.slice(36, 5);
    FAIL() << "a track of 40 frames gave frame 40";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("track 'audio' has 40 frames, but 41 are needed"));
  }
}

}  // namespace
}  // namespace svi
