#include "svi/pretrained/memory_plan.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <iomanip>
#include <sstream>

#include "pretrained/byte_sizes.hpp"
#include "pretrained/memory_remedies.hpp"
#include "pretrained/weight_counts.hpp"
#include "svi/core/check.hpp"
#include "svi/pretrained/memory_estimate.hpp"

namespace svi {
namespace {

constexpr std::int64_t kHostProcess = 256 * kMiB;      // LibTorch, FFmpeg, threads
constexpr std::int64_t kGpuHostProcess = 2048 * kMiB;  // the same with CUDA's libraries
constexpr std::int64_t kGpuProcess = 512 * kMiB;       // CUDA context
// Heaps have holes: what a process held was 1.16 (transformer) to 1.24 (codec) times its tensors.
constexpr std::int64_t kHeapShare = 4;
constexpr std::int64_t kKeptContexts = 2;     // of both passes of guidance
constexpr std::int64_t kSamplerLatents = 8;   // noise, latent, velocities, past steps
constexpr std::int64_t kEncoderFrames = 100;  // frames that x264 looks ahead and refers to

/// The plan of one request, phase by phase.
class Planner {
 public:
  Planner(const MemoryRequest& request, const WeightCounts& counts)
      : r_(request), counts_(counts), dit_(dit_weights(request, counts)) {}

  std::vector<PhaseMemory> phases() const {
    std::vector<PhaseMemory> phases;
    if (r_.gpu && !r_.in_place) phases.push_back(loading());
    if (r_.text_encoder && !r_.texts_cached) phases.push_back(text());
    phases.push_back(image());
    phases.push_back(sampling());
    phases.push_back(decoding());
    return phases;
  }

 private:
  std::int64_t e() const { return static_cast<std::int64_t>(c10::elementSize(r_.dtype)); }
  std::int64_t pixels() const { return r_.films * r_.height * r_.width; }
  std::int64_t latent_frames() const { return (r_.frames - 1) / r_.vae.temporal_stride() + 1; }
  std::int64_t latent_pixels() const {
    const auto stride = r_.vae.spatial_stride();
    return pixels() / (stride * stride);
  }
  std::int64_t latent_bytes(std::int64_t channels) const {
    return channels * latent_frames() * latent_pixels() * kFp32;
  }
  static MemoryUse& computing(PhaseMemory& phase, bool gpu) { return gpu ? phase.gpu : phase.host; }

  /// What is there in every phase: the process, the codec, the texts.
  PhaseMemory begin(const char* name) const {
    PhaseMemory phase;
    phase.name = name;
    phase.host.process = r_.gpu ? kGpuHostProcess : kHostProcess;
    phase.gpu.process = r_.gpu ? kGpuProcess : 0;
    computing(phase, r_.gpu).weights = counts_.vae * kFp32;
    const auto tokens = std::max<std::int64_t>(1, r_.dit.text_len);
    phase.host.cache = r_.prompts * tokens * r_.dit.text_dim * e();
    return phase;
  }

  /// The same with the transformer.
  PhaseMemory begin_clip(const char* name) const {
    auto phase = begin(name);
    computing(phase, r_.gpu).weights += dit_.device + r_.adapter_bytes;
    for (const auto& extension : r_.extensions)
      computing(phase, r_.gpu).weights += extension.bytes();
    phase.host.mapped += dit_.mapped;
    // Condition and latents of the clip in work; the angles of the positions.
    auto& there = computing(phase, r_.gpu);
    there.cache += latent_bytes(2 * r_.vae.z_dim + r_.vae.temporal_stride());
    there.cache += dit_work(r_.dit, pass()).cache;
    return phase;
  }

  void add(PhaseMemory& phase, const WorkingMemory& work) const {
    auto& there = computing(phase, r_.gpu);
    there.activations += work.activations + work.library + work.total() / kHeapShare;
    there.cache += work.cache;
  }

  DitWork pass() const {
    const auto stride = r_.vae.spatial_stride();
    return {.batch = r_.films * (r_.batched_guidance ? 2 : 1),
            .frames = latent_frames(),
            .height = r_.height / stride,
            .width = r_.width / stride,
            .dtype = r_.dtype,
            .gpu = r_.gpu,
            .adapters = r_.adapter_bytes > 0,
            .clip_tokens = r_.image_encoder ? r_.image_encoder->tokens() : 0,
            .kept_contexts = r_.batched_guidance ? 1 : kKeptContexts};
  }

