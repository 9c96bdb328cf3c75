#include "svi/error/recorded.hpp"

#include <ATen/ATen.h>

#include <filesystem>

#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/tensor/error_records.hpp"

namespace svi {

namespace {

/// Banks lie in <results>/<experiment>/banks/, so that the path tells who writes it.
std::string remedy(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const auto writer = folder.parent_path().filename().string();
  const bool known = folder.filename() == "banks" && !writer.empty();
  return cat("run ", known ? "experiment '" + writer + "'" : "the experiment that writes it",
             " first, whose training keeps its bank with [recycling] keep_bank = on, or correct "
             "[error_source] path");
}

}  // namespace

void RecordedError::Config::describe(OptionVisitor& visit) {
  visit(path, {.key = "path",
               .help = "bank of another run: <results>/<name>/banks/<arm>-seed<S>.safetensors"});
  visit(scale, {.key = "scale", .help = "factor on every error"});
}

std::string RecordedError::Config::problem() const {
  return path.empty() ? "type = recorded needs a path: the bank that another run has kept" : "";
}

std::vector<BankedError> RecordedError::do_extract(const StepView&) const { return {}; }

std::vector<InputFile> RecordedError::do_inputs() const {
  return {{config_.path, remedy(config_.path)}};
}

std::vector<BankedError> RecordedError::do_preload(at::IntArrayRef latent) const {
  if (!std::filesystem::exists(config_.path))
    raise<IoError>(config_.path, ": does not exist; ", remedy(config_.path));
  auto errors = unpack_errors(SafetensorsFile::open(config_.path).load_all(), config_.path);
  if (errors.empty())
    raise<IoError>(config_.path, ": a bank without errors; let that run train longer");
  for (auto& error : errors) {
    const auto sizes = error.residual.sizes();
    if (sizes[0] != latent[0] || sizes[1] > latent[1] || sizes.slice(2) != latent.slice(2)) {
      raise<IoError>(config_.path, ": holds errors [C, F, h, w] = ", sizes,
                     ", but latents of this run are ", latent,
                     "; use the same [clip] and codec in both runs");
    }
    error.data_gain *= config_.scale;
    error.noise_gain *= config_.scale;
    const bool shared =
        error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
    if (error.data_offset.defined()) error.data_offset = error.data_offset * config_.scale;
    if (shared) {
      error.noise_offset = error.data_offset;
    } else if (error.noise_offset.defined()) {
      error.noise_offset = error.noise_offset * config_.scale;
    }
  }
  return errors;
}

}  // namespace svi
