#include "svi/pretrained/dit_file.hpp"

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/model/key_maps.hpp"

namespace svi {

DitFile open_dit_file(const std::filesystem::path& path, ModelLayout layout, std::int64_t heads,
                      const std::string& copy, bool values) {
  constexpr std::int64_t kOfficialText = 512;  // rows of a text context
  auto official = open_official(path, WeightKind::dit, copy, values);
  if (const auto text = official.text(); !text.empty())
    SVI_INFO("model", "transformer: ", path.string(), ": ", text);
  DitFile file{std::move(official.tensors), {}};
  try {
    file.config = WanDit::infer(file.weights, heads);
  } catch (const IoError& error) {
    raise<IoError>(path.string(), ": ", error.what());
  }
  const auto report =
      match(WanDit(file.config, at::TensorOptions(at::kMeta)).parameters(), file.weights);
  if (!report.complete())
    raise<IoError>(path.string(), ": not the weights of a Wan transformer\n", report.text());
  if (layout != ModelLayout::trained) file.config.text_len = kOfficialText;
  return file;
}

}  // namespace svi
