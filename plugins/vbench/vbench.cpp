// vbench: the dimensions of VBench (Huang et al. 2024, arXiv 2311.17982),
// VBench-I2V and VBench-Long (Huang et al. 2024, arXiv 2411.13503) that need no
// prompts of their own, with the networks that their authors use.
#include <svi/plugin/plugin.hpp>

#include "registration.hpp"

SVI_PLUGIN("vbench", "0.1.0", registrar) {
  svi::vbench::add_consistency(registrar);
  svi::vbench::add_coherence(registrar);
  svi::vbench::add_aesthetic(registrar);
  svi::vbench::add_imaging(registrar);
  svi::vbench::add_flickering(registrar);
  svi::vbench::add_i2v(registrar);
  svi::vbench::add_long(registrar);
  svi::vbench::add_dynamic_degree(registrar);
  svi::vbench::add_static_flicker(registrar);
  svi::vbench::add_motion_smoothness(registrar);
  svi::vbench::add_overall_consistency(registrar);
}
