"""What the comparisons say of the processor, and how they make it do without its widest instructions."""
import os
import pathlib
import platform

# Every library in the comparison is held to the instructions of an AVX2 processor.
INSTRUCTIONS = {
    "native": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}
HELP = "native: what the processor has; avx2: as if it had no more than AVX2 and FMA"


def cpu_line(key):
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return ""


def describe(instructions):
    flags = cpu_line("flags").split()
    widest = "AVX-512 with bf16" if "avx512_bf16" in flags else "AVX-512" if "avx512f" in flags else "AVX2"
    described = {"machine": f"{cpu_line('model name') or platform.processor()}, family {cpu_line('cpu family')}, "
                            f"model {cpu_line('model')}", "widest_instructions": widest, "cores": os.cpu_count(),
                 "load_average_at_start": round(os.getloadavg()[0], 1)}
    if instructions == "avx2" and widest != "AVX2":
        named = " ".join(f"{key}={value}" for key, value in INSTRUCTIONS["avx2"].items())
        described["emulated"] = f"AVX2, by {named}, and stable-diffusion.cpp built with GGML_AVX512=OFF"
    return described


def result_name(name, instructions):
    return f"{name}.json" if instructions == "native" else f"{name}_{instructions}.json"
