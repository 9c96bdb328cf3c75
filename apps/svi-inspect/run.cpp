#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <dlfcn.h>

#include "inspect.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi::inspect {
namespace {

at::Device device_of(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  if (!name.starts_with("cuda"))
    raise<ConfigError>("--device ", name, ": expected cpu, cuda or cuda:N");
  // The CUDA half of LibTorch is not linked, so that one program serves machines without a GPU.
  dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  if (!at::hasCUDA() || at::getNumGPUs() == 0) {
    raise<ConfigError>("--device ", name, ": no GPU is seen here; use --device cpu");
  }
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    raise<ConfigError>("--device ", name, ": expected cpu, cuda or cuda:N");
  }
}

/// A tensor of the inputs file, checked and as fp32 on the device; undefined if optional and
/// absent.
class Inputs {
 public:
  Inputs(const std::string& path, at::Device device)
      : file_(SafetensorsFile::open(path)), device_(device) {}

  at::Tensor get(const std::string& name, std::int64_t dimensions, const char* form,
                 bool optional = false) const {
    if (!file_.contains(name)) {
      if (optional) return {};
      raise<IoError>(file_.path(), ": needs the tensor ", name, " ", form);
    }
    const auto tensor = file_.load(name);
    if (tensor.dim() != dimensions || tensor.numel() == 0) {
      raise<IoError>(file_.path(), ": ", name, " must be ", form, ", is ", tensor.sizes());
    }
    return tensor.to(device_, at::kFloat);
  }

 private:
  SafetensorsFile file_;
  at::Device device_;
};

at::Tensor run_dit(const RunOptions& options, at::Device device) {
  const auto weights = open_official(options.weights, WeightKind::dit, options.copy).tensors;
  WanDitConfig config;
  try {
    config = WanDit::infer(weights, options.heads);
  } catch (const Error& error) {
    raise<IoError>(options.weights, ": ", error.what());
  }
  const Inputs inputs(options.inputs, device);
  const auto x = inputs.get("x", 5, "[B, C, F, h, w]");
  const auto timestep = inputs.get("timestep", 1, "[B]");
  const Condition condition{{part::kText, inputs.get("context", 3, "[B, L, D]")},
                            {part::kImage, inputs.get("y", 5, "[B, C, F, h, w]", true)},
                            {part::kClip, inputs.get("clip_fea", 3, "[B, tokens, D]", true)}};
  // Names and shapes first: sizes that a damaged file claims must not be allocated.
  const auto report = match(WanDit(config, at::TensorOptions(at::kMeta)).parameters(), weights);
  if (!report.complete())
    raise<IoError>(options.weights, ": not the weights of a Wan DiT: ", report.text());
  WanDit model(config);
  model.load(weights, options.weights);
  model.to(device, at::kFloat);
  return model.velocity(x, timestep, condition);
}

WanVae open_vae(const RunOptions& options, at::Device device) {
  auto vae = WanVae::open(options.weights, options.copy);
  vae.to(device, at::kFloat);
  return vae;
}

}  // namespace

void run(const RunOptions& options) {
  const at::NoGradGuard guard;
  const auto device = device_of(options.device);
  NamedTensors results;
  if (options.model == "dit") {
    results.emplace_back("v", run_dit(options, device));
  } else if (options.model == "vae-encode") {
    const auto video = Inputs(options.inputs, device).get("video", 5, "[B, 3, T, H, W]");
    results.emplace_back("latent", open_vae(options, device).encode(video));
  } else if (options.model == "vae-decode") {
    const auto latent = Inputs(options.inputs, device).get("latent", 5, "[B, z, F, h, w]");
    results.emplace_back("video", open_vae(options, device).decode(latent));
  } else {
    raise<ConfigError>("run ", options.model, ": expected dit, vae-encode or vae-decode");
  }
  save_safetensors(options.out, results);
}

}  // namespace svi::inspect
