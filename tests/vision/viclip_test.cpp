#include "vision/transformers/viclip.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"
#include "vision/hashed_frame.hpp"
#include "vision/preprocess.hpp"
#include "vision/transformers/clip_tokenizer.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

const std::string kVisionData = SVI_SOURCE_DIR "/tests/data/vision/";

/// Undoes Python's unicode_escape, in which the lists of texts are.
std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char kind = text[++i];
    if (kind == 'x' || kind == 'u' || kind == 'U') {
      const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
      const auto code = std::stoul(text.substr(i + 1, digits), nullptr, 16);
      i += digits;
      if (code < 0x80) {
        out += static_cast<char>(code);
        continue;
      }
      const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
      const int lead = more == 1 ? 0xC0 : more == 2 ? 0xE0 : 0xF0;
      out += static_cast<char>(lead | static_cast<int>(code >> (6 * more)));
      for (int k = more - 1; k >= 0; --k)
        out += static_cast<char>(0x80 | static_cast<int>((code >> (6 * k)) & 0x3F));
    } else {
      out += kind == 'n' ? '\n' : kind == 't' ? '\t' : kind == 'r' ? '\r' : kind;
    }
  }
  return out;
}

TEST(ClipTokens, AreThoseOfTheOfficialTokenizer) {
  const ClipTokenizer tokenizer(kVisionData + "clip_table.txt");
  EXPECT_EQ(tokenizer.size(), 512 + 1500 + 2);
  std::ifstream file(kVisionData + "clip_tokens.tsv");
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const auto tab = line.find('\t');
    std::istringstream numbers(line.substr(0, tab));
    std::vector<std::int64_t> wanted;
    for (std::int64_t id = 0; numbers >> id;) wanted.push_back(id);
    EXPECT_EQ(tokenizer.encode(unescaped(line.substr(tab + 1))), wanted) << line.substr(tab + 1);
  }
  EXPECT_EQ(count, 15);
}

TEST(ClipTokens, KeepTheEndWhereTheyAreCut) {
  const ClipTokenizer tokenizer(kVisionData + "clip_table.txt");
  const auto start = tokenizer.start(), end = tokenizer.end();
  EXPECT_EQ(tokenizer.framed("", 4), (std::vector<std::int64_t>{start, end, 0, 0}));
  const auto cut = tokenizer.framed("a b c d e f", 4);
  EXPECT_EQ(cut.size(), 4u);
  EXPECT_EQ(cut.front(), start);
  EXPECT_EQ(cut.back(), end);
}

TEST(ClipTokens, NameATableThatIsNone) {
  const TemporaryFolder folder;
  const std::string path = folder / "table.txt";
  const auto complaint = [&](const std::string& content) -> std::string {
    std::ofstream(path) << content;
    try {
      ClipTokenizer{path};
    } catch (const IoError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(complaint("version\n"), HasSubstr(path + ": is no table"));
  EXPECT_THAT(complaint("version\na b\nabc\n"), HasSubstr("'abc' are no two symbols"));
  EXPECT_THAT(complaint("version\nab c\n"), HasSubstr("joins 'ab', which no line before has made"));
  EXPECT_THROW(ClipTokenizer(folder / "none"), IoError);
}

TEST(ViclipNetwork, AgreesWithTheOfficialOne) {
  const Viclip network(
      Weights(testing::hashed_weights(testing::tensor_list("viclip_small_tensors.tsv")), "viclip"));
  const auto wanted = open_weights(kVisionData + "viclip.safetensors");
  const auto find = [&](const std::string& name) {
    for (const auto& [key, tensor] : wanted)
      if (key == name) return tensor;
    return at::Tensor();
  };
  std::vector<at::Tensor> frames;
  for (int i = 0; i < 8; ++i) {
    frames.push_back(
        normalised(testing::hashed_frame("viclip." + std::to_string(i), 42, 42), kClip));
  }
  const auto video = network.video(at::stack(frames));
  EXPECT_LT((video - find("video")).abs().max().item<float>(), 2e-6);

  const ClipTokenizer tokenizer(kVisionData + "clip_table.txt");
  ASSERT_EQ(network.words(), tokenizer.size());
  const auto ids =
      tokenizer.framed("A cat plays with a ball of wool, slowly panning left.", network.tokens());
  EXPECT_TRUE(at::equal(at::tensor(at::ArrayRef<std::int64_t>(ids)), find("ids")[0]));
  EXPECT_LT((network.text(ids) - find("text")).abs().max().item<float>(), 2e-6);
}

TEST(ViclipNetwork, ReadsTheTensorsOfTheOfficialFile) {
  NamedTensors weights;
  for (const auto& [name, sizes] : testing::tensor_list("viclip_tensors.tsv"))
    weights.emplace_back(name, at::empty(sizes, at::kFloat));  // not one page is touched
  EXPECT_EQ(weights.size(), 447u);
  const Viclip network(Weights(weights, "viclip"));
  EXPECT_EQ(network.frames(), 8);
  EXPECT_EQ(network.side(), 224);
  EXPECT_EQ(network.tokens(), 32);
  EXPECT_EQ(network.words(), 49408);
}

}  // namespace
}  // namespace svi::vision
