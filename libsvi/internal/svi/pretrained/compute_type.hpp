#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// In which precision the transformer and the text encoder compute.
enum class ComputeType {
  automatic,  // choose_compute decides
  fp32,
  bf16,
};
inline std::vector<std::string> enum_names(ComputeType) { return {"auto", "fp32", "bf16"}; }

/// What an automatic choice depends on. None of it changes while a film is made, so that a film
/// that goes on computes as it began.
struct ComputeFacts {
  bool large = false;             // a model of official size
  bool gpu = false;               // computing there
  bool bf16_products = false;     // the processor multiplies bf16
  std::string processor;          // its instruction set, for people
  std::int64_t fp32_bytes = 0;    // of the transformer's weights
  std::int64_t memory_bytes = 0;  // the machine's
};

/// A precision, and why it was chosen.
struct ComputeChoice {
  at::ScalarType dtype = at::kFloat;  // fp32 or bf16
  std::string reason;                 // one line for people
};

/// Never bf16 for speed's sake where it is not the faster one: on processors without products of
/// bf16 it takes as long as fp32, so it is chosen only where fp32 weights would fill the memory.
SVI_EXPORT ComputeChoice choose_compute(ComputeType asked, const ComputeFacts& facts);

/// This machine's part of the facts.
SVI_EXPORT ComputeFacts machine_facts();

}  // namespace svi
