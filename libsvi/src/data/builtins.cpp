#include "svi/data/builtins.hpp"

#include "svi/data/pocket_world.hpp"
#include "svi/data/video_folder.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_data(Registrar& registrar) {
  registrar.add<ClipSource, PocketWorld>(
      "pocket_world",
      "procedural scenes of three bands and a moving disc; the truth is known at every frame");
  registrar.add<ClipSource, VideoFolder>(
      "video_folder", "random windows and crops of video files, with captions from CSV tables");
}

}  // namespace svi
