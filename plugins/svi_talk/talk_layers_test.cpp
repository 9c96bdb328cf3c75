#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "model/tiny_dit.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/denoiser.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFixtures = SVI_SOURCE_DIR "/tests/data/talk/";

double largest_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

class TalkLayersTest : public ::testing::Test {
 protected:
  TalkLayersTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::shared_ptr<ModelExtension> extension(const std::string& options) const {
    return make_extensions(
               registry_,
               Document::parse("[extension.talk]\ntype = svi_talk\n" + options, "test.ini"))
        .at(0)
        .second;
  }
  std::string problem_of(const std::function<void()>& action) const {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  Registry registry_;
};

/// "name sizes" of every official tensor; "blocks.0-39." stands for 40 of them.
std::set<std::string> official_tensors() {
  std::ifstream in(cat(kFixtures, "multitalk_manifest.tsv"));
  std::set<std::string> names;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    const auto tab = line.find('\t');
    const auto name = line.substr(0, tab), sizes = line.substr(tab + 1);
    const std::string all = "blocks.0-39.";
    if (!name.starts_with(all)) {
      names.insert(name + " " + sizes);
      continue;
    }
    for (int i = 0; i < 40; ++i)
      names.insert(cat("blocks.", i, ".", name.substr(all.size()), " ", sizes));
  }
  return names;
}

TEST_F(TalkLayersTest, HaveExactlyTheOfficialNamesAndSizesByDefault) {
  std::set<std::string> ours;
  std::int64_t count = 0;
  for (const auto& spec : extension("")->parameters_for({.dim = 5120, .heads = 40, .layers = 40})) {
    std::string sizes;
    for (const auto size : spec.sizes) sizes += cat(sizes.empty() ? "" : "x", size);
    ours.insert(spec.name + " " + sizes);
    count += at::empty(spec.sizes, at::kMeta).numel();
  }
  EXPECT_EQ(ours.size(), 330u);
  EXPECT_EQ(count, 2'487'168'000);
  EXPECT_EQ(ours, official_tensors());
}

/// One case of make_talk_fixtures.py.
struct LayersCase {
  explicit LayersCase(const std::string& name)
      : file(SafetensorsFile::open(cat(kFixtures, name, ".safetensors"))) {
    const auto sizes = file.load("sizes");
    const auto at = [&](std::int64_t i) { return sizes[i].item<std::int64_t>(); };
    grid = {at(0), at(1), at(2)};
    host = {.dim = at(10), .heads = at(11), .layers = at(12)};
    options =
        cat("stride = ", at(3), "\nwindow = ", at(4), "\nlayers = ", at(5), "\naudio_dim = ", at(6),
            "\nhidden = ", at(7), "\ntokens = ", at(8), "\nwidth = ", at(9), "\n");
    for (const auto& [key, tensor] : file.load_all())
      if (key.starts_with("weights.")) weights.emplace_back(key.substr(8), tensor);
  }

  SafetensorsFile file;
  TokenGrid grid;
  ExtensionHost host;
  std::string options;
  NamedTensors weights;
};

class TalkParityTest : public TalkLayersTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(TalkParityTest, EqualsAPlainRestatementFrameByFrame) {
  const LayersCase made(GetParam());
  const auto talk = extension(made.options);
  talk->build("talk", made.host, 1);
  talk->load(made.weights, GetParam());
  Condition told;
  told.set(part::kAudio, made.file.load("input.windows"));
  const auto tokens = made.file.load("input.tokens"), time = at::zeros({tokens.size(0)});
  const std::function<at::Tensor(const at::Tensor&)> embed;

  const auto kept = talk->begin({told, time, tokens.size(0), made.grid, embed}).kept;
  EXPECT_LE(largest_error(kept.at(0), made.file.load("output.audio")), 1e-5);
  const auto added = made.file.load("output.added");
  for (std::int64_t i = 0; i < made.host.layers; ++i) {
    ASSERT_TRUE(talk->acts_after_cross_attention(i));
    const auto ours = talk->after_cross_attention({i, tokens, made.grid, kept});
    EXPECT_LE(largest_error(ours, added[i]), 1e-5) << "block " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, TalkParityTest,
                         ::testing::Values("layers_official_shape", "layers_pocket_shape",
                                           "layers_stride_two", "layers_one_frame", "layers_long"));

constexpr const char* kSmall =
    "layers = 1\naudio_dim = 3\nhidden = 8\ntokens = 2\nwidth = 6\nwindow = 3\n";

/// A transformer of one block, with layers that hear.
struct ListeningModel {
  explicit ListeningModel(const std::shared_ptr<ModelExtension>& talk) : dit(test::tiny_dit()) {
    at::manual_seed(3);
    for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.2);
    talk->build("talk", dit.extension_host(), 1);
  }
  at::Tensor velocity(const at::Tensor& heard) const {
    auto told = text;
    if (heard.defined()) told.set(part::kAudio, heard);
    return dit.velocity(noisy, time, told);
  }

  WanDit dit;
  at::Tensor noisy = normal({1, Purpose::test, 1, 0}, {1, 2, 3, 4, 4});
  at::Tensor time = at::tensor({600.F});
  at::Tensor audio = normal({1, Purpose::test, 2, 0}, {1, 9, 3, 1, 3});
  Condition text{{part::kText, normal({1, Purpose::test, 3, 0}, {1, 4, 8})}};
};

TEST_F(TalkLayersTest, ChangeNoBitBeforeTheyAreTrained) {
  const auto talk = extension(kSmall);
  ListeningModel model(talk);
  const auto before = model.velocity({});
  model.dit.attach(talk);
  EXPECT_TRUE(at::equal(model.velocity(model.audio), before));
}

// Window of three rows, stride four: latent frame 1 stands for pixel frames 1 to 4, hears their
// middles and the first row of 1's and the last of 4's window.
TEST_F(TalkLayersTest, LetALatentFrameHearTheRowsOfItsOwnPixelFrames) {
  for (const bool gradients : {false, true}) {
    const c10::AutoGradMode mode(gradients);
    const auto talk = extension(kSmall);
    ListeningModel model(talk);
    at::manual_seed(4);
    for (const auto& [name, tensor] : talk->parameters()) tensor.normal_(0, 0.3);
    model.dit.attach(talk);
    const auto before = model.velocity(model.audio);
    for (std::int64_t t = 0; t < 9; ++t) {
      for (std::int64_t row = 0; row < 3; ++row) {
        auto other = model.audio.clone();
        other.select(1, t).select(1, row).add_(1);
        const auto changed = (model.velocity(other) - before).abs();
        const auto place = (t + 3) % 4;  // in the group of its latent frame
        const bool heard =
            t == 0 || row == 1 || (row == 0 && place == 0) || (row == 2 && place == 3);
        for (std::int64_t f = 0; f < 3; ++f) {
          const auto most = changed.select(2, f).max().item<double>();
          EXPECT_EQ(most > 1e-5, heard && f == (t + 3) / 4) << t << " " << row << " " << f;
        }
      }
    }
  }
}

TEST_F(TalkLayersTest, TakeTheirSizesFromTheirFile) {
  const TemporaryFolder folder;
  const auto talk = extension(std::string(kSmall) + "stride = 2\n");
  const ExtensionHost host{.dim = 24, .heads = 2, .layers = 2};
  talk->build("talk", host, 1);
  talk->save(folder / "talk.safetensors");
  const auto again = extension("window = 3\nfile = " + (folder / "talk.safetensors") + "\n");
  again->build("talk", host, 2);
  again->load_file(folder / "talk.safetensors");
  EXPECT_EQ(again->reads().at(0).sizes, (std::vector<std::int64_t>{kAnySize, 3, 1, 3}));
  ASSERT_EQ(again->parameters().size(), talk->parameters().size());
  for (std::size_t i = 0; i < talk->parameters().size(); ++i)
    EXPECT_TRUE(at::equal(again->parameters()[i].second, talk->parameters()[i].second));

  save_safetensors(folder / "other.safetensors", {{"audio.proj", at::zeros({2, 2})}});
  EXPECT_THAT(
      problem_of([&] { extension("file = " + (folder / "other.safetensors") + "\n"); }),
      HasSubstr("has no matrix audio_proj.proj1.weight: not the audio layers of MultiTalk"));
  EXPECT_THAT(problem_of([&] {
                extension("window = 101\nfile = " + (folder / "talk.safetensors") + "\n");
              }),
              HasSubstr("no audio layers for windows of 101 rows"));
}

TEST_F(TalkLayersTest, RefuseWhatTheyCannotDo) {
  EXPECT_THAT(problem_of([&] { extension("speakers = 2\n"); }),
              HasSubstr("one speaker is animated"));
  EXPECT_THAT(problem_of([&] { extension("window = 4\n"); }), HasSubstr("must be odd"));
  const auto official = extension("");
  EXPECT_THAT(problem_of([&] {
                official->track_of(part::kAudio, {"speech.wav", 25, 10, 0});
              }),
              HasSubstr("encoder is missing"));
  const auto talk = extension(std::string(kSmall) + "stride = 2\n");
  ListeningModel model(talk);
  model.dit.attach(talk);
  EXPECT_THAT(problem_of([&] { model.velocity(model.audio); }),
              HasSubstr("stride = 2 a clip of 3 latent frames has 5"));
}

/// v = text + 10 sound + text x sound.
class TextAndSound final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& told) const override {
    const auto text = told[part::kText].mean(), sound = told[part::kAudio].mean();
    return at::zeros_like(noisy) + text + 10 * sound + text * sound;
  }
};

