#include "pocket/word_encoder.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kWordSalt = 0x776f7264;   // "word"
constexpr std::uint64_t kPlaceSalt = 0x706c6163;  // "plac"

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

/// A pseudo-random vector of squared norm D/2, so that word plus place has unit mean square.
at::Tensor direction(std::uint64_t hash, std::uint64_t salt, std::int64_t dim) {
  auto vector = at::empty({dim}, at::kFloat);
  const RandomKey key{derive_seed(hash, salt), Purpose::weight_init, 0, 0};
  fill_normal(key, vector.mutable_data_ptr<float>(), dim);
  return vector * (std::sqrt(static_cast<double>(dim) / 2.0) / vector.norm().item<double>());
}

}  // namespace

void PocketTextEncoder::Config::describe(OptionVisitor& visit) {
  visit(length, {.key = "length", .help = "words kept of a prompt", .min = 1, .max = 512});
  visit(dim, {.key = "dim", .help = "width of a token", .min = 1, .max = 8192});
}

PocketTextEncoder::PocketTextEncoder(Config config) : config_(config) {
  SVI_CHECK(config_.length >= 1 && config_.dim >= 1, "a text encoder of ", config_.length,
            " tokens of width ", config_.dim);
  places_ = at::empty({config_.length, config_.dim}, at::kFloat);
  for (std::int64_t place = 0; place < config_.length; ++place) {
    places_.select(0, place).copy_(
        direction(static_cast<std::uint64_t>(place), kPlaceSalt, config_.dim));
  }
}

at::Tensor PocketTextEncoder::encode(const std::vector<std::string>& texts) const {
  auto tokens = at::zeros({static_cast<std::int64_t>(texts.size()), config_.length, config_.dim},
                          at::kFloat);  // [B, L, D]
  for (std::size_t b = 0; b < texts.size(); ++b) {
    const auto words = pocket_words(texts[b]);
    const auto count = std::min(config_.length, static_cast<std::int64_t>(words.size()));
    const auto text = tokens.select(0, static_cast<std::int64_t>(b));  // [L, D]
    for (std::int64_t place = 0; place < count; ++place) {
      const auto hash = fnv1a(words[static_cast<std::size_t>(place)]);
      text.select(0, place).copy_(direction(hash, kWordSalt, config_.dim) +
                                  places_.select(0, place));
    }
  }
  return tokens;
}

std::size_t PocketTextEncoder::read_bytes(std::string_view text) const {
  return pocket_read_bytes(text, config_.length);
}

namespace {

/// The letter or digit as the encoder sees it; 0 for what separates words.
char letter_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  const bool upper = byte >= 'A' && byte <= 'Z';
  const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  if (!upper && !plain && byte < 0x80) return 0;
  return static_cast<char>(upper ? byte - 'A' + 'a' : byte);
}

}  // namespace

std::vector<std::string> pocket_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (const char letter = letter_of(c); letter != 0) {
      words.back() += letter;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::size_t pocket_read_bytes(std::string_view text, std::int64_t words) {
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool letter = letter_of(text[i]) != 0;
    if (letter && !inside && words-- == 0) return i;
    inside = letter;
  }
  return text.size();
}

}  // namespace svi
