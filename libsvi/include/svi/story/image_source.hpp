#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "svi/plugin/registry.hpp"

namespace svi {

/// The picture that a film starts from, and where it comes from. What a source does not know is
/// empty.
struct StoryPicture {
  std::string bytes = {};        // of a picture file: JPEG, PNG, WebP, TIFF, BMP or GIF
  std::string caption = {};      // what it shows
  std::string title = {};        // its name
  std::string creator = {};      // who made it
  std::string license = {};      // "by-sa 4.0"
  std::string license_url = {};  // the licence's text
  std::string attribution = {};  // the line that names title, maker and licence
  std::string page = {};         // where it was found: an address, a path, a scene
};

/// What a picture is wanted for.
struct ImageRequest {
  std::string keyword;                 // UTF-8, not empty
  std::int64_t seed = 0;               // chooses among pictures that fit alike
  std::filesystem::path weights = {};  // folder of the weights that will make the film
  std::filesystem::path cache = {};    // folder of kept answers; empty: none
  const Registry& registry;            // the worlds of plugins; borrowed
};

/// Finds the picture that a film starts from by a keyword.
///
/// A function of the request and of what it finds in its place; kept answers come again.
class SVI_EXPORT ImageSource : public Component {
 public:
  static constexpr std::string_view kKind = "image_source";
  ~ImageSource() override;

  /// Throws ConfigError where nothing fits, IoError where the place cannot be read or the picture
  /// is none.
  StoryPicture find(const ImageRequest& request) const;

 private:
  virtual StoryPicture do_find(const ImageRequest& request) const = 0;
};

}  // namespace svi