TEST_F(TalkLayersTest, GuidanceWeighsTextAndSoundApart) {
  Condition positive{{part::kText, at::full({1, 2, 1}, 3.0)}};
  positive.set(part::kAudio, at::full({1, 5, 3, 1, 2}, 2.0));
  Condition negative = positive;
  negative.set(part::kText, at::full({1, 2, 1}, -1.0));
  const double nothing = -1, sound = -1 + 20 - 2, both = 3 + 20 + 6;
  for (const auto& [text_scale, audio_scale] : {std::pair(2.0, 5.0), {1.0, 1.0}, {4.0, 0.5}}) {
    const auto guidance = registry_.make<Guidance>(
        Document::parse(cat("[guidance]\ntype = talk\ntext_scale = ", text_scale,
                            "\naudio_scale = ", audio_scale, "\n"),
                        "test.ini"),
        "none");
    const TextAndSound model;
    const Denoiser denoiser(model, *guidance, positive, negative);
    const auto v = denoiser.velocity(at::zeros({1, 2, 1, 2, 2}), 500, 0);
    EXPECT_NEAR(v.max().item<double>(),
                nothing + text_scale * (both - sound) + audio_scale * (sound - nothing), 1e-4);
  }
  const auto guidance =
      registry_.make<Guidance>(Document::parse("[guidance]\ntype = talk\n", "test.ini"), "none");
  Condition mute{{part::kText, at::ones({1, 2, 1})}};
  const TextAndSound model;
  EXPECT_THAT(problem_of([&] {
                Denoiser(model, *guidance, mute, mute).velocity(at::zeros({1, 2, 1, 2, 2}), 500, 0);
              }),
              HasSubstr("the model is told none"));
}

}  // namespace
}  // namespace svi
