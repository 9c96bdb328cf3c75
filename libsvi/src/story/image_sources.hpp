#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/story/image_source.hpp"

namespace svi {

/// A picture file of the user's. Private to story/, as all of this header.
class GivenImage final : public ImageSource {
 public:
  struct Config {
    std::string file, caption;
    void describe(OptionVisitor& visit);
    std::string problem() const;
  };
  explicit GivenImage(Config config) : config_(std::move(config)) {}

 private:
  StoryPicture do_find(const ImageRequest& request) const override;
  Config config_;
};

/// The picture of a folder whose caption or name has most of the keyword's words.
class FolderImages final : public ImageSource {
 public:
  struct Config {
    std::string folder, captions;
    void describe(OptionVisitor& visit);
    std::string problem() const;
  };
  explicit FolderImages(Config config) : config_(std::move(config)) {}

 private:
  StoryPicture do_find(const ImageRequest& request) const override;
  Config config_;
};

/// A scene of the world that the weights have learnt: the same for the same word.
class WorldImages final : public ImageSource {
 public:
  struct Config {
    std::string world;
    std::int64_t height = 0, width = 0;
    void describe(OptionVisitor& visit);
  };
  explicit WorldImages(Config config) : config_(std::move(config)) {}

 private:
  StoryPicture do_find(const ImageRequest& request) const override;
  Config config_;
};

/// Pictures under free licences, found by the API of openverse.org.
class OpenverseImages final : public ImageSource {
 public:
  struct Config {
    std::string url = "https://api.openverse.org/v1";
    std::vector<std::string> licenses = {"by", "by-sa", "cc0", "pdm"};
    std::string aspect = "wide";
    std::int64_t candidates = 10;
    double seconds = 60;
    std::int64_t retries = 3;
    double backoff = 1;
    std::int64_t most_mib = 32;
    void describe(OptionVisitor& visit);
    std::string problem() const;
  };
  explicit OpenverseImages(Config config) : config_(std::move(config)) {}

 private:
  StoryPicture do_find(const ImageRequest& request) const override;
  std::string answer_to(const std::string& url, const ImageRequest& request) const;
  Config config_;
};

}  // namespace svi
