#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svi/data/clip_source.hpp"
#include "svi/method/chain_options.hpp"
#include "svi/method/film.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

class ChainMethod;
struct Studio;

/// What a method cannot do without, or cannot do.
struct MethodNeeds {
  bool steps = false;         // a sampler that makes single steps (Sampler::makes_steps)
  bool whole_length = false;  // the film's length is part of what is made: none grows later
  bool no_cut = false;        // a film is one scene
  bool no_before = false;     // a film does not go on from a video
  std::vector<std::string> parts = {};  // condition parts that the model must read: an extension
};

/// How a long film is made: the order of its pieces, what each is told, how they are joined.
///
/// One kind of component for chains of clips (chain.hpp), queues, inverted orders and what else
/// there is. Training rollouts, films, experiments and diagnostics all run its films. A pure
/// function of its arguments: the same on every rank.
class SVI_EXPORT Method : public Component {
 public:
  static constexpr std::string_view kKind = "method";
  ~Method() override;

  /// Begins a film; nothing is computed yet. Throws ConfigError where the studio or the request is
  /// not what needs() and check() say. The film borrows both.
  std::unique_ptr<Film> begin(const Studio& studio, const FilmRequest& request) const;

  /// What it cannot do without, or cannot do.
  virtual MethodNeeds needs() const { return {}; }
  /// Throws ConfigError naming the nearest values that work where no film can be made of clips of
  /// that shape, or by that sampler. `stride`: the codec's temporal stride.
  void check(const ClipShape& shape, std::int64_t stride, const Sampler& sampler) const;

  /// Throws ConfigError naming a part of needs() that is not among those that the model reads.
  void check_parts(const std::vector<std::string>& reads) const;

  /// Pixel frames of a film of so many clips. `continued`: it goes on from a video, whose frames
  /// are not counted; without a script there is no cut.
  std::int64_t frames(const ClipShape& shape, std::int64_t clips, const Script* script = nullptr,
                      bool continued = false) const;

  /// Of a video that a film goes on from: how many of its frames the film shows, of so many.
  virtual std::int64_t shown_before(std::int64_t frames) const { return frames; }

  /// Index of a clip's prompt, of so many: clip >= 0, count >= 1.
  std::int64_t prompt_of(std::int64_t clip, std::int64_t count) const;
  /// How training samples imitate its films.
  virtual TrainingPlan training() const { return {}; }
  /// What svi-generate takes where the user says nothing: "section.key" and value, such as the
  /// frame rate that its weights know, its guidance and its extension.
  virtual std::vector<std::pair<std::string, std::string>> film_settings() const { return {}; }
  /// This method, where it chains clips; else none.
  virtual const ChainMethod* chain() const { return nullptr; }

 private:
  virtual void do_check(const ClipShape& shape, std::int64_t stride, const Sampler& sampler) const;
  virtual std::unique_ptr<Film> do_begin(const Studio& studio,
                                         const FilmRequest& request) const = 0;
  virtual std::int64_t do_frames(const ClipShape& shape, std::int64_t clips, const Script* script,
                                 bool continued) const = 0;
  virtual std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const;
};

/// The method as a chain of clips. Throws ConfigError that says for what, such as "[diagnostic.x]",
/// where it is none.
SVI_EXPORT const ChainMethod& chain_of(const Method& method, std::string_view what);

}  // namespace svi
