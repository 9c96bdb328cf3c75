#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svi {

/// "Names that begin with `ours` begin with `theirs` over there"; a '*' is a whole number, the same
/// on both sides.
struct NameRule {
  std::string ours, theirs;
};

/// Rules in order; the first that fits decides.
class NameRules {
 public:
  explicit NameRules(std::vector<NameRule> rules) : rules_(std::move(rules)) {}

  std::optional<std::string> to_theirs(std::string_view name) const;
  std::optional<std::string> to_ours(std::string_view name) const;
  const std::vector<NameRule>& all() const { return rules_; }

 private:
  std::vector<NameRule> rules_;
};

const NameRules& dit_rules();   // official to diffusers' WanTransformer3DModel
const NameRules& vae_rules();   // official to diffusers' AutoencoderKLWan
const NameRules& umt5_rules();  // official to transformers' UMT5EncoderModel
const NameRules& clip_rules();  // official to transformers' CLIPVisionModel, but for q, k and v

}  // namespace svi
