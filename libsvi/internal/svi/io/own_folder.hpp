#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// A folder that svi made: the only kind it ever empties.
///
/// A folder is svi's own if it is no link and holds the mark, a file `.svi` that names its kind
/// (film, experiment). Of such a folder only files under names that svi gives are removed, never
/// links, devices or anything else that was put there.
class SVI_EXPORT OwnFolder {
 public:
  /// What is at the folder's path.
  enum class State {
    absent,   // nothing is there
    empty,    // an empty folder
    own,      // made by svi
    foreign,  // anything else: a link, a file, a folder without the mark
  };
  /// Whether svi gives the name `relative`, a path below the folder, to a file or to a folder.
  using Made = std::function<bool(const std::filesystem::path& relative, bool folder)>;

  /// Of the folder `path`; `kind` stands in its mark. Nothing is touched yet.
  OwnFolder(std::filesystem::path path, std::string kind, Made made);

  const std::filesystem::path& path() const { return path_; }  // the folder
  State state() const;                                         // what is there now
  /// Plain files under names of svi's, relative; none if there is no such folder.
  std::vector<std::filesystem::path> made() const;

  /// Throws ConfigError if svi would have to write over something that it did not make.
  void check_usable() const;
  /// Makes the folder, if it is missing, and its mark. Throws IoError.
  void claim() const;

  /// Throws ConfigError if the folder is foreign, or if something else has the name of a file of
  /// svi's. Removes nothing.
  void check_clear() const;
  /// Removes what svi made, and the folder if nothing is left; an absent one is fine. Returns what
  /// stays. Throws ConfigError as check_clear does, before anything is removed; IoError.
  std::vector<std::filesystem::path> clear() const;

 private:
  struct Content;
  Content content() const;
  bool marked() const;  // through a link, too

  std::filesystem::path path_;
  std::string kind_;
  Made made_;
};

}  // namespace svi
