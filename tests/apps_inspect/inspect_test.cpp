#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using svi::testing::Fixture;
using svi::testing::relative_error;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int code = -1;
  std::string output;  // stdout and stderr
};

class Inspect : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / cat("svi-inspect-", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string save(const std::string& name, const NamedTensors& tensors) const {
    save_safetensors(path(name), tensors);
    return path(name);
  }
  static Outcome call(const std::string& arguments) {
    Outcome outcome;
    auto command = "'" SVI_BINARY_DIR "/bin/svi-inspect' " + arguments + " 2>&1";
    // The source tree may lie in a folder with spaces.
    const std::string root = SVI_SOURCE_DIR, quoted = "'" + root + "'";
    const auto begin = command.find("' ");
    for (auto at = command.find(root, begin); at != std::string::npos;
         at = command.find(root, at + quoted.size()))
      command.replace(at, root.size(), quoted);
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return outcome;
    char buffer[4096];
    for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      outcome.output.append(buffer, n);
    outcome.code = WEXITSTATUS(pclose(pipe));
    return outcome;
  }
  static void expect_refused(const std::string& arguments, const std::string& fragment) {
    const auto outcome = call(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("svi-inspect: "), HasSubstr(fragment)))
        << arguments;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
  }

  fs::path folder_;
};

NamedTensors vae_weights(const Fixture& fixture) {
  auto weights = fixture.group("weights.");
  weights.emplace_back("latent_mean", fixture("latent_mean"));
  weights.emplace_back("latent_std", fixture("latent_std"));
  return weights;
}

TEST_F(Inspect, TellsWhatAnExtensionTakes) {
  save_safetensors(path("voice.safetensors"),
                   {{"audio.proj.weight", at::zeros({8, 4})},
                    {"audio.blocks.3.q.weight", at::zeros({8, 8})},
                    {"audio.blocks.3.q.bias", at::zeros({8})}},
                   {{"extension", "voice"}});
  const auto outcome = call(path("voice.safetensors"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("kind: model extension 'voice'"),
            HasSubstr("104 parameters, 416 bytes in memory"), HasSubstr("blocks.3: 72 parameters"),
            HasSubstr("outside the blocks: 32 parameters"), HasSubstr("mapped: 3 of 3 tensors")));
}

TEST_F(Inspect, RunsTheTransformer) {
  for (const auto* name : {"dit_t2v", "dit_i2v_clip", "dit_odd"}) {
    const Fixture fixture(name);
    const auto weights = save("w.safetensors", fixture.group("weights."));
    const auto inputs = save("i.safetensors", fixture.group("input."));
    fs::remove(path("o.safetensors"));  // svi-inspect writes over nothing
    const auto outcome = call(cat("run dit --weights ", weights, " --inputs ", inputs, " --out ",
                                  path("o.safetensors"), " --heads ", fixture.heads()));

    ASSERT_EQ(outcome.code, 0) << outcome.output;
    const auto v = SafetensorsFile::open(path("o.safetensors")).load("v");
    EXPECT_LE(relative_error(v, fixture("output.v")), 1e-4) << name;
  }
}

TEST_F(Inspect, RunsTheCodecBothWays) {
  const Fixture fixture("vae_small");
  const auto weights = save("w.safetensors", vae_weights(fixture));
  const auto video = save("video.safetensors", {{"video", fixture("video_5")}});
  const auto latent = save("latent.safetensors", {{"latent", fixture("input_5")}});
  const auto encoded =
      call(cat("run vae-encode --weights ", weights, " --inputs ", video, " --out ", path("a")));
  const auto decoded =
      call(cat("run vae-decode --weights ", weights, " --inputs ", latent, " --out ", path("b")));

  ASSERT_EQ(encoded.code, 0) << encoded.output;
  ASSERT_EQ(decoded.code, 0) << decoded.output;
  EXPECT_LE(relative_error(SafetensorsFile::open(path("a")).load("latent"), fixture("latent_5")),
            1e-4);
  EXPECT_LE(relative_error(SafetensorsFile::open(path("b")).load("video"), fixture("decoded_5")),
            1e-4);
}

