#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "svi/core/check.hpp"
#include "svi/tensor/error_records.hpp"
#include "svi/train/recycler.hpp"
#include "train/state_detail.hpp"

// State: "recycler.banks" int64 [1] = number of banks (1 if common), then each bank's own tensors
// under "bank.<slot>.".

namespace svi {

namespace {

void put_number(std::string& bytes, std::int64_t number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string pack(const NamedTensors& tensors) {
  std::string bytes;
  for (const auto& [name, tensor] : tensors) {
    const auto contiguous = tensor.to(at::kCPU).contiguous();
    put_number(bytes, static_cast<std::int64_t>(name.size()));
    bytes += name;
    put_number(bytes, static_cast<std::int64_t>(contiguous.scalar_type()));
    put_number(bytes, contiguous.dim());
    for (const auto size : contiguous.sizes()) put_number(bytes, size);
    bytes.append(static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes());
  }
  return bytes;
}

/// Reads what another rank packed in the same run: trusted.
NamedTensors unpack(const std::string& bytes) {
  NamedTensors tensors;
  std::size_t at_byte = 0;
  const auto number = [&] {
    std::int64_t value;
    std::memcpy(&value, bytes.data() + at_byte, sizeof value);
    at_byte += sizeof value;
    return value;
  };
  while (at_byte < bytes.size()) {
    const auto length = static_cast<std::size_t>(number());
    auto name = bytes.substr(at_byte, length);
    at_byte += length;
    const auto dtype = static_cast<at::ScalarType>(number());
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(number()));
    for (auto& size : sizes) size = number();
    const auto tensor = at::empty(sizes, at::TensorOptions().dtype(dtype));
    std::memcpy(tensor.mutable_data_ptr(), bytes.data() + at_byte, tensor.nbytes());
    at_byte += tensor.nbytes();
    tensors.emplace_back(std::move(name), tensor);
  }
  return tensors;
}

std::string bank_prefix(std::int64_t slot) { return cat("bank.", slot, "."); }

}  // namespace

NamedTensors Recycler::state() const {
  const bool common = config_.share == BankSharing::all;
  NamedTensors own;
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    const auto slot = common ? 0 : own_.first + static_cast<std::int64_t>(i);
    for (auto& [name, tensor] : banks_[i]->state())
      own.emplace_back(bank_prefix(slot) + name, tensor);
  }
  NamedTensors state = {{"recycler.banks", at::full({1}, common ? 1 : slots_, at::kLong)}};
  if (common || group_.size() == 1) {
    state.insert(state.end(), own.begin(), own.end());
    return state;
  }
  for (const auto& bytes : group_.all_gather(pack(own))) {
    for (auto& entry : unpack(bytes)) state.push_back(std::move(entry));
  }
  return state;
}

std::vector<BankedError> Recycler::errors() const {
  std::vector<BankedError> errors;
  for (const auto& bank : banks_) {
    for (auto& error : bank->errors()) errors.push_back(std::move(error));
  }
  if (config_.share != BankSharing::all && group_.size() > 1) {
    const auto own = pack(pack_errors(errors));
    errors.clear();
    for (const auto& bytes : group_.all_gather(own)) {
      for (auto& error : unpack_errors(unpack(bytes), "another rank's bank"))
        errors.push_back(std::move(error));
    }
  }
  if (config_.share == BankSharing::all) return errors;
  // Banks of slots share errors, at first or never.
  const auto place = [](const BankedError& error) { return std::pair(error.step, error.sample); };
  std::stable_sort(errors.begin(), errors.end(),
                   [&](const BankedError& a, const BankedError& b) { return place(a) < place(b); });
  errors.erase(
      std::unique(errors.begin(), errors.end(),
                  [&](const BankedError& a, const BankedError& b) { return place(a) == place(b); }),
      errors.end());
  return errors;
}

void Recycler::load(const NamedTensors& state) {
  const bool common = config_.share == BankSharing::all;
  const auto saved = detail::StateReader(state).get("recycler.banks", {1}).item<std::int64_t>();
  if (saved != (common ? 1 : slots_)) {
    raise<IoError>("the checkpoint has ", saved, " banks, this run needs ", common ? 1 : slots_,
                   ": use the same [recycling] share and [training] slots");
  }
  for (std::size_t i = 0; i < banks_.size(); ++i) {
    const auto slot = common ? 0 : own_.first + static_cast<std::int64_t>(i);
    banks_[i]->load(detail::with_prefix(state, bank_prefix(slot)));
  }
}

}  // namespace svi
