#pragma once

#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// What our own loops are compiled for, narrowest first.
enum class InstructionSet { baseline, avx2, avx512 };

/// The widest that this processor has, no wider than LibTorch's own choice: ATEN_CPU_CAPABILITY
/// (default, avx2, avx512) narrows both.
SVI_EXPORT InstructionSet instruction_set();

/// "AVX-512", "AVX2" or "baseline".
SVI_EXPORT std::string_view name_of(InstructionSet set);

/// Whether the processor multiplies pairs of bf16 numbers at once (AMD since Zen 4, Intel since
/// Sapphire Rapids): then bf16 is faster than fp32, elsewhere it only takes less memory.
SVI_EXPORT bool multiplies_bf16();

}  // namespace svi
