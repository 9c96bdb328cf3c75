#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/condition.hpp"
#include "svi/model/weights.hpp"
#include "svi/plugin/component.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

class Document;
class Registry;
class TrackReader;

/// The sizes of the transformer that an extension joins.
struct ExtensionHost {
  std::int64_t dim = 0;                         // width of a token, D
  std::int64_t heads = 0;                       // attention heads
  std::int64_t layers = 0;                      // blocks
  std::int64_t in_dim = 0;                      // channels of the patch embedding's input
  std::int64_t out_dim = 0;                     // channels of a latent, C
  std::vector<std::int64_t> patch = {1, 2, 2};  // latent frames, rows, columns per token

  bool operator==(const ExtensionHost&) const = default;
};

/// The latent tokens of one sample, in the order frame, row, column.
struct TokenGrid {
  std::int64_t frames = 0, rows = 0, columns = 0;  // in tokens

  std::int64_t of_frame() const { return rows * columns; }     // tokens of one frame
  std::int64_t tokens() const { return frames * of_frame(); }  // L
};

/// What a size of a condition part may be where it is not fixed.
inline constexpr std::int64_t kAnySize = -1;

/// A condition part that an extension reads.
struct PartRule {
  std::string name;                 // "audio"
  std::vector<std::int64_t> sizes;  // behind the batch axis; kAnySize where not fixed
  bool required = true;             // whether every pass must bring it
  bool track = true;                // whether data brings it as a track; else the method does
};

/// How a parameter starts. Random ones are a function of seed, label and name alone.
enum class ParameterStart {
  zeros,   // biases, and the last layer of what is added to the model
  ones,    // gains of norms
  xavier,  // uniform in +-sqrt(6 / (in + out)); sizes [out, in, ...]
  normal,  // N(0, 1) / sqrt(D) with D the last size: embeddings
};

/// A tensor that an extension owns and trains.
struct ParameterSpec {
  std::string name;                 // official, as files have it: "audio.blocks.3.q.weight"
  std::vector<std::int64_t> sizes;  // of the tensor
  ParameterStart start = ParameterStart::zeros;  // its first value
};

/// Tokens beside those of the latent, such as a compressed history. In every block they follow the
/// latent tokens: self-attention goes over all of them, and nothing is predicted for them.
struct TokenGroup {
  at::Tensor tokens;     // [B, L, D]  any floating dtype
  at::Tensor positions;  // [3, L]     frame, row, column on the latent's token grid; may be
                         //            fractional or negative. [3, L, n]: n places a token, whose
                         //            rotations are averaged
  at::Tensor time = {};  // [B]        1000 sigma of these tokens; undefined: 0, they are clean
};

/// One velocity call, as an extension sees it. Borrows what it names.
struct ExtensionPass {
  const Condition& condition;  // what the model is told
  const at::Tensor& timestep;  // [B] or [B, F]  1000 sigma
  std::int64_t batch = 0;      // B samples
  TokenGrid grid = {};         // of the noisy latent
  /// The model's own patch embedding (WanDit::embed_patches): [B, C, f, h, w] to [B, l, D].
  const std::function<at::Tensor(const at::Tensor&)>& embed_patches;
};

/// Self-attention in views: each goes over a run of latent frames alone, at the places of a clip of
/// its own, and where views overlap their results are mixed. No views: attention over all tokens.
struct AttentionViews {
  std::vector<std::int64_t> first = {};  // first frame of each of the V views, on the token grid
  std::int64_t frames = 0;               // frames of a view
  at::Tensor shares = {};  // [V, frames]  fp32: of a view's result; at every frame they sum to one
};

/// What an extension makes of one pass. Gradients may lead through all of it.
struct ExtensionInputs {
  at::Tensor residual = {};             // [B, L, D]  added to the latent's tokens; may be undefined
  std::vector<TokenGroup> groups = {};  // tokens of its own
  AttentionViews views = {};            // one extension may bring them, if none brings groups
  std::vector<at::Tensor> kept = {};    // handed back to each block; anything, undefined too
};

/// One block of one pass, behind its cross-attention.
struct ExtensionBlock {
  std::int64_t index = 0;               // of the block, from 0
  const at::Tensor& tokens;             // [B, L, D]  the latent's hidden states
  TokenGrid grid = {};                  // their places
  const std::vector<at::Tensor>& kept;  // of ExtensionInputs
};

/// A file of the user's that a track is to be made of, such as a sound.
struct TrackFile {
  std::string path = {};       // of the file
  double fps = 0;              // frames per second of the film
  std::int64_t frames = 0;     // pixel frames of the film; 0: as many as the track has
  std::int64_t last_clip = 0;  // the first of them that the film's last clip adds
  std::int64_t height = 0;     // of a frame of the film, in pixels
  std::int64_t width = 0;      // the same
};

/// A track that is made of a file: values, or a reader of them.
struct MadeTrack {
  at::Tensor values;          // [frames, ...]  fp32 on the CPU, one entry per pixel frame
  std::string identity = {};  // of all that the values depend on, but for the film's length
  std::shared_ptr<const TrackReader> reader = {};  // in place of values, where they are many
};

/// Options that every extension has; a Config derives from it and calls its `describe`.
struct SVI_EXPORT ExtensionOptions {
  std::string file = {};
  double drop = 0;
  bool train = true;

  void describe(OptionVisitor& visit);
};