TEST_F(Inspect, ListsWhatACheckpointIs) {
  const auto dit = call(save("dit.safetensors", Fixture("dit_i2v_clip").group("weights.")));
  const auto vae = call(save("vae.safetensors", vae_weights(Fixture("vae_small"))));
  const auto lora = call(save("lora.safetensors", Fixture("dit_lora").group("lora.")));
  const auto other = call(save("other.safetensors", {{"a", at::zeros({2, 3})}}));

  EXPECT_THAT(dit.output, AllOf(HasSubstr("kind: Wan DiT I2V"), HasSubstr("self-attention"),
                                Not(HasSubstr("-> nothing"))));
  EXPECT_THAT(vae.output, AllOf(HasSubstr("kind: Wan VAE"), HasSubstr("strides 2 x 4 x 4"),
                                HasSubstr("latent_mean"), Not(HasSubstr("-> nothing"))));
  EXPECT_THAT(lora.output, AllOf(HasSubstr("kind: LoRA"), HasSubstr("rank 4"),
                                 HasSubstr("A of blocks.0.self_attn.q")));
  EXPECT_THAT(other.output, AllOf(HasSubstr("kind: unknown"),
                                  HasSubstr("1 tensors, 6 values, 24 bytes"), HasSubstr("[2, 3]")));
  for (const auto& outcome : {dit, vae, lora, other}) EXPECT_EQ(outcome.code, 0);
}

NamedTensors encoder_weights(const std::string& name) {
  NamedTensors found;
  const auto file = cat(SVI_SOURCE_DIR, "/tests/data/encoder/", name, ".safetensors");
  for (const auto& [key, tensor] : SafetensorsFile::open(file).load_all()) {
    if (key.starts_with("weights.")) found.emplace_back(key.substr(8), tensor);
  }
  return found;
}

TEST_F(Inspect, ListsEncoders) {
  const auto umt5 = call(save("umt5.safetensors", encoder_weights("umt5_small")));
  auto tower = encoder_weights("clip_small");
  tower.emplace_back("textual.norm.weight", at::ones({4}));
  const auto clip = call(save("clip.safetensors", tower));

  EXPECT_THAT(umt5.output, AllOf(HasSubstr("kind: umT5 encoder"), HasSubstr("vocabulary 50"),
                                 HasSubstr("feed-forward"), Not(HasSubstr("-> nothing"))));
  EXPECT_THAT(clip.output, AllOf(HasSubstr("kind: CLIP image tower"), HasSubstr("text tower"),
                                 Not(HasSubstr("missing:")), Not(HasSubstr("-> nothing"))));
}

TEST_F(Inspect, BadInputGetsOneLineAndExitCodeTwo) {
  const Fixture fixture("vae_small");
  const auto weights = save("w.safetensors", vae_weights(fixture));
  const auto video = save("i.safetensors", {{"video", fixture("video_5")}});
  const auto flat = save("flat.safetensors", {{"video", at::zeros({3, 5, 8, 8})}});
  const auto four = save("four.safetensors", {{"video", at::zeros({1, 3, 4, 8, 8})}});
  auto lacking = vae_weights(fixture);
  lacking.erase(lacking.begin() + 20);
  const auto fewer = save("fewer.safetensors", lacking);
  std::ofstream(path("cut.safetensors")) << "\x40";
  const auto encode = [&](const std::string& w, const std::string& i) {
    return cat("run vae-encode --weights ", w, " --inputs ", i, " --out ", path("o.safetensors"));
  };

  expect_refused("", "--help");
  expect_refused(path("none.safetensors"), "none.safetensors");
  expect_refused(path("cut.safetensors"), "cut.safetensors");
  expect_refused("run unet --weights a --inputs b --out c", "dit, vae-encode or vae-decode");
  expect_refused("run dit --weights a --inputs b", "--out is missing");
  expect_refused("--wrong", "wrong");
  expect_refused(encode(weights, path("none.safetensors")), "none.safetensors");
  expect_refused(encode(weights, weights), "needs the tensor video [B, 3, T, H, W]");
  expect_refused(encode(weights, flat), "[B, 3, T, H, W]");
  expect_refused(encode(weights, four), "3 and 5");
  expect_refused(encode(fewer, video), "fewer.safetensors");
  expect_refused(encode(video, video), "not the weights of a Wan VAE");
  expect_refused(encode(weights, video) + " --device tpu", "--device tpu");
  expect_refused(cat("run dit --weights ", weights, " --inputs ", video, " --out ", path("o")),
                 "w.safetensors");
  EXPECT_FALSE(fs::exists(path("o.safetensors")));
}

