#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/io/safetensors.hpp"

namespace svi::safetensors {

/// Lengths above this are refused before anything is read: real headers have a few hundred
/// kilobytes.
inline constexpr std::uint64_t kMaxHeader = 100'000'000;

struct Header {
  std::vector<SafetensorsInfo> infos;  // byte ranges absolute in the file
  std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of a file of `size` bytes. Throws IoError with `file` in its text.
Header read_header(const char* data, std::uint64_t size, const std::string& file);

/// The JSON text for these tensors, padded to a multiple of 8 bytes; `begin` and `end` of each info
/// count from the start of the data.
std::string write_header(const Header& header);

/// Gives each tensor of a header to be written its place, counted from the start of the data, and
/// returns the order of the places. Throws IoError with `file` in its text for a repeated or
/// reserved name and a dtype the format lacks.
std::vector<std::size_t> lay_out(Header& header, const std::string& file);

std::optional<c10::ScalarType> dtype_of(std::string_view name);
std::optional<std::string_view> name_of(c10::ScalarType dtype);
/// A name from a file made fit for a message: printable and short.
std::string shown(std::string_view name);

}  // namespace svi::safetensors