/// A part of the transformer that is not in its weights: new layers with parameters of their own,
/// beside adapters (Lora), which change the layers there are.
///
/// It may add to the tokens of the latent, bring token groups, and add to the hidden states after
/// the cross-attention of any block. A start with zeros in what it adds changes no bit of the
/// velocity. Made from `[extension.LABEL]`, then built for a model, then attached (WanDit::attach).
/// Computes in the dtype of the tokens it is given, with parameters kept in fp32. Several threads
/// may run one built extension.
class SVI_EXPORT ModelExtension : public Component {
 public:
  static constexpr std::string_view kKind = "extension";
  /// An extension with these options; build() makes its parameters.
  explicit ModelExtension(ExtensionOptions options) : options_(std::move(options)) {}
  ~ModelExtension() override;

  const ExtensionOptions& options() const { return options_; }  // those of every extension
  /// The LABEL of [extension.LABEL]; empty before it is built.
  const std::string& label() const { return label_; }
  /// What it is built for; all zero before.
  const ExtensionHost& host() const { return host_; }
  /// The condition parts that it reads. The model refuses parts that nobody reads.
  std::vector<PartRule> reads() const { return do_reads(); }

  /// Makes the parameters, fp32 on the CPU; random ones are a function of seed, label and name
  /// alone. Throws ConfigError where the options do not fit the model.
  void build(const std::string& label, const ExtensionHost& host, std::uint64_t seed);
  /// Every parameter by its official name, sharing storage; gradients accumulate in these tensors.
  const NamedTensors& parameters() const { return parameters_; }
  void require_grad(bool required);  // whether backward passes reach the parameters; at first not
  /// Moves the parameters. Other dtypes than fp32 serve tests.
  void to(const at::Device& device, at::ScalarType dtype = at::kFloat);
  /// Copies parameters of exactly these names and sizes; throws IoError naming `origin` and every
  /// tensor that is missing, unknown or of another size, with both sizes.
  LoadReport load(const NamedTensors& tensors, const std::string& origin);
  /// The same of a safetensors file, or of what else the extension reads.
  LoadReport load_file(const std::filesystem::path& file);
  /// Names, sizes and starts of its parameters in a model of these sizes; allocates none.
  std::vector<ParameterSpec> parameters_for(const ExtensionHost& host) const {
    return do_parameters(host);
  }
  /// Where trained parameters come from, to end a message with; empty if it does not say.
  std::string where_from() const { return do_where_from(); }
  void save(const std::filesystem::path& file) const;  // as safetensors, by official names

  /// The track of a part that it reads, made of a file. Throws ConfigError where it makes none of
  /// files or the film cannot have it, IoError naming the file.
  MadeTrack track_of(std::string_view part, const TrackFile& file) const {
    return do_track_of(part, file);
  }

  /// What it makes of a pass. Throws ConfigError naming the part that is missing or of other sizes.
  ExtensionInputs begin(const ExtensionPass& pass) const;
  /// Whether it adds to the hidden states behind the cross-attention of a block.
  bool acts_after_cross_attention(std::int64_t block) const {
    return do_acts_after_cross_attention(block);
  }
  /// What it adds there, [B, L, D] in the dtype of the tokens.
  at::Tensor after_cross_attention(const ExtensionBlock& block) const;

 protected:
  /// The parameter of that name. Throws Error if there is none.
  const at::Tensor& parameter(std::string_view name) const;
  /// A linear layer of parameters `name`.weight [out, in] and `name`.bias [out] (where there is
  /// one), in the dtype of x: [..., in] to [..., out].
  at::Tensor linear(const at::Tensor& x, const std::string& name) const;
  /// "[extension.LABEL]", for messages.
  std::string title() const;

 private:
  virtual std::vector<PartRule> do_reads() const { return {}; }
  virtual std::vector<ParameterSpec> do_parameters(const ExtensionHost& host) const = 0;
  virtual std::string do_where_from() const { return {}; }
  /// The tensors of a file under the names of the parameters: where files hold them beside others.
  virtual NamedTensors do_read_file(const std::filesystem::path& file) const;
  virtual MadeTrack do_track_of(std::string_view part, const TrackFile& file) const;
  virtual ExtensionInputs do_begin(const ExtensionPass& pass) const = 0;
  virtual bool do_acts_after_cross_attention(std::int64_t) const { return false; }
  virtual at::Tensor do_after_cross_attention(const ExtensionBlock&) const { return {}; }

  ExtensionOptions options_;
  std::string label_;
  ExtensionHost host_;
  NamedTensors parameters_;
  std::map<std::string, std::size_t, std::less<>> places_;  // in parameters_
};

/// A number for a name, the same everywhere: what random numbers of a name are drawn from.
SVI_EXPORT std::uint64_t number_of_name(std::string_view name);

/// Extensions in the order of a document, by label.
using LabelledExtensions = std::vector<std::pair<std::string, std::shared_ptr<ModelExtension>>>;

/// Sections of extensions begin so: [extension.LABEL].
inline constexpr std::string_view kExtensionPrefix = "extension.";

/// Makes, but does not build, the extension of every [extension.LABEL]; `type` is the label where
/// the section does not say. Throws ConfigError: an unknown type or option, a label that is no name
/// of a file. `resolved`, if given, receives every value used.
SVI_EXPORT LabelledExtensions make_extensions(const Registry& registry, const Document& document,
                                              Document* resolved = nullptr);

}  // namespace svi