TEST_F(Inspect, ConvertsNamesThereAndBack) {
  const auto pocket = std::string(SVI_SOURCE_DIR) + "/data/pocket/";
  const auto there =
      call("convert " + pocket + "dit.safetensors --to diffusers --shard-gib 0.002 --out " +
           path("there.safetensors"));
  ASSERT_EQ(there.code, 0) << there.output;
  const auto index = path("there.safetensors.index.json");
  EXPECT_THAT(call(index + " --brief").output,
              HasSubstr("Wan transformer, not by its official names"));
  const auto back = call("convert " + index + " --out " + path("back.safetensors"));
  ASSERT_EQ(back.code, 0) << back.output;
  const auto before = SafetensorsFile::open(pocket + "dit.safetensors");
  const auto after = SafetensorsFile::open(path("back.safetensors"));
  ASSERT_EQ(after.infos().size(), before.infos().size());
  for (const auto& info : before.infos())
    EXPECT_TRUE(at::equal(after.load(info.name), before.load(info.name))) << info.name;
}

TEST_F(Inspect, MergesAdaptersWhileConverting) {
  const auto pocket = std::string(SVI_SOURCE_DIR) + "/data/pocket/";
  const auto merged = call("convert " + pocket + "dit.safetensors --heads 4 --lora " + pocket +
                           "erft.safetensors=0.5 --out " + path("merged.safetensors"));
  ASSERT_EQ(merged.code, 0) << merged.output;
  EXPECT_THAT(merged.output, HasSubstr("at strength 0.5: 50 tensors match"));
  const auto before = SafetensorsFile::open(pocket + "dit.safetensors");
  const auto after = SafetensorsFile::open(path("merged.safetensors"));
  const auto moved = [&](const std::string& name) {
    return (after.load(name) - before.load(name)).abs().max().item<double>();
  };
  EXPECT_GT(moved("blocks.0.self_attn.q.weight"), 0);
  EXPECT_EQ(moved("patch_embedding.weight"), 0);
}

NamedTensors adapter(const std::string& layer, std::int64_t rank) {
  return {{layer + ".lora_down.weight", at::full({rank, 128}, 0.1)},
          {layer + ".lora_up.weight", at::full({128, rank}, 0.1)}};
}

NamedTensors operator+(NamedTensors one, const NamedTensors& two) {
  one.insert(one.end(), two.begin(), two.end());
  return one;
}

const std::string kPocket = std::string(SVI_SOURCE_DIR) + "/data/pocket/";

TEST_F(Inspect, TellsRankAlphaAndScaleOfEachLayerOfAnAdapter) {
  const auto file =
      save("ranks.safetensors",
           adapter("diffusion_model.blocks.0.self_attn.q", 2) +
               NamedTensors{{"diffusion_model.blocks.0.self_attn.q.alpha", at::full({}, 8.0)}} +
               adapter("diffusion_model.blocks.0.self_attn.k", 4) +
               NamedTensors{{"diffusion_model.blocks.0.norm3.diff", at::ones({128})}});
  const auto outcome = call(file);
  ASSERT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_THAT(
      outcome.output,
      AllOf(HasSubstr("kind: LoRA\n"), HasSubstr("names of ComfyUI"),
            HasSubstr("blocks.0.self_attn.q.weight: rank 2, alpha 8, scale 4\n"),
            HasSubstr(
                "blocks.0.self_attn.k.weight: rank 4, no alpha told, so as the rank, scale 1\n"),
            HasSubstr("blocks.0.norm3.weight: dense difference\n"),
            HasSubstr("mapped: 6 of 6 tensors"), Not(HasSubstr("warning"))));
  EXPECT_THAT(call(file + " --brief").output,
              AllOf(HasSubstr("1 of rank 2, alpha 8, scale 4"),
                    Not(HasSubstr("blocks.0.self_attn.q.weight:"))));
}