  /// A transformer that is converted is made on the host and then moved.
  PhaseMemory loading() const {
    auto phase = begin("loading");
    phase.host.weights += counts_.dit() * e();
    phase.host.mapped = r_.stored.dit;
    phase.gpu.weights += dit_.device;
    return phase;
  }

  PhaseMemory text() const {
    auto phase = begin("text encoding");
    const auto& config = *r_.text_encoder;
    const auto tokens = r_.dit.text_len > 0 ? r_.dit.text_len : 512;
    const bool converted = r_.gpu || r_.stored.text_encoder != counts_.text_encoder * e();
    add(phase, umt5_work(config, 1, tokens, r_.dtype, converted));
    phase.host.mapped = r_.stored.text_encoder;
    return phase;
  }

  PhaseMemory image() const {
    auto phase = begin_clip("image encoding");
    auto work = vae_encode_work(r_.vae, {.batch = r_.films,
                                         .frames = r_.frames,
                                         .height = r_.height,
                                         .width = r_.width,
                                         .gpu = r_.gpu});
    work.activations += 3 * r_.frames * pixels() * kFp32;  // the condition video
    if (r_.image_encoder) {
      const bool converted = r_.gpu || r_.stored.image_encoder != counts_.image_encoder * kFp32;
      const auto tower = clip_work(*r_.image_encoder, r_.films, converted);
      if (tower.total() > work.total()) work = tower;
      phase.host.mapped += r_.stored.image_encoder;
    }
    add(phase, work);
    return phase;
  }

  PhaseMemory sampling() const {
    auto phase = begin_clip("sampling");
    auto work = dit_work(r_.dit, pass());
    work.cache = 0;  // counted for every phase of a clip
    work.activations += latent_bytes(kSamplerLatents * r_.vae.z_dim);
    if (r_.eight_bit) work.activations += counts_.largest_linear * e();
    add(phase, work);
    return phase;
  }

  PhaseMemory decoding() const {
    auto phase = begin_clip("decoding");
    VideoWork work{r_.films, r_.frames, r_.height, r_.width, r_.gpu};
    const auto stride = r_.vae.spatial_stride();
    // Frames of one latent frame, as floats and as bytes; what the encoder of the file holds.
    phase.host.activations +=
        pixels() * (3 * r_.vae.temporal_stride() * (kFp32 + 1) + kEncoderFrames * 3 / 2);
    if (r_.tile) {
      work.height = std::min(work.height, r_.tile->height * stride);
      work.width = std::min(work.width, r_.tile->width * stride);
      // Tiles are decoded one after the other and summed on the host.
      if (work.height < r_.height || work.width < r_.width) {
        const auto tile = 3 * r_.frames * r_.films * work.height * work.width * kFp32;
        phase.host.activations += 3 * r_.frames * pixels() * kFp32 + tile;
        if (r_.gpu) phase.gpu.activations += tile;
      }
    }
    add(phase, vae_decode_work(r_.vae, work));
    return phase;
  }

