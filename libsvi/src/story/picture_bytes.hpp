#pragma once

#include <string>
#include <string_view>

namespace svi {

/// ".jpg", ".png", ... by the first bytes of a picture file; empty where they are none of those.
/// Private to story/.
std::string picture_ending(std::string_view bytes);

/// "image/jpeg" and so on, of such an ending.
std::string picture_type(std::string_view ending);

/// Why the bytes are no picture that a film can start from; empty where they are one.
std::string picture_problem(std::string_view bytes);

}  // namespace svi
