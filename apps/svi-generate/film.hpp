#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "requests.hpp"
#include "svi/data/tracks.hpp"
#include "svi/generate/film_maker.hpp"
#include "svi/generate/film_output.hpp"
#include "svi/generate/story_script.hpp"
#include "svi/generate/time_line.hpp"
#include "svi/io/run_lock.hpp"
#include "svi/model/extension.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/pretrained/pretrained.hpp"

namespace svi::generate {

/// Everything needed to make one film of a request, checked; nothing is written before make(), but
/// for the lock that keeps other processes from the film.
class FilmJob {
 public:
  /// `extensions`: the model's, built; `reads`: what they read along a film, which --track or
  /// --audio must give.
  FilmJob(const Arguments& a, const Registry& registry, Pretrained& model, Request request,
          const LabelledExtensions& extensions, std::vector<std::string> reads);

  /// Prompts that are encoded, that of the unguided pass among them.
  std::vector<std::string> prompts() const;
  /// File, length, size and number of prompts.
  std::string summary() const;
  /// What the film shows when, a line for each stretch.
  std::string time_line_table() const;
  /// Writes the same as a contact sheet, an SVG file. Throws IoError.
  void write_sheet(const std::string& file) const;
  /// What is odd about the settings; empty if nothing.
  std::string note() const;
  /// What the film takes, before anything is loaded.
  MemoryPlan memory_plan(const LabelledExtensions& extensions) const;
  /// Returns whether it is complete: `stop` ends it earlier.
  bool make(const VelocityModel& dit, const std::function<bool()>& stop) const;

 private:
  std::int64_t frames() const;
  std::vector<TimeLineEntry> entries() const;
  void set_size(Document& document, bool official) const;
  void load_start();
  void imagine_start(const Registry& registry);
  void check_method() const;
  std::int64_t clips_of_sound() const;
  std::int64_t usual_clips() const;
  void check_read(const std::string& option, std::string_view name) const;
  void open_pose(const LabelledExtensions& extensions);
  void write_script(const LabelledExtensions& extensions);
  Tracks load_tracks(const LabelledExtensions& extensions);
  at::Tensor load_track(const std::string& name, const std::string& path,
                        const LabelledExtensions& extensions);
  void tell_stopped(std::int64_t made) const;

  const Arguments& a_;
  Pretrained& model_;
  Request request_;
  FilmOutput output_;
  std::optional<RunLock> lock_;  // not where the film is only checked
  Document settings_;
  FilmConfig config_;
  RolloutConfig rollout_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Guidance> guidance_;
  std::unique_ptr<Storyboard> storyboard_;
  std::optional<StoryScript> script_;
  std::vector<std::string> reads_;
  std::shared_ptr<const TrackReader> pose_;  // where it has one
  FilmStart start_;
  std::int64_t clips_ = 0;
};

/// The first digits of the SHA-256 of a tensor's values.
std::string bytes_hash(const at::Tensor& tensor);

}  // namespace svi::generate
