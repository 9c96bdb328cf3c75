// fidelity: how near a film's frames are to the truth's, as people see it.
#include "fidelity.hpp"

#include <svi/plugin/plugin.hpp>

SVI_PLUGIN("fidelity", "0.1.0", registrar) {
  fidelity::register_lpips(registrar);
  fidelity::register_mawe(registrar);
  fidelity::register_ms_ssim(registrar);
}
