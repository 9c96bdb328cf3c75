#pragma once

#include <memory>
#include <vector>

#include "jobs.hpp"

namespace svi {

// One function per kind, each in the file of its class.
std::shared_ptr<const JobKind> vae_jobs();       // pretraining: the codec
std::shared_ptr<const JobKind> encode_jobs();    // pools of training clips
std::shared_ptr<const JobKind> base_jobs();      // pretraining: the transformer
std::shared_ptr<const JobKind> train_jobs();     // adapters, one arm and seed each
std::shared_ptr<const JobKind> critic_jobs();    // critics
std::shared_ptr<const JobKind> evaluate_jobs();  // films of some scenes of an arm and seed
std::shared_ptr<const JobKind> diagnose_jobs();  // one diagnostic of an arm and seed
std::shared_ptr<const JobKind> measure_jobs();   // some video files of an arm

/// Every kind there is; what a kind waits for stands before it.
inline std::vector<std::shared_ptr<const JobKind>> job_kinds() {
  return {vae_jobs(),    encode_jobs(),   base_jobs(),     train_jobs(),
          critic_jobs(), evaluate_jobs(), diagnose_jobs(), measure_jobs()};
}

}  // namespace svi
