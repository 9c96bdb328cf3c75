#include "svi/encoder/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const fs::path kData = fs::path(SVI_SOURCE_DIR) / "tests/data/encoder";

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

class TokenizerFiles : public ::testing::Test {
 protected:
  TokenizerFiles() { fs::remove_all(folder); }
  ~TokenizerFiles() override { fs::remove_all(folder); }
  const fs::path folder = fs::temp_directory_path() / cat("svi-tokenizer-", ::getpid());
};

TEST(Tokenizer, GivesTheIdsOfHuggingFacesFastTokenizer) {
  const auto tokenizer = Tokenizer::open(kData / "tiny.model");
  std::ifstream in(kData / "token_ids.tsv");
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto tab = line.find('\t');
    std::istringstream numbers(line.substr(0, tab));
    const std::vector<std::int64_t> expected{std::istream_iterator<std::int64_t>(numbers), {}};
    const auto text = nlohmann::json::parse(line.substr(tab + 1)).get<std::string>();

    EXPECT_EQ(tokenizer.encode(text), expected) << text.substr(0, 80);
  }
  EXPECT_GT(lines, 80);
}

TEST(Tokenizer, CutsALongTextButKeepsTheEndSymbol) {
  const auto tokenizer = Tokenizer::open(kData / "tiny.model");
  const auto all = tokenizer.encode("A fluffy orange cat sleeps on a windowsill.");

  const auto cut = tokenizer.encode("A fluffy orange cat sleeps on a windowsill.", 4);

  ASSERT_GT(all.size(), 4U);
  EXPECT_THAT(cut, ElementsAre(all[0], all[1], all[2], tokenizer.end_id()));
  EXPECT_THAT(tokenizer.encode("anything", 1), ElementsAre(tokenizer.end_id()));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre(tokenizer.end_id()));
}

TEST(Tokenizer, TellsHowMuchOfATextItReads) {
  const auto tokenizer = Tokenizer::open(kData / "tiny.model");
  std::string text;
  for (int i = 0; i < 40; ++i) text += "a red car ";
  EXPECT_EQ(tokenizer.bytes_read("a red car", 512), 9u);
  for (const std::int64_t length : {1, 2, 5, 17, 64}) {
    const auto bytes = tokenizer.bytes_read(text, length);
    ASSERT_LT(bytes, text.size());
    EXPECT_EQ(tokenizer.encode(text.substr(0, bytes)), tokenizer.encode(text, length)) << length;
  }
}

TEST(Tokenizer, NeverReadsControlSymbolsFromAText) {
  const auto tokenizer = Tokenizer::open(kData / "tiny.model");
  auto ids = tokenizer.encode("one </s> two <pad> three");
  ids.pop_back();
  EXPECT_THAT(ids, ::testing::Not(::testing::Contains(tokenizer.end_id())));
  EXPECT_THAT(ids, ::testing::Not(::testing::Contains(Tokenizer::kPadding)));
}

TEST(Tokenizer, TakesAnyBytes) {
  const auto tokenizer = Tokenizer::open(kData / "tiny.model");
  for (std::uint32_t round = 0; round < 200; ++round) {
    std::vector<float> noise(64);
    fill_uniform({.seed = 5, .purpose = Purpose::data_content, .stream = round}, noise.data(),
                 static_cast<std::int64_t>(noise.size()));
    std::string text;
    for (const float value : noise) text += static_cast<char>(static_cast<int>(value * 256));
    EXPECT_GE(tokenizer.encode(text).size(), 1U);
  }
}

TEST_F(TokenizerFiles, FindsTheModelInAModelFolder) {
  for (const char* place : {"google/umt5-xxl/spiece.model", "tokenizer/spiece.model"}) {
    write_file(folder / place, bytes_of(kData / "tiny.model"));
    EXPECT_EQ(Tokenizer::open(folder).hash(), Tokenizer::open(kData / "tiny.model").hash());
    fs::remove_all(folder);
  }
}

TEST_F(TokenizerFiles, RefusesMissingAndDamagedModelsByName) {
  const auto whole = bytes_of(kData / "tiny.model");
  const auto message = [&](const fs::path& path) {
    try {
      Tokenizer::open(path);
    } catch (const IoError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(folder / "none.model"), HasSubstr("none.model"));
  fs::create_directories(folder);
  EXPECT_THAT(message(folder), HasSubstr("google/umt5-xxl/spiece.model"));

  const auto file = folder / "damaged.model";
  for (const auto& bytes : {std::string(), std::string("not a model"), whole.substr(0, 1000),
                            whole.substr(0, whole.size() - 7), whole.substr(1)}) {
    write_file(file, bytes);
    EXPECT_THAT(message(file), HasSubstr("damaged.model")) << bytes.size();
  }
}

}  // namespace
}  // namespace svi
