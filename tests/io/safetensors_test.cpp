#include "svi/io/safetensors.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / cat("svi-safetensors-", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

std::string file_bytes(const std::string& header, const std::string& data = {}) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string refusal(const std::string& bytes) {
  try {
    SafetensorsFile::parse(bytes, "w.safetensors").load_all();
  } catch (const IoError& error) {
    return error.what();
  }
  return "accepted";
}

std::string header_refusal(const std::string& header, std::size_t data = 0) {
  return refusal(file_bytes(header, std::string(data, 'x')));
}

std::vector<at::ScalarType> dtypes() {
  return {at::kDouble, at::kFloat, at::kHalf,  at::kBFloat16, at::kFloat8_e4m3fn, at::kFloat8_e5m2,
          at::kLong,   at::kInt,   at::kShort, at::kChar,     at::kByte,          at::kBool};
}

TEST_F(Safetensors, WritesAndReadsEveryDtypeInOrder) {
  NamedTensors tensors;
  tensors.emplace_back("one byte first", at::tensor({1, 2, 3}, at::kByte));
  for (const auto dtype : dtypes()) {
    tensors.emplace_back(c10::toString(dtype), at::arange(6, at::kFloat).reshape({2, 3}).to(dtype));
  }
  tensors.emplace_back("scalar", at::scalar_tensor(2.5));
  tensors.emplace_back("empty", at::zeros({0, 5}));
  tensors.emplace_back("strided", at::arange(12, at::kFloat).reshape({3, 4}).t());
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"é \"q\"", "line\nline"}};
  const auto path = folder_ / "a.safetensors";

  save_safetensors(path, tensors, metadata);
  const auto file = SafetensorsFile::open(path);
  const auto loaded = file.load_all();

  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(loaded.size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    EXPECT_EQ(loaded[i].first, name);
    EXPECT_EQ(loaded[i].second.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(loaded[i].second.to(at::kDouble), tensor.to(at::kDouble))) << name;
    EXPECT_EQ(file.infos()[i].begin % tensor.element_size(), 0u) << name;
  }
}

TEST_F(Safetensors, TensorOutlivesTheFileObjectAndWritesStayPrivate) {
  const auto path = folder_ / "a.safetensors";
  save_safetensors(path, {{"a", at::ones({4})}});

  auto tensor = SafetensorsFile::open(path).load("a");
  tensor.fill_(7);

  EXPECT_EQ(tensor.sum().item<float>(), 28);
  EXPECT_EQ(SafetensorsFile::open(path).load("a").sum().item<float>(), 4);
}

TEST_F(Safetensors, ReadsAFileWrittenByThePythonPackage) {
  const auto file = SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/io/python.safetensors");
  const auto base = at::arange(-3, 3, at::kFloat);

  EXPECT_EQ(file.metadata().at("note"), "a \"quoted\" é line\nand another");
  for (const auto* name : {"f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2"}) {
    EXPECT_TRUE(at::equal(file.load(name).to(at::kFloat).flatten(), base / 4)) << name;
  }
  for (const auto* name : {"i64", "i32", "i16", "i8"}) {
    EXPECT_TRUE(at::equal(file.load(name).to(at::kFloat), base)) << name;
  }
  EXPECT_TRUE(at::equal(file.load("u8").to(at::kFloat), base + 3));
  EXPECT_TRUE(at::equal(file.load("bool"), base > 0));
  EXPECT_EQ(file.load("scalar").dim(), 0);
  EXPECT_EQ(file.load("empty").sizes(), at::IntArrayRef({0, 4}));
  EXPECT_EQ(file.load("f32").sizes(), at::IntArrayRef({3, 2}));
  EXPECT_TRUE(file.contains("quoted \"name\" é"));
}

TEST_F(Safetensors, ReadsMisalignedData) {
  const float value = 1.5;
  std::string data(4, '\0');
  std::memcpy(data.data(), &value, 4);
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  while (header.size() % 4 != 1) header += ' ';

  EXPECT_EQ(SafetensorsFile::parse(file_bytes(header, data)).load("a").item<float>(), value);
}

