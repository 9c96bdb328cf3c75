#include "svi/parallel/mpi_collective.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

namespace {

constexpr std::int64_t kLargestMessage = std::int64_t{1} << 30;  // bytes; MPI counts are int
constexpr int kTag = 7;

/// The tensor's values in contiguous host memory; shares memory where they are there already.
at::Tensor on_host(const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).contiguous(); }

char* bytes_of(const at::Tensor& tensor) { return static_cast<char*>(tensor.mutable_data_ptr()); }

/// Calls `transfer(pointer, count)` for pieces that fit MPI's counts.
template <class Transfer>
void in_pieces(const at::Tensor& tensor, const Transfer& transfer) {
  char* data = bytes_of(tensor);
  const auto size = static_cast<std::int64_t>(tensor.nbytes());
  for (std::int64_t at = 0; at < size; at += kLargestMessage) {
    transfer(data + at, static_cast<int>(std::min(kLargestMessage, size - at)));
  }
}

void broadcast_host(const at::Tensor& host, int root, MPI_Comm comm) {
  in_pieces(host, [&](char* data, int count) {
    mpi::check(MPI_Bcast(data, count, MPI_BYTE, root, comm), "MPI_Bcast");
  });
}

/// Adds up towards rank 0, in place: rank r takes r + stride's part at strides 1, 2, 4, ...
void sum_to_first(at::Tensor& host, int rank, int size, MPI_Comm comm) {
  for (int stride = 1; stride < size; stride *= 2) {
    if (rank % (2 * stride) != 0) {
      in_pieces(host, [&](char* data, int count) {
        mpi::check(MPI_Send(data, count, MPI_BYTE, rank - stride, kTag, comm), "MPI_Send");
      });
      return;
    }
    if (rank + stride >= size) continue;
    const auto part = at::empty_like(host);
    in_pieces(part, [&](char* data, int count) {
      mpi::check(MPI_Recv(data, count, MPI_BYTE, rank + stride, kTag, comm, MPI_STATUS_IGNORE),
                 "MPI_Recv");
    });
    host.add_(part);
  }
}

}  // namespace

MpiCollective::MpiCollective(Config) {}

MpiCollective::~MpiCollective() = default;

void MpiCollective::connect(const Communicator& group) { group_ = group; }

const Communicator& MpiCollective::group() const {
  SVI_CHECK(group_.has_value(), "connect() a collective to its group before use");
  return *group_;
}

std::vector<at::Tensor> MpiCollective::all_gather(const at::Tensor& tensor) {
  const int size = group().size();
  if (size == 1) return {tensor.detach().clone()};
  const auto own = on_host(tensor);
  std::vector<at::Tensor> parts;
  for (int rank = 0; rank < size; ++rank) {
    auto part = rank == group().rank() ? own.clone() : at::empty_like(own);
    broadcast_host(part, rank, mpi::native(group()));
    parts.push_back(part.to(tensor.device()));
  }
  return parts;
}

void MpiCollective::broadcast(at::Tensor& tensor, int root) {
  SVI_CHECK(root >= 0 && root < group().size(), "no rank ", root, " among ", group().size());
  if (group().size() == 1) return;
  const auto host = on_host(tensor);
  broadcast_host(host, root, mpi::native(group()));
  if (!host.is_alias_of(tensor)) tensor.detach().copy_(host);
}

void MpiCollective::sum(at::Tensor& tensor) {
  if (group().size() == 1) return;
  auto host = on_host(tensor);
  const auto comm = mpi::native(group());
  sum_to_first(host, group().rank(), group().size(), comm);
  broadcast_host(host, 0, comm);
  if (!host.is_alias_of(tensor)) tensor.detach().copy_(host);
}

}  // namespace svi
