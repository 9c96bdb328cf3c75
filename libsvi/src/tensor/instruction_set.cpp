#include "svi/tensor/instruction_set.hpp"

#include <ATen/Version.h>

#include <string>

namespace svi {
namespace {

bool has_avx512() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

bool has_avx2() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

InstructionSet found() {
  const auto allowed = at::get_cpu_capability();  // of LibTorch's loops
  if (allowed == "AVX512" && has_avx512()) return InstructionSet::avx512;
  if ((allowed == "AVX512" || allowed == "AVX2") && has_avx2()) return InstructionSet::avx2;
  return InstructionSet::baseline;
}

}  // namespace

InstructionSet instruction_set() {
  static const auto set = found();
  return set;
}

std::string_view name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return "AVX-512";
    case InstructionSet::avx2:
      return "AVX2";
    case InstructionSet::baseline:
      break;
  }
  return "baseline";
}

bool multiplies_bf16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return instruction_set() == InstructionSet::avx512 && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace svi