TEST_F(Safetensors, MissingNameAndMissingFileAreNamed) {
  const auto path = folder_ / "a.safetensors";
  save_safetensors(path, {{"a", at::ones({4})}});
  try {
    SafetensorsFile::open(path).load("b");
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("a.safetensors"), HasSubstr("'b'")));
  }
  EXPECT_THROW(SafetensorsFile::open(folder_ / "none.safetensors"), IoError);
  EXPECT_THROW(SafetensorsFile::open(folder_), IoError);
}

TEST_F(Safetensors, RefusesFilesThatAreNotOrNoLongerSafetensors) {
  EXPECT_THAT(refusal(""), HasSubstr("only 0 bytes"));
  EXPECT_THAT(refusal("1234567"), HasSubstr("only 7 bytes"));
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("at most"));
  EXPECT_THAT(refusal(std::string(8, '\0')), HasSubstr("begin with '{'"));
  EXPECT_THAT(refusal(std::string("\x40\0\0\0\0\0\0\0{}", 10)), HasSubstr("cut short"));
  EXPECT_THAT(header_refusal("[]"), HasSubstr("begin with '{'"));
  EXPECT_THAT(header_refusal("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_refusal("{}x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_refusal("{\"\xff\":1}"), HasSubstr("not valid JSON"));
  EXPECT_EQ(header_refusal("{}   "), "accepted");
}

TEST_F(Safetensors, RefusesWrongHeadersNamingTensorAndFault) {
  const struct {
    const char* header;
    const char* fault;
  } cases[] = {
      {R"({"a":1})", "must be an object"},
      {R"({"a":[]})", "must be an object"},
      {R"({"a":{}})", "needs dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", "needs dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", "unknown dtype 'F33'"},
      {R"({"a":{"dtype":5,"shape":[1],"data_offsets":[0,4]}})", "must not hold a number"},
      {R"({"a":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}})", "must not hold a list"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "negative"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", "whole"},
      {R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}})", "whole"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", "too large"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[0,4611686018427387904,8],"data_offsets":[0,0]}})",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":"1","data_offsets":[0,4]}})", "must not hold a text"},
      {R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", "must not hold a list"},
      {R"({"a":{"dtype":"F32","shape":[{}],"data_offsets":[0,4]}})", "must not hold an object"},
      {R"({"a":{"dtype":"F32","shape":[null],"data_offsets":[0,4]}})", "must not hold null"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
       "need 8 bytes, the file gives 4"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", "needs 2 numbers"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "not inside"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})", "not inside"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", "unknown field 'x'"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       "'dtype' occurs twice"},
  };
  for (const auto& [header, fault] : cases) {
    EXPECT_THAT(header_refusal(header, 4),
                AllOf(HasSubstr("w.safetensors: "), HasSubstr("'a'"), HasSubstr(fault)))
        << header;
  }
}

TEST_F(Safetensors, RefusesOverlapsGapsAndRepeats) {
  const std::string a = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)";
  EXPECT_THAT(header_refusal(a + R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6),
              AllOf(HasSubstr("'b'"), HasSubstr("inside the tensor before it")));
  EXPECT_THAT(header_refusal(a + R"("b":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}})", 8),
              AllOf(HasSubstr("'b'"), HasSubstr("gap")));
  EXPECT_THAT(header_refusal(a + R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", 8),
              AllOf(HasSubstr("'a'"), HasSubstr("occurs twice")));
  EXPECT_THAT(header_refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 9),
              HasSubstr("5 bytes after the last tensor"));
  EXPECT_THAT(header_refusal(R"({"__metadata__":{"k":"1","k":"2"}})"),
              HasSubstr("'k' occurs twice"));
  EXPECT_THAT(header_refusal(R"({"__metadata__":{"k":1}})"), HasSubstr("metadata"));
  EXPECT_THAT(header_refusal(R"({"__metadata__":{"k":{}}})"), HasSubstr("metadata"));
}

TEST_F(Safetensors, SurvivesDeepNestingAndEveryTruncation) {
  EXPECT_THAT(header_refusal(R"({"a":)" + std::string(2'000'000, '[')),
              HasSubstr("must be an object"));
  EXPECT_THAT(header_refusal(R"({"a":{"shape":)" + std::string(2'000'000, '[')), HasSubstr("list"));

  const auto path = folder_ / "a.safetensors";
  save_safetensors(path, {{"a", at::ones({3})}, {"b", at::ones({2, 2})}}, {{"k", "v"}});
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_EQ(refusal(bytes), "accepted");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "accepted") << size;
  }
}

