// Tensors across ranks by NCCL: CUDA tensors go from GPU to GPU, without a stop in host memory.

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <cstring>
#include <optional>

#include "svi/config/option.hpp"
#include "svi/core/check.hpp"
#include "svi/core/handle.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/plugin/plugin.hpp"

namespace {

struct CommTraits {
  using Raw = ncclComm_t;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { ncclCommDestroy(raw); }
};
using Comm = svi::Handle<CommTraits>;

void check(ncclResult_t code, const char* call, ncclComm_t comm = nullptr) {
  if (code == ncclSuccess) return;
  svi::raise(call, " failed: ", ncclGetErrorString(code), "; ", ncclGetLastError(comm));
}

void check(cudaError_t code, const char* call) {
  if (code != cudaSuccess) svi::raise(call, " failed: ", cudaGetErrorString(code));
}

/// One GPU per rank. The communicator is made when the first tensor shows on which; work is queued
/// on the current stream of that device, in order with everything else there.
class NcclCollective final : public svi::Collective {
 public:
  struct Config {
    std::int64_t piece_mib = 64;
    void describe(svi::OptionVisitor& visit) {
      visit(piece_mib,
            {.key = "piece_mib",
             .help = "size of the pieces of a sum; a sum needs memory for one piece of every rank",
             .unit = "MiB",
             .min = 1,
             .max = 4096});
    }
  };

  explicit NcclCollective(Config config) : config_(config) {}

  void connect(const svi::Communicator& group) override {
    group_ = group;
    comm_ = {};
  }

  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override {
    const c10::cuda::CUDAGuard guard(device_of(tensor));
    return gather(tensor.detach().contiguous()).unbind(0);
  }

  void broadcast(at::Tensor& tensor, int root) override {
    const c10::cuda::CUDAGuard guard(device_of(tensor));
    SVI_CHECK(root >= 0 && root < group_->size(), "no rank ", root, " among ", group_->size());
    const auto whole = tensor.detach().contiguous();
    check(ncclBroadcast(whole.const_data_ptr(), whole.mutable_data_ptr(), whole.nbytes(), ncclUint8,
                        root, comm_.get(), stream()),
          "ncclBroadcast", comm_.get());
    if (!whole.is_alias_of(tensor)) tensor.detach().copy_(whole);
  }

  void sum(at::Tensor& tensor) override {
    const c10::cuda::CUDAGuard guard(device_of(tensor));
    // ncclAllReduce adds in an order of its own choice. Gathered parts are added in the tree order
    // of the MPI collective instead, so that both give the same bits.
    auto whole = tensor.detach().contiguous();
    auto flat = whole.view(-1);
    const auto piece =
        std::max<std::int64_t>(config_.piece_mib * 1024 * 1024 / flat.element_size(), 1);
    for (std::int64_t at = 0; at < flat.numel(); at += piece) {
      auto part = flat.slice(0, at, std::min(at + piece, flat.numel()));
      auto parts = gather(part).unbind(0);
      for (std::size_t stride = 1; stride < parts.size(); stride *= 2) {
        for (std::size_t i = 0; i + stride < parts.size(); i += 2 * stride)
          parts[i].add_(parts[i + stride]);
      }
      part.copy_(parts[0]);
    }
    if (!whole.is_alias_of(tensor)) tensor.detach().copy_(whole);
  }

  void all_to_all(const std::vector<at::Tensor>& send, std::vector<at::Tensor>& receive) override {
    SVI_CHECK(!send.empty(), "an exchange takes a tensor for each rank");
    const c10::cuda::CUDAGuard guard(device_of(send[0]));
    check_exchange(send, receive, group_->rank(), group_->size());
    std::vector<at::Tensor> outgoing, incoming;
    for (const auto& tensor : send) outgoing.push_back(tensor.detach().contiguous());
    for (const auto& tensor : receive) {
      incoming.push_back(tensor.is_contiguous() ? tensor
                                                : at::empty(tensor.sizes(), tensor.options()));
    }
    // As one group, or a send would wait for its receive on the other rank for ever.
    check(ncclGroupStart(), "ncclGroupStart", comm_.get());
    for (int r = 0; r < group_->size(); ++r) {
      const auto& out = outgoing[static_cast<std::size_t>(r)];
      const auto& in = incoming[static_cast<std::size_t>(r)];
      check(ncclSend(out.const_data_ptr(), out.nbytes(), ncclUint8, r, comm_.get(), stream()),
            "ncclSend", comm_.get());
      check(ncclRecv(in.mutable_data_ptr(), in.nbytes(), ncclUint8, r, comm_.get(), stream()),
            "ncclRecv", comm_.get());
    }
    check(ncclGroupEnd(), "ncclGroupEnd", comm_.get());
    for (std::size_t r = 0; r < receive.size(); ++r) {
      if (!incoming[r].is_alias_of(receive[r])) receive[r].detach().copy_(incoming[r]);
    }
  }

 private:
  /// [ranks, ...] from every rank's contiguous tensor.
  at::Tensor gather(const at::Tensor& own) {
    std::vector<std::int64_t> sizes = own.sizes().vec();
    sizes.insert(sizes.begin(), group_->size());
    auto all = at::empty(sizes, own.options());
    check(ncclAllGather(own.const_data_ptr(), all.mutable_data_ptr(), own.nbytes(), ncclUint8,
                        comm_.get(), stream()),
          "ncclAllGather", comm_.get());
    return all;
  }

  static cudaStream_t stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

  /// The tensor's device; joins the group there at the first call.
  c10::Device device_of(const at::Tensor& tensor) {
    SVI_CHECK(group_.has_value(), "connect() a collective to its group before use");
    SVI_CHECK(tensor.is_cuda(), "NCCL moves CUDA tensors, this one is on ", tensor.device(),
              "; set `[collective] type = mpi` for others");
    if (comm_) {
      SVI_CHECK(tensor.device() == device_, "this collective works on ", device_,
                ", the tensor is on ", tensor.device());
      return device_;
    }
    const c10::cuda::CUDAGuard guard(tensor.device());
    check(cudaFree(nullptr),
          "starting CUDA");  // or NCCL would report a missing driver as its own failure
    ncclUniqueId id{};
    if (group_->rank() == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId");
    const auto bytes = group_->broadcast(std::string(id.internal, sizeof id.internal));
    std::memcpy(id.internal, bytes.data(), sizeof id.internal);
    ncclComm_t raw = nullptr;
    check(ncclCommInitRank(&raw, group_->size(), id, group_->rank()),
          "ncclCommInitRank (each rank needs a GPU of its own)");
    comm_ = Comm(raw);
    device_ = tensor.device();
    return device_;
  }

  Config config_;
  std::optional<svi::Communicator> group_;
  c10::Device device_ = c10::kCPU;
  Comm comm_;
};

}  // namespace

SVI_PLUGIN("nccl_collective", "0.1.0", registrar) {
  registrar.add<svi::Collective, NcclCollective>("nccl", "NCCL, from GPU to GPU; one GPU per rank");
}
