#include "svi/story/answer_cache.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

constexpr std::size_t kHashDigits = 64;  // the first line of a kept answer, before a line end

}  // namespace

std::filesystem::path default_story_cache() {
  namespace fs = std::filesystem;
  for (const auto& [variable, below] : {std::pair("XDG_CACHE_HOME", ""), {"HOME", ".cache"}}) {
    const char* value = std::getenv(variable);
    const fs::path base = value == nullptr ? "" : value;
    if (base.is_absolute()) return base / below / "svi" / "stories";
  }
  return {};
}

std::filesystem::path AnswerCache::file_of(std::string_view question) const {
  return folder_.empty() ? folder_ : folder_ / (sha256_hex(question) + ".answer");
}

std::optional<std::string> AnswerCache::find(std::string_view question) const {
  const auto file = file_of(question);
  if (file.empty() || !std::filesystem::is_regular_file(file)) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const bool whole = bytes.size() > kHashDigits && bytes[kHashDigits] == '\n';
  auto answer = whole ? bytes.substr(kHashDigits + 1) : std::string();
  if (!whole || sha256_hex(answer) != bytes.substr(0, kHashDigits)) {
    SVI_WARN("story", file.string(), ": is damaged; asking anew");
    return std::nullopt;
  }
  return answer;
}

void AnswerCache::keep(std::string_view question, std::string_view answer) const {
  const auto file = file_of(question);
  if (file.empty()) return;
  try {
    write_file(file, cat(sha256_hex(answer), '\n', answer));
  } catch (const IoError& error) {
    SVI_WARN("story", "an answer is not kept: ", error.what());
  }
}

}  // namespace svi
