#pragma once

#include <string>
#include <string_view>

namespace svi {

/// What a file is that holds no weights svi reads, told by its bytes (never by its name), and what
/// to do: "is GGUF, ...; take ...". Empty where the bytes are of no format known here. Reads the
/// first kilobyte, and the directory of a zip archive.
std::string foreign_format(std::string_view bytes);

/// Whether the bytes begin as a zip archive does; torch.save writes those.
bool is_zip(std::string_view bytes);

/// Whether the bytes begin as a safetensors file does: a length, then a JSON object.
bool is_safetensors(std::string_view bytes);

}  // namespace svi