TEST_F(Safetensors, EveryFlippedHeaderByteIsReadOrRefusedCleanly) {
  const auto path = folder_ / "a.safetensors";
  save_safetensors(path, {{"a", at::ones({3})}, {"b", at::ones({2, 2})}}, {{"k", "v"}});
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {0x01, 0x04, 0x10, 0x80}) {
      auto damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      refusal(damaged);  // anything but IoError escapes and fails the test
    }
  }
}

TEST_F(Safetensors, WriterRefusesWhatTheFormatCannotHoldAndLeavesNoFile) {
  const auto path = folder_ / "a.safetensors";
  EXPECT_THROW(save_safetensors(path, {{"a", at::ones({1})}, {"a", at::ones({1})}}), IoError);
  EXPECT_THROW(save_safetensors(path, {{"a", at::ones({1}, at::kComplexFloat)}}), IoError);
  EXPECT_THROW(save_safetensors(path, {{"a", at::Tensor()}}), IoError);
  EXPECT_THROW(save_safetensors(path, {{"__metadata__", at::ones({1})}}), IoError);
  EXPECT_THROW(save_safetensors(path, {{"\xff", at::ones({1})}}), IoError);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Safetensors, FullDiskLeavesTheOldFileAndNoPartialOne) {
  const auto path = folder_ / "a.safetensors";
  save_safetensors(path, {{"a", at::ones({4})}});
  // A limit on file size stands in for a full disk: both make write() fail half-way.
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {4096, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    save_safetensors(path, {{"a", at::ones({100'000})}});
  } catch (const IoError& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  EXPECT_THAT(message, AllOf(HasSubstr("a.safetensors"), HasSubstr("cannot be written")));
  EXPECT_EQ(SafetensorsFile::open(path).load("a").numel(), 4);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Safetensors, AtomicFileAppearsOnlyWhenCommitted) {
  const auto path = folder_ / "deep" / "b.txt";
  {
    AtomicFile file(path);
    file.write("abc", 3);
    EXPECT_FALSE(fs::exists(path));
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "deep"));
  write_file(path, "abc");
  EXPECT_EQ(fs::file_size(path), 3u);
  EXPECT_THROW(write_file("/proc/nowhere/b.txt", "abc"), IoError);
}

TEST(SafetensorsBuilder, FillsInPlaceWhatTheReaderThenFinds) {
  const TemporaryFolder folder;
  const auto path = folder / "built.safetensors";
  {
    SafetensorsBuilder builder(
        path,
        {{"bytes", at::kByte, {3}}, {"wide", at::kFloat, {2, 5}}, {"none", at::kFloat, {0, 4}}},
        {{"made", "here"}});
    EXPECT_EQ(builder.tensors()[1].second.abs().sum().item<float>(), 0);
    builder.tensors()[0].second.fill_(7);
    builder.tensors()[1].second.narrow(0, 1, 1).fill_(2.5);
    EXPECT_FALSE(std::filesystem::exists(path));
    builder.commit();
  }
  const auto file = SafetensorsFile::open(path);
  EXPECT_EQ(file.metadata().at("made"), "here");
  EXPECT_TRUE(at::equal(file.load("bytes"), at::full({3}, 7, at::kByte)));
  EXPECT_EQ(file.load("wide").sum().item<float>(), 12.5F);
  EXPECT_EQ(file.load("none").numel(), 0);
}

TEST(SafetensorsBuilder, LeavesNothingBehindWithoutCommitAndRefusesNamesTwice) {
  const TemporaryFolder folder;
  { const SafetensorsBuilder builder(folder / "gone", {{"a", at::kFloat, {2}}}); }
  EXPECT_EQ(folder.count(), 0);
  EXPECT_THROW(
      SafetensorsBuilder(folder / "twice", {{"a", at::kFloat, {2}}, {"a", at::kFloat, {2}}}),
      IoError);
}

}  // namespace
}  // namespace svi
