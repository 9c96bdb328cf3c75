#include "model/name_rules.hpp"

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// What follows `pattern` at the start of `name`, with the numbers that its '*' stand for.
struct Fit {
  std::vector<std::string> numbers;
  std::string_view rest;
};

std::optional<Fit> fit(std::string_view name, std::string_view pattern) {
  Fit found;
  std::size_t at = 0;
  for (const char c : pattern) {
    if (c != '*') {
      if (at >= name.size() || name[at] != c) return std::nullopt;
      ++at;
      continue;
    }
    const auto begin = at;
    while (at < name.size() && name[at] >= '0' && name[at] <= '9') ++at;
    if (at == begin) return std::nullopt;
    found.numbers.emplace_back(name.substr(begin, at - begin));
  }
  found.rest = name.substr(at);
  return found;
}

std::string fill(std::string_view pattern, const Fit& fit) {
  std::string name;
  std::size_t next = 0;
  for (const char c : pattern) {
    if (c == '*') {
      name += fit.numbers.at(next++);
    } else {
      name += c;
    }
  }
  return name.append(fit.rest);
}

}  // namespace

std::optional<std::string> NameRules::to_theirs(std::string_view name) const {
  for (const auto& rule : rules_) {
    if (const auto found = fit(name, rule.ours)) return fill(rule.theirs, *found);
  }
  return std::nullopt;
}

std::optional<std::string> NameRules::to_ours(std::string_view name) const {
  for (const auto& rule : rules_) {
    if (const auto found = fit(name, rule.theirs)) return fill(rule.ours, *found);
  }
  return std::nullopt;
}

const NameRules& dit_rules() {
  static const NameRules kRules = [] {
    const std::string c = "condition_embedder.", b = "blocks.*.";
    std::vector<NameRule> rules = {{"patch_embedding.", "patch_embedding."},
                                   {"text_embedding.0.", c + "text_embedder.linear_1."},
                                   {"text_embedding.2.", c + "text_embedder.linear_2."},
                                   {"time_embedding.0.", c + "time_embedder.linear_1."},
                                   {"time_embedding.2.", c + "time_embedder.linear_2."},
                                   {"time_projection.1.", c + "time_proj."},
                                   {"img_emb.proj.0.", c + "image_embedder.norm1."},
                                   {"img_emb.proj.1.", c + "image_embedder.ff.net.0.proj."},
                                   {"img_emb.proj.3.", c + "image_embedder.ff.net.2."},
                                   {"img_emb.proj.4.", c + "image_embedder.norm2."},
                                   {"head.head.", "proj_out."},
                                   {"head.modulation", "scale_shift_table"},
                                   {b + "modulation", b + "scale_shift_table"},
                                   {b + "norm3.", b + "norm2."},
                                   {b + "ffn.0.", b + "ffn.net.0.proj."},
                                   {b + "ffn.2.", b + "ffn.net.2."}};
    const NameRule parts[] = {{"q.", "to_q."},
                              {"k.", "to_k."},
                              {"v.", "to_v."},
                              {"o.", "to_out.0."},
                              {"norm_q.", "norm_q."},
                              {"norm_k.", "norm_k."},
                              {"k_img.", "add_k_proj."},
                              {"v_img.", "add_v_proj."},
                              {"norm_k_img.", "norm_added_k."}};
    for (const auto& part : parts) {
      rules.push_back({b + "self_attn." + part.ours, b + "attn1." + part.theirs});
      rules.push_back({b + "cross_attn." + part.ours, b + "attn2." + part.theirs});
    }
    return NameRules(std::move(rules));
  }();
  return kRules;
}

const NameRules& vae_rules() {
  static const NameRules kRules = [] {
    constexpr int kLevels = 4, kResnets = 3;  // of the official decoder
    std::vector<NameRule> blocks = {{"encoder.downsamples.*.", "encoder.down_blocks.*."}};
    for (const std::string side : {"encoder.", "decoder."}) {
      blocks.push_back({side + "middle.0.", side + "mid_block.resnets.0."});
      blocks.push_back({side + "middle.2.", side + "mid_block.resnets.1."});
    }
    std::vector<NameRule> others;
    for (int level = 0; level < kLevels; ++level) {
      const auto up = cat("decoder.up_blocks.", level, ".");
      const auto first = level * (kResnets + 1);
      for (int i = 0; i < kResnets; ++i)
        blocks.push_back({cat("decoder.upsamples.", first + i, "."), cat(up, "resnets.", i, ".")});
      others.push_back({cat("decoder.upsamples.", first + kResnets, "."), up + "upsamplers.0."});
    }
    std::vector<NameRule> rules;
    for (const auto& block : blocks) {
      const NameRule parts[] = {{"residual.0.", "norm1."},
                                {"residual.2.", "conv1."},
                                {"residual.3.", "norm2."},
                                {"residual.6.", "conv2."},
                                {"shortcut.", "conv_shortcut."}};
      for (const auto& part : parts)
        rules.push_back({block.ours + part.ours, block.theirs + part.theirs});
    }
    rules.push_back({"encoder.downsamples.*.", "encoder.down_blocks.*."});  // those that shrink
    rules.insert(rules.end(), others.begin(), others.end());
    for (const std::string side : {"encoder.", "decoder."}) {
      rules.push_back({side + "middle.1.", side + "mid_block.attentions.0."});
      rules.push_back({side + "conv1.", side + "conv_in."});
      rules.push_back({side + "head.0.", side + "norm_out."});
      rules.push_back({side + "head.2.", side + "conv_out."});
    }
    rules.push_back({"conv1.", "quant_conv."});
    rules.push_back({"conv2.", "post_quant_conv."});
    return NameRules(std::move(rules));
  }();
  return kRules;
}

const NameRules& umt5_rules() {
  static const NameRules kRules = [] {
    const std::string ours = "blocks.*.", first = "encoder.block.*.layer.0.",
                      second = "encoder.block.*.layer.1.";
    return NameRules(
        {{"token_embedding.", "shared."},
         {"norm.", "encoder.final_layer_norm."},
         {ours + "norm1.", first + "layer_norm."},
         {ours + "norm2.", second + "layer_norm."},
         {ours + "pos_embedding.embedding.", first + "SelfAttention.relative_attention_bias."},
         {ours + "attn.", first + "SelfAttention."},
         {ours + "ffn.gate.0.", second + "DenseReluDense.wi_0."},
         {ours + "ffn.fc1.", second + "DenseReluDense.wi_1."},
         {ours + "ffn.fc2.", second + "DenseReluDense.wo."}});
  }();
  return kRules;
}

const NameRules& clip_rules() {
  static const NameRules kRules = [] {
    const std::string ours = "visual.transformer.*.", theirs = "vision_model.encoder.layers.*.";
    return NameRules(
        {{"visual.patch_embedding.", "vision_model.embeddings.patch_embedding."},
         {"visual.cls_embedding", "vision_model.embeddings.class_embedding"},
         {"visual.pos_embedding", "vision_model.embeddings.position_embedding.weight"},
         {"visual.pre_norm.", "vision_model.pre_layrnorm."},
         {"visual.post_norm.", "vision_model.post_layernorm."},
         {"visual.head", "visual_projection.weight"},
         {ours + "norm1.", theirs + "layer_norm1."},
         {ours + "norm2.", theirs + "layer_norm2."},
         {ours + "attn.proj.", theirs + "self_attn.out_proj."},
         {ours + "mlp.0.", theirs + "mlp.fc1."},
         {ours + "mlp.2.", theirs + "mlp.fc2."}});
  }();
  return kRules;
}

}  // namespace svi
