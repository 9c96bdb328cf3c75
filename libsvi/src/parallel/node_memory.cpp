#include "svi/parallel/node_memory.hpp"

#include <ATen/ATen.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <optional>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/parallel/mpi_native.hpp"

#ifdef __linux__
#include <sys/mman.h>
#include <sys/statvfs.h>
#endif

namespace svi {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLeastSlab = std::size_t{2} << 20, kLargestSlab = std::size_t{1} << 30;

/// Whether the file system that shared memory lives in has room; true where it cannot be told.
bool has_room([[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  struct statvfs status {};
  if (::statvfs("/dev/shm", &status) == 0 && status.f_blocks > 0)
    return static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize) >
           1.05 * static_cast<double>(bytes);
#endif
  return true;
}

/// Takes the pages now: a write to one that is not there would end the process.
bool populate([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
#ifdef MADV_HUGEPAGE
  madvise(memory, bytes, MADV_HUGEPAGE);  // only advice: failing costs speed alone
#endif
  constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, of Linux 5.14
  if (madvise(memory, bytes, kPopulateWrite) != 0 && errno != EINVAL) return false;
#endif
  return true;
}

/// One window of shared memory and the runs of it that are free.
struct NodeSlab {
  MPI_Win window = MPI_WIN_NULL;
  char* base = nullptr;
  std::size_t size = 0;
  std::map<std::size_t, std::size_t> free;  // length by offset
  std::int64_t shown = 0;                   // tensors of this rank that show a part of it

  std::optional<std::size_t> take(std::size_t bytes) {
    for (auto run = free.begin(); run != free.end(); ++run) {
      if (run->second < bytes) continue;
      const auto [offset, length] = *run;
      free.erase(run);
      if (length > bytes) free.emplace(offset + bytes, length - bytes);
      return offset;
    }
    return std::nullopt;
  }

  void give(std::size_t offset, std::size_t bytes) {
    auto run = free.emplace(offset, bytes).first;
    if (const auto next = std::next(run); next != free.end() && offset + bytes == next->first) {
      run->second += next->second;
      free.erase(next);
    }
    if (run == free.begin()) return;
    const auto before = std::prev(run);
    if (before->first + before->second != run->first) return;
    before->second += run->second;
    free.erase(run);
  }
};

}  // namespace

struct NodeMemory::Impl {
  explicit Impl(const Communicator& group) : node(group) {}

  bool first() const { return node.rank() == 0; }

  /// What the first rank finds, on all ranks.
  bool agreed(bool good) const { return node.broadcast(good ? "1" : "0") == "1"; }

  /// Another window, with room for `bytes`. Collective; false where the machine has none.
  bool grow(std::size_t bytes) {
    auto size = std::max(kLeastSlab, slabs.empty() ? 0 : 2 * slabs.back()->size);
    size =
        std::max(std::min(size, kLargestSlab), (bytes + kLeastSlab - 1) / kLeastSlab * kLeastSlab);
    if (!agreed(has_room(size))) return false;
    const auto slab = std::make_shared<NodeSlab>();
    void* memory = nullptr;
    const auto comm = mpi::native(node);
    const int code = MPI_Win_allocate_shared(static_cast<MPI_Aint>(first() ? size : 0), 1,
                                             MPI_INFO_NULL, comm, &memory, &slab->window);
    int failed = code == MPI_SUCCESS ? 0 : 1;
    mpi::check(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, comm), "MPI_Allreduce");
    if (failed != 0) return false;
    MPI_Aint length = 0;
    int unit = 1;
    mpi::check(MPI_Win_shared_query(slab->window, 0, &length, &unit, &memory),
               "MPI_Win_shared_query");
    if (!agreed(!first() || populate(memory, size))) {
      MPI_Win_free(&slab->window);
      return false;
    }
    mpi::check(MPI_Win_lock_all(MPI_MODE_NOCHECK, slab->window), "MPI_Win_lock_all");
    slab->base = static_cast<char*>(memory);
    slab->size = size;
    slab->free.emplace(0, size);
    slabs.push_back(slab);
    return true;
  }

  struct Place {
    std::shared_ptr<NodeSlab> slab;
    std::size_t offset;
  };

  std::optional<Place> take(std::size_t bytes) {
    for (const auto& slab : slabs) {
      if (const auto offset = slab->take(bytes)) return Place{slab, *offset};
    }
    if (full || !grow(bytes)) {
      if (!full && first())
        SVI_WARN("memory", "no room for ", bytes, " more bytes that the node's ", node.size(),
                 " ranks share (", used,
                 " are in use; see /dev/shm): from now on each keeps its own");
      full = true;
      return std::nullopt;
    }
    return Place{slabs.back(), *slabs.back()->take(bytes)};
  }

  /// Makes what the first rank wrote visible to all that come here.
  void synchronise() const {
    for (const auto& slab : slabs) mpi::check(MPI_Win_sync(slab->window), "MPI_Win_sync");
    node.barrier();
    for (const auto& slab : slabs) mpi::check(MPI_Win_sync(slab->window), "MPI_Win_sync");
  }

  /// Frees the windows that no rank's tensors show any more. Collective.
  void release() {
    std::vector<int> shown;
    for (const auto& slab : slabs) shown.push_back(slab->shown > 0 ? 1 : 0);
    if (MPI_Allreduce(MPI_IN_PLACE, shown.data(), static_cast<int>(shown.size()), MPI_INT, MPI_MAX,
                      mpi::native(node)) != MPI_SUCCESS)
      return;
    for (std::size_t i = 0; i < slabs.size(); ++i) {
      if (shown[i] != 0) continue;
      MPI_Win_unlock_all(slabs[i]->window);
      MPI_Win_free(&slabs[i]->window);
    }
  }

  Communicator node;
  std::deque<std::shared_ptr<NodeSlab>> slabs;
  std::int64_t used = 0;
  bool full = false;
};

NodeMemory::NodeMemory(const Communicator& node) : impl_(std::make_shared<Impl>(node)) {}

NodeMemory::~NodeMemory() {
  // An exception that unwinds one rank only must not leave it waiting for the others here.
  if (std::uncaught_exceptions() == 0 && mpi::is_running()) impl_->release();
}

bool NodeMemory::first() const { return impl_->first(); }

int NodeMemory::ranks() const { return impl_->node.size(); }

std::int64_t NodeMemory::bytes() const { return impl_->first() ? impl_->used : 0; }

std::vector<NodeTensor> NodeMemory::keep(const std::vector<at::Tensor>& tensors) {
  auto& impl = *impl_;
  std::vector<NodeTensor> kept;
  std::vector<at::Tensor> from;
  for (const auto& tensor : tensors) {
    const auto own = tensor.contiguous();
    const auto bytes = (own.nbytes() + kAlignment - 1) / kAlignment * kAlignment;
    const auto place = impl.take(bytes);
    from.push_back(own);
    if (!place) {
      kept.push_back({own, nullptr});
      continue;
    }
    impl.used += static_cast<std::int64_t>(bytes);
    char* data = place->slab->base + place->offset;
    // Both may outlive this object: what is left of it then is bookkeeping.
    std::shared_ptr<const void> room(data, [place = *place, bytes, all = impl_](const void*) {
      place.slab->give(place.offset, bytes);
      all->used -= static_cast<std::int64_t>(bytes);
    });
    ++place->slab->shown;
    const auto view = at::from_blob(
        data, own.sizes(), [slab = place->slab](void*) { --slab->shown; }, own.options());
    kept.push_back({view, std::move(room)});
  }
  impl.node.barrier();  // all have done with what stood there before
  if (impl.first()) {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (kept[i].room)
        std::memcpy(kept[i].tensor.mutable_data_ptr(), from[i].const_data_ptr(), from[i].nbytes());
    }
  }
  impl.synchronise();
  return kept;
}

}  // namespace svi