TEST_F(Inspect, WarnsOfAnAlphaOfZeroAndSoDoesAConversion) {
  const auto file = save("zero.safetensors",
                         adapter("lora_unet_blocks_0_self_attn_q", 2) +
                             NamedTensors{{"lora_unet_blocks_0_self_attn_q.alpha", at::zeros({})}});
  EXPECT_THAT(call(file).output, AllOf(HasSubstr("warning: 1 of 1 layers have alpha 0, so scale 0"),
                                       HasSubstr("rank 2, alpha 0, scale 0")));
  const auto merged = call("convert " + kPocket + "dit.safetensors --heads 4 --lora " + file +
                           " --out " + path("m.safetensors"));
  EXPECT_EQ(merged.code, 0);
  EXPECT_THAT(merged.output, HasSubstr("warning: 1 of 1 layers have alpha 0"));
}

TEST_F(Inspect, MapsOfAnAdapterExactlyWhatAConversionMerges) {
  const auto convert = [&](const std::string& lora, const std::string& out) {
    return call("convert " + kPocket + "dit.safetensors --heads 4 --lora " + lora + " --out " +
                path(out));
  };
  std::vector<std::string> written;
  for (const std::string stem : {"lora_unet_blocks_0_self_attn_q", "lora_unet_blocks.0.self_attn.q",
                                 "diffusion_model.blocks.0.self_attn.q"}) {
    const auto file = save("l.safetensors",
                           adapter(stem, 2) + NamedTensors{{stem + ".alpha", at::full({}, 2.0)}});
    EXPECT_THAT(call(file).output, HasSubstr("mapped: 3 of 3 tensors"));
    EXPECT_THAT(call(file + " --weights " + kPocket + "dit.safetensors").output,
                HasSubstr("dit.safetensors: 1 of 1 layers fit this transformer"));
    fs::remove(path("m.safetensors"));
    const auto merged = convert(file, "m.safetensors");
    EXPECT_EQ(merged.code, 0) << merged.output;
    EXPECT_THAT(merged.output, HasSubstr("1 tensors match"));
    std::ifstream in(path("m.safetensors"), std::ios::binary);
    written.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  EXPECT_TRUE(written[0] == written[1] && written[1] == written[2]);

  const auto none = save("none.safetensors", adapter("diffusion_model.blocks.0.other", 2));
  EXPECT_THAT(call(none).output, AllOf(HasSubstr("kind: LoRA"), HasSubstr("a film refuses it"),
                                       HasSubstr("mapped: 0 of 2 tensors")));
  EXPECT_EQ(convert(none, "n.safetensors").code, 2);
  const auto far = save("far.safetensors", adapter("diffusion_model.blocks.99.self_attn.q", 2));
  EXPECT_THAT(call(far + " --weights " + kPocket + "dit.safetensors").output,
              AllOf(HasSubstr("0 of 1 layers fit this transformer"),
                    HasSubstr("missing: in the transformer: blocks.99.self_attn.q.weight")));
  EXPECT_EQ(convert(far, "n.safetensors").code, 2);
  EXPECT_FALSE(fs::exists(path("n.safetensors")));
}

/// The pocket's transformer behind a nest.
NamedTensors nested(const std::string& nest) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : SafetensorsFile::open(kPocket + "dit.safetensors").load_all())
    tensors.emplace_back(nest + name, tensor);
  return tensors;
}

TEST_F(Inspect, ReadsNestedCheckpointsAndAsksWhichOfSeveralCopies) {
  const auto one =
      save("one.safetensors", nested("generator_ema.model._fsdp_wrapped_module._orig_mod.") +
                                  NamedTensors{{"optimizer.state.0.exp_avg", at::zeros({3})}});
  const auto count = SafetensorsFile::open(kPocket + "dit.safetensors").infos().size();
  EXPECT_THAT(call(one).output,
              AllOf(HasSubstr("kind: Wan DiT"), HasSubstr("'generator_ema.model.'"),
                    HasSubstr("_fsdp_wrapped_module, _orig_mod"), HasSubstr("self-attention"),
                    HasSubstr(cat("mapped: ", count, " of ", count + 1, " tensors"))));
  ASSERT_EQ(call("convert " + one + " --out " + path("plain.safetensors")).code, 0);
  const auto before = SafetensorsFile::open(kPocket + "dit.safetensors");
  const auto after = SafetensorsFile::open(path("plain.safetensors"));
  ASSERT_EQ(after.infos().size(), count);
  for (const auto& info : before.infos())
    EXPECT_TRUE(at::equal(after.load(info.name), before.load(info.name))) << info.name;

  const auto two = save("two.safetensors", nested("generator.") + nested("generator_ema."));
  EXPECT_THAT(call(two).output, AllOf(HasSubstr("kind: unknown"), HasSubstr("--copy NAME"),
                                      HasSubstr("generator, generator_ema")));
  expect_refused("convert " + two + " --out " + path("x.safetensors"), "generator, generator_ema");
  EXPECT_FALSE(fs::exists(path("x.safetensors")));
  const auto chosen =
      call("convert " + two + " --copy generator_ema --out " + path("x.safetensors"));
  EXPECT_EQ(chosen.code, 0) << chosen.output;
  EXPECT_THAT(chosen.output, HasSubstr("tensors are left out"));
  EXPECT_THAT(call(two + " --copy generator_ema").output, HasSubstr("kind: Wan DiT"));
}

