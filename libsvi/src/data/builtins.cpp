#include "svi/data/builtins.hpp"

#include "svi/data/video_folder.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_data(Registrar& registrar) {
  registrar.add<ClipSource, VideoFolder>(
      "video_folder", "random windows and crops of video files, with captions from CSV tables");
}

}  // namespace svi
