#pragma once

#include <svi/plugin/registry.hpp>

namespace svi::vbench {

/// Each file of metrics registers its own.
void add_consistency(Registrar& registrar);          // subject_consistency, background_consistency
void add_coherence(Registrar& registrar);            // long_range_coherence
void add_aesthetic(Registrar& registrar);            // aesthetic_quality
void add_imaging(Registrar& registrar);              // imaging_quality
void add_flickering(Registrar& registrar);           // temporal_flickering
void add_i2v(Registrar& registrar);                  // i2v_subject, i2v_background
void add_long(Registrar& registrar);                 // long_subject_consistency,
                                                     // long_background_consistency
void add_dynamic_degree(Registrar& registrar);       // dynamic_degree, flow_strength
void add_static_flicker(Registrar& registrar);       // static_film, static_flicker
void add_motion_smoothness(Registrar& registrar);    // motion_smoothness
void add_overall_consistency(Registrar& registrar);  // overall_consistency

}  // namespace svi::vbench
