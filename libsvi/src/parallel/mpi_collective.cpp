#include "svi/parallel/mpi_collective.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

namespace {

constexpr std::int64_t kLargestMessage = std::int64_t{1} << 30;  // bytes; MPI counts are int
constexpr int kTag = 7;
constexpr int kExchangeTag = 8;

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

/// Messages under way at the same time, and how long those to come must be.
class Transfers {
 public:
  explicit Transfers(MPI_Comm comm) : comm_(comm) {}

  void receive(const at::Tensor& host, int from) {
    in_pieces(host, [&](char* data, int count) {
      mpi::check(MPI_Irecv(data, count, MPI_BYTE, from, kExchangeTag, comm_, &start(from, count)),
                 "MPI_Irecv");
    });
  }
  void send(const at::Tensor& host, int to) {
    in_pieces(host, [&](char* data, int count) {
      mpi::check(MPI_Isend(data, count, MPI_BYTE, to, kExchangeTag, comm_, &start(to, -1)),
                 "MPI_Isend");
    });
  }
  /// Waits for all; throws if one came short.
  void finish() {
    std::vector<MPI_Status> statuses(requests_.size());
    const auto code =
        MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), statuses.data());
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (code == MPI_ERR_IN_STATUS) mpi::check(statuses[i].MPI_ERROR, "MPI_Waitall");
      if (expected_[i].bytes < 0) continue;
      int came = 0;
      mpi::check(MPI_Get_count(&statuses[i], MPI_BYTE, &came), "MPI_Get_count");
      SVI_CHECK(came == expected_[i].bytes, "rank ", expected_[i].rank, " sent ", came,
                " bytes where ", expected_[i].bytes, " were expected");
    }
    mpi::check(code, "MPI_Waitall");
  }

 private:
  struct Expected {
    int rank, bytes;  // -1: a message from here
  };
  MPI_Request& start(int rank, int bytes) {
    expected_.push_back({rank, bytes});
    return requests_.emplace_back(MPI_REQUEST_NULL);
  }

  MPI_Comm comm_;
  std::vector<MPI_Request> requests_;
  std::vector<Expected> expected_;
};

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

void MpiCollective::all_to_all(const std::vector<at::Tensor>& send,
                               std::vector<at::Tensor>& receive) {
  const int size = group().size(), own = group().rank();
  check_exchange(send, receive, own, size);
  receive[static_cast<std::size_t>(own)].detach().copy_(send[static_cast<std::size_t>(own)]);
  if (size == 1) return;
  std::vector<at::Tensor> incoming, outgoing;  // in host memory, by rank
  for (const auto& tensor : receive) {
    incoming.push_back(tensor.is_cpu() && tensor.is_contiguous()
                           ? tensor
                           : at::empty(tensor.sizes(), tensor.options().device(at::kCPU)));
  }
  for (const auto& tensor : send) outgoing.push_back(on_host(tensor));
  Transfers transfers(mpi::native(group()));
  // Rank r begins with r + 1, so that not all ranks send to the same one first.
  for (int step = 1; step < size; ++step) {
    const auto from = (own + size - step) % size;
    transfers.receive(incoming[static_cast<std::size_t>(from)], from);
  }
  for (int step = 1; step < size; ++step) {
    const auto to = (own + step) % size;
    transfers.send(outgoing[static_cast<std::size_t>(to)], to);
  }
  transfers.finish();
  for (std::size_t r = 0; r < receive.size(); ++r) {
    const bool elsewhere = !incoming[r].is_alias_of(receive[r]);
    if (elsewhere && static_cast<int>(r) != own) receive[r].detach().copy_(incoming[r]);
  }
}

}  // namespace svi