  const MemoryRequest& r_;
  const WeightCounts& counts_;
  DitBytes dit_;
};

void check(const MemoryRequest& r) {
  for (const auto& problem : {r.dit.problem(), r.vae.problem()}) {
    if (!problem.empty()) raise<ConfigError>(problem);
  }
  if (r.frames < 1 || r.height < 1 || r.width < 1 || r.films < 1 || r.prompts < 0)
    raise<ConfigError>("a clip of ", r.frames, " frames of ", r.width, "x", r.height, ", ", r.films,
                       " films, ", r.prompts, " prompts: sizes must be at least 1");
  if (r.resident_blocks > r.dit.layers || r.resident_blocks < -1)
    raise<ConfigError>("resident blocks ", r.resident_blocks, ": the transformer has ",
                       r.dit.layers, ", and -1 means all");
  if (r.tile && (r.tile->height < 1 || r.tile->width < 1))
    raise<ConfigError>("a tile of ", r.tile->width, "x", r.tile->height, " is empty");
}

std::string amount(std::int64_t bytes) {
  const auto mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  char text[32];
  if (mib < 1000) {
    std::snprintf(text, sizeof text, "%.0f MiB", mib);
  } else {
    std::snprintf(text, sizeof text, "%.1f GiB", mib / 1024);
  }
  return text;
}

const PhaseMemory& largest(const std::vector<PhaseMemory>& phases, MemoryUse PhaseMemory::*device) {
  return *std::max_element(phases.begin(), phases.end(),
                           [&](const PhaseMemory& a, const PhaseMemory& b) {
                             return (a.*device).peak() < (b.*device).peak();
                           });
}

std::string shortage(const MemoryPlan& plan, MemoryUse PhaseMemory::*device, const char* where,
                     std::int64_t free) {
  const auto& phase = largest(plan.phases, device);
  const auto peak = (phase.*device).peak();
  if (peak <= free) return {};
  return cat(phase.name, " needs ", amount(peak), " of ", where, ", ", amount(free), " are free. ");
}

}  // namespace

MemoryPlan plan_without_remedies(const MemoryRequest& request, const WeightCounts& counts,
                                 const MemoryBudget& budget) {
  MemoryPlan plan;
  plan.phases = Planner(request, counts).phases();
  plan.budget = budget;
  plan.gpu = request.gpu;
  plan.extensions = request.extensions;
  if (plan.host_peak() > budget.host || (plan.gpu && plan.gpu_peak() > budget.gpu)) {
    plan.verdict = MemoryVerdict::too_large;
    return plan;
  }
  const auto sampling = std::find_if(plan.phases.begin(), plan.phases.end(),
                                     [](const PhaseMemory& p) { return p.name == "sampling"; });
  if (sampling->host.peak() + sampling->host.mapped > budget.host)
    plan.verdict = MemoryVerdict::rereads;
  return plan;
}

MemoryPlan plan_memory(const MemoryRequest& request, const MemoryBudget& budget) {
  check(request);
  const auto counts = count_weights(request);
  auto plan = plan_without_remedies(request, counts, budget);
  if (plan.verdict == MemoryVerdict::too_large)
    plan.remedies = find_remedies(request, counts, budget);
  return plan;
}

std::int64_t MemoryPlan::host_peak() const {
  return largest(phases, &PhaseMemory::host).host.peak();
}
std::int64_t MemoryPlan::gpu_peak() const { return largest(phases, &PhaseMemory::gpu).gpu.peak(); }

std::string MemoryPlan::table() const {
  std::ostringstream out;
  const auto cells = [&](const std::vector<std::string>& texts) {
    for (const auto& text : texts) out << std::right << std::setw(12) << text;
  };
  const auto row = [&](const std::string& name, const char* device, const MemoryUse& use) {
    out << std::left << std::setw(16) << name << std::setw(8) << device;
    cells({amount(use.weights), amount(use.activations), amount(use.cache), amount(use.peak()),
           amount(use.mapped)});
    out << "\n";
  };
  out << std::left << std::setw(16) << "phase" << std::setw(8) << "on";
  cells({"weights", "activations", "cache", "peak", "mapped"});
  out << "\n";
  for (const auto& phase : phases) {
    row(phase.name, "memory", phase.host);
    if (gpu) row("", "GPU", phase.gpu);
  }
  out << std::left << std::setw(16) << "free" << std::setw(8) << "memory";
  cells({"", "", "", amount(budget.host)});
  out << "\n";
  if (gpu) {
    out << std::left << std::setw(16) << "" << std::setw(8) << "GPU";
    cells({"", "", "", amount(budget.gpu)});
    out << "\n";
  }
  for (const auto& extension : extensions) {
    out << "with [extension." << extension.label << "], " << extension.parameters << " parameters, "
        << amount(extension.bytes()) << " among the weights\n";
  }
  return out.str();
}

std::string MemoryPlan::advice() const {
  if (verdict == MemoryVerdict::fits) return "fits";
  if (verdict == MemoryVerdict::rereads) {
    return "fits, but there is no room to keep the mapped weights in memory: each step reads them "
           "from the disk again";
  }
  auto text = shortage(*this, &PhaseMemory::host, "memory", budget.host);
  if (gpu) text += shortage(*this, &PhaseMemory::gpu, "the GPU's memory", budget.gpu);
  if (remedies.empty()) return text + "No setting makes it fit";
  text += remedies.size() == 1 ? "It fits with" : "It fits with one of";
  for (std::size_t i = 0; i < remedies.size(); ++i)
    text += cat(i == 0 ? " " : ", ", remedies[i].settings);
  return text;
}

}  // namespace svi
