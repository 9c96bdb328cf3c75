#include "svi/encoder/text_encoder.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/encoder/text_cleaning.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

constexpr const char* kTensor = "text";

std::string_view bytes_of(const at::Tensor& contiguous) {
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

// Of the rows as stored; the file's name already stands for everything else.
std::string checksum(const at::Tensor& rows) { return sha256_hex(bytes_of(rows.contiguous())); }

// The features of `text` in `file`; undefined where there are none. Throws IoError if damaged.
at::Tensor read_rows(const std::filesystem::path& file, const std::string& text,
                     at::IntArrayRef sizes, at::ScalarType dtype) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  const auto stored = SafetensorsFile::open(file);
  const auto value = [&](const std::string& key) {
    const auto found = stored.metadata().find(key);
    return found == stored.metadata().end() ? std::string() : found->second;
  };
  if (value("text") != text) raise<IoError>(file.string(), ": holds another text");
  const auto rows = stored.load(kTensor).clone();  // [n, D]; the file may be replaced meanwhile
  if (rows.sizes() != sizes || rows.scalar_type() != dtype) {
    raise<IoError>(file.string(), ": holds ", rows.sizes(), " ", rows.scalar_type(), ", not ",
                   sizes, " ", dtype);
  }
  if (value("sha256") != checksum(rows)) raise<IoError>(file.string(), ": its checksum is wrong");
  return rows;
}

}  // namespace

std::string weights_identity(const NamedTensors& weights) {
  constexpr std::int64_t kEdge = 64 << 10;  // bytes from each end of a tensor
  std::string all;
  for (const auto& [name, tensor] : weights) {
    all += cat(name, ' ', tensor.scalar_type(), ' ', tensor.sizes());
    const auto flat = tensor.is_contiguous() ? tensor.view(-1) : tensor.contiguous().view(-1);
    const auto count = std::min(flat.numel(), kEdge / static_cast<std::int64_t>(flat.itemsize()));
    for (const auto start : {std::int64_t{0}, flat.numel() - count}) {
      all += ' ' + sha256_hex(bytes_of(flat.narrow(0, start, count).cpu()));
    }
    all += '\n';
  }
  return sha256_hex(all);
}

std::filesystem::path default_text_cache() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  const auto base = variable("XDG_CACHE_HOME");
  if (base.is_absolute()) return base / "svi" / "text";  // the standard ignores relative ones
  const auto home = variable("HOME");
  return home.empty() ? home : home / ".cache" / "svi" / "text";
}

WanTextEncoder::WanTextEncoder(Tokenizer tokenizer, std::function<Encode()> open, Config config)
    : tokenizer_(std::move(tokenizer)), open_(std::move(open)), config_(std::move(config)) {
  SVI_CHECK(open_ != nullptr, "the text encoder has no network to open");
  SVI_CHECK(config_.length >= 1 && config_.dim >= 1, "a text context of ", config_.length, " x ",
            config_.dim);
  if (!config_.cache) config_.cache = default_text_cache();
  SVI_CHECK(config_.cache->empty() || !config_.weights.empty(),
            "a cache of text features needs the identity of the weights");
}

at::Tensor WanTextEncoder::encode(const std::vector<std::string>& prompts) {
  auto context = at::zeros({static_cast<std::int64_t>(prompts.size()), config_.length, config_.dim},
                           config_.dtype);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto features = rows(clean_prompt(prompts[i]));  // [n, D]
    context[static_cast<std::int64_t>(i)].narrow(0, 0, features.size(0)).copy_(features);
  }
  return context;
}

std::pair<std::string, std::size_t> WanTextEncoder::read_part(std::string_view prompt) const {
  auto text = clean_prompt(prompt);
  const auto bytes = tokenizer_.bytes_read(text, config_.length);
  return {std::move(text), bytes};
}

std::filesystem::path WanTextEncoder::cache_file(std::string_view prompt) const {
  return file_of(clean_prompt(prompt));
}

std::filesystem::path WanTextEncoder::file_of(const std::string& text) const {
  if (config_.cache->empty()) return {};
  // Each part has a fixed length or a line of its own, and the text comes last.
  const auto key = cat("svi text 1\n", config_.weights, '\n', tokenizer_.hash(), '\n',
                       config_.length, ' ', config_.dim, ' ', config_.dtype, '\n', text);
  return *config_.cache / (sha256_hex(key) + ".safetensors");
}

at::Tensor WanTextEncoder::rows(const std::string& text) {
  const auto ids = tokenizer_.encode(text, config_.length);
  const auto file = file_of(text);
  if (!file.empty()) {
    try {
      const auto known = read_rows(file, text, {static_cast<std::int64_t>(ids.size()), config_.dim},
                                   config_.dtype);
      if (known.defined()) return known;
    } catch (const IoError& error) {
      SVI_WARN("text", error.what(), "; svi encodes the prompt again");
    }
  }
  const auto features = compute(ids);
  if (!file.empty()) {
    try {
      save_safetensors(file, {{kTensor, features}},
                       {{"text", text}, {"sha256", checksum(features)}});
    } catch (const IoError& error) {
      SVI_WARN("text", "cannot keep text features: ", error.what());
    }
  }
  return features;
}

at::Tensor WanTextEncoder::compute(const std::vector<std::int64_t>& ids) {
  const c10::NoGradGuard no_gradients;
  if (network_ == nullptr) network_ = open_();
  const auto n = static_cast<std::int64_t>(ids.size());
  const auto features = network_(at::tensor(ids, at::kLong).unsqueeze(0));  // [1, n, D]
  SVI_CHECK(features.sizes() == at::IntArrayRef({1, n, config_.dim}), "the text encoder returned ",
            features.sizes(), " for ", n, " ids and features of ", config_.dim);
  auto rows = features[0].to(at::kCPU, config_.dtype).contiguous();
  SVI_CHECK(at::isfinite(rows).all().item<bool>(),
            "the text encoder's output holds NaN or Inf; are its weights whole?");
  return rows;
}

}  // namespace svi
