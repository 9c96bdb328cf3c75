#include "svi/generate/prompt_blend.hpp"

#include <ATen/ATen.h>

#include <charconv>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr char kBlendMark = '\x1F';  // U+001F, the unit separator

}  // namespace

std::string blended_prompt(const PromptBlend& blend) {
  SVI_CHECK(0 < blend.step && blend.step < blend.steps, "step ", blend.step, " of ", blend.steps,
            " lies not between two prompts");
  return cat(kBlendMark, blend.step, kBlendMark, blend.steps, kBlendMark, blend.from, kBlendMark,
             blend.to);
}

std::optional<PromptBlend> blend_of(const std::string& prompt) {
  if (prompt.empty() || prompt.front() != kBlendMark) return std::nullopt;
  std::vector<std::string> parts(1);
  for (const char c : prompt.substr(1)) {
    if (c == kBlendMark) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  PromptBlend blend;
  const auto read = [](const std::string& text, std::int64_t& value) {
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end;
  };
  if (parts.size() != 4 || !read(parts[0], blend.step) || !read(parts[1], blend.steps))
    return std::nullopt;
  blend.from = parts[2];
  blend.to = parts[3];
  return blend;
}

at::Tensor encode_blends(const std::vector<std::string>& prompts, const EncodeText& encode) {
  std::vector<at::Tensor> rows;  // [1, L, D] each
  bool blends = false;
  for (const auto& prompt : prompts) blends = blends || blend_of(prompt);
  if (!blends) return encode(prompts);  // as one batch
  for (const auto& prompt : prompts) {
    const auto blend = blend_of(prompt);
    if (!blend) {
      rows.push_back(encode({prompt}));
      continue;
    }
    const auto ends = encode({blend->from, blend->to});  // [2, L, D]
    const auto share = static_cast<double>(blend->step) / static_cast<double>(blend->steps);
    const auto wide = ends.to(at::kFloat);
    rows.push_back(
        ((1 - share) * wide.narrow(0, 0, 1) + share * wide.narrow(0, 1, 1)).to(ends.scalar_type()));
  }
  return at::cat(rows);
}

}  // namespace svi
