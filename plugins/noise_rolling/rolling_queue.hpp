#pragma once

#include <cstdint>
#include <string>
#include <svi/method/chain_options.hpp>
#include <vector>

namespace rolling {

/// How levels rise along the queue, and what a step of it is.
enum class Schedule { fifo, rolling };
std::vector<std::string> enum_names(Schedule);

/// What the queue is filled with before the first frame leaves it.
enum class Start { clip, noise };
std::vector<std::string> enum_names(Start);

/// How the windows of one step run.
enum class Partitions { one_by_one, together };
std::vector<std::string> enum_names(Partitions);

/// The options of noise rolling.
struct RollingOptions : svi::PromptOptions {
  Schedule schedule = Schedule::fifo;
  std::int64_t window = 0;
  bool lookahead = true;
  std::int64_t context = 1;
  Start start = Start::clip;
  bool warm_up = true;
  Partitions partitions = Partitions::one_by_one;

  void describe(svi::OptionVisitor& visit);
};

/// A queue of Q frames, cut into windows of f: `context` frames that stay, then `moved` ones that
/// take a step. Levels count the steps that a frame still has to go, of T in all: slot w has level
/// (w + 1) k when a frame has just left, and k = T / Q steps later the level w k that slot w - 1
/// had, so that a shift by one leaves the set of levels as it is. FIFO: k = 1, Q = T.
struct Windows {
  std::int64_t queue = 0;    // Q
  std::int64_t context = 0;  // c
  std::int64_t moved = 0;    // f - c
  std::int64_t steps = 0;    // T
  std::int64_t lead = 0;     // steps between two frames that leave, k

  std::int64_t frames() const { return context + moved; }
  std::int64_t count() const { return queue / moved; }
  /// Levels of all slots after so many of the k steps of a shift.
  std::vector<std::int64_t> levels(std::int64_t done) const;
  /// Levels of all slots after so many of the T steps from pure noise to the first clean frame.
  std::vector<std::int64_t> starting(std::int64_t done) const;
};

/// The queue for clips of so many latent frames and a sampler of so many steps. Throws ConfigError
/// naming the values that work where there is none.
Windows windows_of(const RollingOptions& options, std::int64_t clip_frames, std::int64_t steps);

}  // namespace rolling