TEST_F(Inspect, RefusesToConvertAModelThatIsNotWhole) {
  auto dit = nested("");
  dit.erase(dit.begin() + 7);
  const auto fewer = save("fewer.safetensors", dit);
  expect_refused("convert " + fewer + " --out " + path("x.safetensors"), "missing (1)");
  auto umt5 = encoder_weights("umt5_small");
  std::erase_if(umt5, [](const auto& named) { return named.first == "token_embedding.weight"; });
  const auto wordless = save("wordless.safetensors", umt5);
  expect_refused("convert " + wordless + " --out " + path("x.safetensors"),
                 "token_embedding.weight is missing");
  const auto scaleless = save("scaleless.safetensors",
                              {{"scaled_fp8", at::zeros({0})},
                               {"blocks.0.ffn.0.weight", at::ones({16, 8}).to(at::kFloat8_e4m3fn)},
                               {"blocks.0.ffn.2.weight", at::ones({8, 16}).to(at::kFloat8_e4m3fn)},
                               {"blocks.0.ffn.2.scale_weight", at::full({}, 0.001)}});
  expect_refused("convert " + scaleless + " --out " + path("x.safetensors"),
                 "'blocks.0.ffn.0.weight': has no scale beside it");
  EXPECT_THAT(call(scaleless).output, HasSubstr("has no scale beside it"));
  EXPECT_FALSE(fs::exists(path("x.safetensors")));
}

TEST_F(Inspect, WritesOverNoFile) {
  const auto dit = std::string(SVI_SOURCE_DIR) + "/data/pocket/dit.safetensors";
  fs::copy_file(dit, path("in.safetensors"));
  const auto convert = "convert " + path("in.safetensors") + " --out ";
  expect_refused(convert + path("in.safetensors"), "is there already");
  expect_refused(convert + path("nowhere/x.safetensors"), "is not there");
  fs::create_symlink(path("in.safetensors"), path("link.safetensors"));
  expect_refused(convert + path("link.safetensors"), "is a link");
  fs::copy_file(dit, path("s-00002-of-00003.safetensors"));
  expect_refused(convert + path("s.safetensors") + " --shard-gib 0.0024", "is there already");
  EXPECT_FALSE(fs::exists(path("s-00001-of-00003.safetensors")));
  EXPECT_EQ(fs::file_size(path("in.safetensors")), fs::file_size(dit));
}

TEST_F(Inspect, ShowsHowStrayWordsAreMeant) {
  expect_refused("my weights.safetensors", "my weights.safetensors");
  expect_refused("convert a b --out c", "b belongs to no option");
}

TEST_F(Inspect, RefusesConversionsItCannotDo) {
  const auto dit = std::string(SVI_SOURCE_DIR) + "/data/pocket/dit.safetensors ";
  expect_refused("convert " + dit, "--out is missing");
  expect_refused("convert " + dit + "--to elsewhere --out " + path("x.safetensors"),
                 "--to elsewhere is not one of");
  expect_refused("convert " + dit + "--out " + path("x.bin"), "must end in .safetensors");
  expect_refused("convert " + std::string(SVI_SOURCE_DIR) +
                     "/data/pocket/critic.safetensors --out " + path("x.safetensors"),
                 "neither a transformer nor a codec");
}

}  // namespace
}  // namespace svi
