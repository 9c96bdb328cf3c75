#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {

/// A tile of the codec's decoder, in latent pixels. Defaults: those of the reference.
struct TileSize {
  std::int64_t height = 30, width = 52;  // latent pixels
};

/// The layers of an extension, beside the transformer's: in fp32, where the transformer computes.
struct ExtensionSize {
  std::string label = {};       // of [extension.LABEL]
  std::int64_t parameters = 0;  // numbers

  std::int64_t bytes() const { return 4 * parameters; }  // in memory
};

/// Everything that decides how much memory a film takes. Networks by the sizes that their files'
/// headers tell; nothing needs to be loaded.
struct MemoryRequest {
  WanDitConfig dit = {};                               // sizes of the transformer
  WanVaeConfig vae = {};                               // sizes of the codec
  std::optional<Umt5Config> text_encoder = {};         // none: words need no network
  std::optional<ClipVisionConfig> image_encoder = {};  // none: no image branch
  /// Stored bytes of each network's files.
  struct Stored {
    std::int64_t dit = 0, text_encoder = 0, image_encoder = 0;  // bytes
  } stored = {};                                                // bytes

  std::int64_t films = 1;                               // in one batch
  std::int64_t frames = 81, height = 480, width = 832;  // of a clip, pixels
  std::int64_t prompts = 1;                             // different ones
  bool texts_cached = false;  // all of them on disk: the text encoder is not opened

  at::ScalarType dtype = at::kBFloat16;  // of transformer and text encoder
  bool gpu = false;               // computing there; weights that do not stay are on the host
  bool batched_guidance = false;  // both passes of guidance as one
  /// Weights are used where their file is mapped, which takes no memory of the process; possible
  /// for those stored in `dtype`. Otherwise they are converted when loaded.
  bool in_place = false;
  std::int64_t resident_blocks = -1;  // of the transformer; the others are brought from their file
  bool eight_bit = false;             // block weights, one scale per 128
  std::int64_t adapter_bytes = 0;     // of adapters kept apart
  std::vector<ExtensionSize> extensions = {};  // of the transformer
  std::optional<TileSize> tile = {};           // while decoding
};

/// Bytes on one device.
struct MemoryUse {
  std::int64_t weights = 0;      // bytes
  std::int64_t activations = 0;  // bytes
  std::int64_t cache = 0;        // kept between steps or frames
  std::int64_t process = 0;      // libraries, driver
  /// Weights read through mapped files (host only). The system may drop and read them again, so
  /// they are not part of the peak, but where there is no room for them each use waits for the
  /// disk.
  std::int64_t mapped = 0;
  /// The largest use in bytes; mapped files do not count.
  std::int64_t peak() const { return weights + activations + cache + process; }
};

/// What one phase of a film takes.
struct PhaseMemory {
  std::string name;     // for people
  MemoryUse host, gpu;  // bytes on each
};

/// Free bytes.
struct MemoryBudget {
  std::int64_t host = 0;  // bytes
  std::int64_t gpu = 0;   // bytes; 0 without a GPU
};

/// Whether a film fits.
enum class MemoryVerdict {
  fits,
  rereads,  // fits, but mapped weights do not stay in memory: every step reads them from the disk
  too_large,
};

/// Changed settings, as they are given to svi-generate, with which a film fits.
struct MemoryRemedy {
  std::string settings;   // "--tile --dtype bf16"
  MemoryRequest request;  // with those settings
};

/// What a film takes, phase by phase, and whether it fits.
struct SVI_EXPORT MemoryPlan {
  std::vector<PhaseMemory> phases;              // in order; those that do not happen are left out
  MemoryBudget budget;                          // what is free
  bool gpu = false;                             // whether a GPU computes
  std::vector<ExtensionSize> extensions = {};   // among the weights of each phase of a clip
  MemoryVerdict verdict = MemoryVerdict::fits;  // for this budget
  /// Where it is too large: each single setting that makes it fit, or else the settings that do
  /// together; empty if none do.
  std::vector<MemoryRemedy> remedies;

  /// Largest peak over the phases.
  std::int64_t host_peak() const;
  std::int64_t gpu_peak() const;  // 0 without a GPU
  /// The phases as a table for people, a line each.
  std::string table() const;
  /// The verdict in words; where it is too large: which phase, by how much, and what to change.
  std::string advice() const;
};

/// What a film takes, phase by phase, and whether that fits. Reads nothing but its arguments.
/// Throws ConfigError for sizes that are none of the networks'.
SVI_EXPORT MemoryPlan plan_memory(const MemoryRequest& request, const MemoryBudget& budget);

/// Bytes this process may still take: what the kernel calls available, or less where control groups
/// (containers, batch systems) allow less. Throws IoError where the kernel does not tell. `root`:
/// another place for /proc and /sys, for tests.
SVI_EXPORT std::int64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace svi
