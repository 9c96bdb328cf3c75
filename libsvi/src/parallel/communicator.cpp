#include "svi/parallel/communicator.hpp"

#include <climits>
#include <cstring>
#include <numeric>

#include "svi/core/check.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

namespace mpi {

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  raise(call, " failed: ", text);
}

bool is_running() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

}  // namespace mpi

/// Null communicator: this process alone, with or without MPI.
struct Communicator::Impl {
  MPI_Comm comm = MPI_COMM_NULL;
  bool owned = false;
  int rank = 0;
  int size = 1;

  Impl() = default;
  Impl(MPI_Comm raw, bool own) : comm(raw), owned(own) {
    mpi::check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    mpi::check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (owned && mpi::is_running()) MPI_Comm_free(&comm);
  }
  bool alone() const { return comm == MPI_COMM_NULL || size == 1; }
};

namespace mpi {

MPI_Comm native(const Communicator& group) {
  SVI_CHECK(is_running(), "MPI is not running: make an svi::Environment the first local of main");
  return group.impl().comm == MPI_COMM_NULL ? MPI_COMM_SELF : group.impl().comm;
}

}  // namespace mpi

namespace {

constexpr std::size_t kLargestBytes = std::size_t{1} << 30;  // MPI counts are int

void broadcast_bytes(char* data, std::size_t size, int root, MPI_Comm comm) {
  for (std::size_t at = 0; at < size; at += kLargestBytes) {
    const auto count = static_cast<int>(std::min(kLargestBytes, size - at));
    mpi::check(MPI_Bcast(data + at, count, MPI_BYTE, root, comm), "MPI_Bcast");
  }
}

}  // namespace

Communicator Communicator::self() { return Communicator(std::make_shared<const Impl>()); }

Communicator Communicator::world() {
  SVI_CHECK(mpi::is_running(),
            "MPI is not running: make an svi::Environment the first local of main");
  return Communicator(std::make_shared<const Impl>(MPI_COMM_WORLD, false));
}

int Communicator::rank() const { return impl_->rank; }

int Communicator::size() const { return impl_->size; }

Communicator Communicator::split(int color, int key) const {
  SVI_CHECK(color >= 0, "a colour must not be negative, got ", color);
  if (impl_->comm == MPI_COMM_NULL) return *this;
  MPI_Comm part = MPI_COMM_NULL;
  mpi::check(MPI_Comm_split(impl_->comm, color, key, &part), "MPI_Comm_split");
  return Communicator(std::make_shared<const Impl>(part, true));
}

Communicator Communicator::node() const {
  if (impl_->comm == MPI_COMM_NULL) return *this;
  MPI_Comm part = MPI_COMM_NULL;
  mpi::check(MPI_Comm_split_type(impl_->comm, MPI_COMM_TYPE_SHARED, rank(), MPI_INFO_NULL, &part),
             "MPI_Comm_split_type");
  return Communicator(std::make_shared<const Impl>(part, true));
}

void Communicator::barrier() const {
  if (!impl_->alone()) mpi::check(MPI_Barrier(impl_->comm), "MPI_Barrier");
}

std::string Communicator::broadcast(const std::string& bytes, int root) const {
  SVI_CHECK(root >= 0 && root < size(), "no rank ", root, " among ", size());
  if (impl_->alone()) return bytes;
  std::uint64_t count = bytes.size();
  mpi::check(MPI_Bcast(&count, 1, MPI_UINT64_T, root, impl_->comm), "MPI_Bcast");
  std::string result = rank() == root ? bytes : std::string(count, '\0');
  broadcast_bytes(result.data(), count, root, impl_->comm);
  return result;
}

std::vector<std::string> Communicator::all_gather(const std::string& bytes) const {
  if (impl_->alone()) return {bytes};
  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t own = bytes.size();
  std::vector<std::uint64_t> counts(ranks);
  mpi::check(MPI_Allgather(&own, 1, MPI_UINT64_T, counts.data(), 1, MPI_UINT64_T, impl_->comm),
             "MPI_Allgather");

  std::vector<std::string> result(ranks);
  const auto total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (total > kLargestBytes) {
    for (std::size_t r = 0; r < ranks; ++r) {
      result[r] = static_cast<int>(r) == rank() ? bytes : std::string(counts[r], '\0');
      broadcast_bytes(result[r].data(), counts[r], static_cast<int>(r), impl_->comm);
    }
    return result;
  }
  std::vector<int> sizes(counts.begin(), counts.end());
  std::vector<int> starts(ranks, 0);
  std::partial_sum(sizes.begin(), sizes.end() - 1, starts.begin() + 1);
  std::string all(total, '\0');
  mpi::check(MPI_Allgatherv(bytes.data(), static_cast<int>(own), MPI_BYTE, all.data(), sizes.data(),
                            starts.data(), MPI_BYTE, impl_->comm),
             "MPI_Allgatherv");
  for (std::size_t r = 0; r < ranks; ++r) {
    result[r] = all.substr(static_cast<std::size_t>(starts[r]), static_cast<std::size_t>(sizes[r]));
  }
  return result;
}

}  // namespace svi
