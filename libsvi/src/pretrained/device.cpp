#include "svi/pretrained/device.hpp"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>

#include <filesystem>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"

namespace svi {
namespace {

/// LibTorch's CPU library finds the CUDA one only once it is in the process.
bool load_cuda() {
  if (!std::filesystem::exists("/dev/nvidiactl")) return false;
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    SVI_WARN("device",
             "there is a GPU driver, but LibTorch's CUDA library does not load: ", dlerror());
    return false;
  }
  return at::globalContext().hasCUDA();
}

}  // namespace

at::Device choose_device(DeviceChoice choice) {
  if (choice == DeviceChoice::cpu) return at::kCPU;
  if (load_cuda()) return at::Device(at::kCUDA, 0);
  if (choice == DeviceChoice::cuda) {
    raise<ConfigError>("device = cuda, but no GPU is seen; use auto or cpu, or check the driver");
  }
  return at::kCPU;
}

std::int64_t free_device_memory(const at::Device& device) {
  const auto index = device.has_index() ? device.index() : c10::DeviceIndex{0};
  return static_cast<std::int64_t>(
      c10::getDeviceAllocator(device.type())->getMemoryInfo(index).first);
}

}  // namespace svi
