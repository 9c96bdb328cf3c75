#include <svi/plugin/plugin.hpp>

#include "pocket/critic_metric.hpp"
#include "pocket/pocket_metric.hpp"
#include "pocket/pocket_truth.hpp"
#include "pocket/pocket_world.hpp"
#include "pocket/word_encoder.hpp"

SVI_PLUGIN("pocket", "0.1.0", registrar) {
  registrar.add<svi::ClipSource, svi::PocketWorld>(
      "pocket_world",
      "procedural scenes of three bands and a moving disc; the truth is known at every frame");
  registrar.add<svi::Metric, svi::PocketMetric>(
      "pocket", "quality, consistency, disc and motion of pocket scenes, without truth");
  registrar.add<svi::Metric, svi::PocketTruthMetric>(
      "pocket_truth", "background, object and motion of pocket scenes against the truth");
  registrar.add<svi::Metric, svi::CriticMetric>(
      "critic", "quality of each frame, and of all frames as a set, estimated by a trained critic");
  registrar.add<svi::SmallTextEncoder, svi::PocketTextEncoder>(
      "words", "a fixed vector for each word and for its place, without weights");
}
