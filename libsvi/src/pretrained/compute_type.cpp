#include "svi/pretrained/compute_type.hpp"

#include <unistd.h>

#include "svi/core/check.hpp"
#include "svi/tensor/instruction_set.hpp"

namespace svi {
namespace {

// With weights in half of the memory, the codec, the text encoder and the system have the rest.
constexpr std::int64_t kPart = 2;

std::string gigabytes(std::int64_t bytes) { return cat((bytes + 500000000) / 1000000000, " GB"); }

}  // namespace

ComputeChoice choose_compute(ComputeType asked, const ComputeFacts& facts) {
  if (asked == ComputeType::fp32) return {at::kFloat, "as asked for"};
  if (asked == ComputeType::bf16) return {at::kBFloat16, "as asked for"};
  if (!facts.large) return {at::kFloat, "the model is small"};
  if (facts.gpu) return {at::kBFloat16, "the GPU multiplies bf16 faster"};
  if (facts.bf16_products)
    return {at::kBFloat16, cat("this processor (", facts.processor, ") multiplies bf16 faster")};
  const auto weights = cat("weights of ", gigabytes(facts.fp32_bytes), " in fp32");
  const auto memory = gigabytes(facts.memory_bytes);
  if (facts.fp32_bytes > facts.memory_bytes / kPart) {
    return {at::kBFloat16, cat(weights, " would take more than half of the machine's ", memory)};
  }
  return {at::kFloat, cat("this processor (", facts.processor,
                          ") has no products of bf16, so bf16 is not faster, and ", weights,
                          " fit into half of its ", memory)};
}

ComputeFacts machine_facts() {
  ComputeFacts facts;
  facts.bf16_products = multiplies_bf16();
  facts.processor = name_of(instruction_set());
  facts.memory_bytes = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  return facts;
}

}  // namespace svi
