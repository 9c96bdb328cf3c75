#include "svi/io/own_folder.hpp"

#include <fstream>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char *kMark = ".svi", *kLock = "run.lock";
constexpr int kDepth = 4;  // no file of svi's lies deeper

std::string mark_line(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  std::getline(in, line);
  return line;
}

/// What AtomicFile would call ".NAME.PROCESS-NUMBER.part" in the end; empty: no such name.
fs::path final_name(const fs::path& temporary) {
  auto text = temporary.filename().string();
  if (!text.starts_with('.') || !text.ends_with(".part")) return {};
  text = text.substr(1, text.size() - 6);
  const auto dot = text.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) return {};
  if (text.find_first_not_of("0123456789-", dot + 1) != std::string::npos) return {};
  return temporary.parent_path() / text.substr(0, dot);
}

}  // namespace

/// What is below a folder, links not followed.
struct OwnFolder::Content {
  std::vector<fs::path> made, folders, foreign;  // relative; folders after those they hold
  std::vector<fs::path> in_the_way;              // no plain file or folder, under a name of svi's

  void scan(const OwnFolder& of, const fs::path& below, int depth) {
    for (const auto& entry : fs::directory_iterator(of.path_ / below)) {
      const auto relative = below / entry.path().filename();
      const auto status = entry.symlink_status();
      if (fs::is_directory(status)) {
        const bool ours = of.made_(relative, true);
        if (ours && depth < kDepth) {
          scan(of, relative, depth + 1);
          folders.push_back(relative);
        } else {
          (of.made_(relative, false) ? in_the_way : foreign).push_back(relative);
        }
      } else if (relative == kMark || relative == kLock) {
        continue;  // the mark goes last; the lock belongs to whoever holds it
      } else if (fs::is_regular_file(status)) {
        const auto final = final_name(relative);
        const bool ours = of.made_(relative, false) || final == kMark ||
                          (!final.empty() && of.made_(final, false));
        (ours ? made : of.made_(relative, true) ? in_the_way : foreign).push_back(relative);
      } else {
        const bool named = of.made_(relative, true) || of.made_(relative, false);
        (named ? in_the_way : foreign).push_back(relative);
      }
    }
  }
};

OwnFolder::OwnFolder(fs::path path, std::string kind, Made made)
    : path_(std::move(path)), kind_(std::move(kind)), made_(std::move(made)) {}

bool OwnFolder::marked() const {
  std::error_code error;
  const auto mark = path_ / kMark;
  return fs::is_regular_file(fs::symlink_status(mark, error)) &&
         mark_line(mark).starts_with("svi " + kind_);
}

OwnFolder::State OwnFolder::state() const {
  std::error_code error;
  const auto status = fs::symlink_status(path_, error);
  if (!fs::exists(status)) return State::absent;
  if (!fs::is_directory(status)) return State::foreign;
  if (marked()) return State::own;
  const bool empty = fs::is_empty(path_, error);
  return empty && !error ? State::empty : State::foreign;
}

OwnFolder::Content OwnFolder::content() const {
  Content content;
  try {
    content.scan(*this, {}, 0);
  } catch (const fs::filesystem_error& error) {
    raise<IoError>(error.path1().string(), ": cannot be read: ", error.code().message());
  }
  return content;
}

std::vector<fs::path> OwnFolder::made() const {
  std::error_code error;
  return fs::is_directory(path_, error) ? content().made : std::vector<fs::path>();
}

void OwnFolder::check_usable() const {
  if (state() != State::foreign) return;
  std::error_code error;
  const auto status = fs::symlink_status(path_, error);
  if (fs::is_symlink(status)) {
    if (!fs::is_directory(path_, error))
      raise<ConfigError>(path_.string(), ": is a link, and not to a folder; choose another name");
  } else if (!fs::is_directory(status)) {
    raise<ConfigError>(path_.string(), ": is there and is no folder; choose another name");
  }
  const auto found = content();
  const auto& clash = found.made.empty() ? found.in_the_way : found.made;
  if (clash.empty()) return;
  raise<ConfigError>(path_.string(), ": holds ", clash.front().string(),
                     ", and no mark (.svi) that svi made the folder; choose another name, or move "
                     "it away");
}

void OwnFolder::claim() const {
  if (!marked()) write_file(path_ / kMark, cat("svi ", kind_, "\n"));
}

void OwnFolder::check_clear() const {
  const auto now = state();
  if (now == State::absent || now == State::empty) return;
  if (now == State::foreign) {
    raise<ConfigError>(path_.string(),
                       ": is there and was not made by svi (it has no mark .svi), so --overwrite "
                       "does not remove it; choose another name, or remove it yourself");
  }
  const auto found = content();
  if (found.in_the_way.empty()) return;
  raise<ConfigError>((path_ / found.in_the_way.front()).string(),
                     ": is not what svi made under this name, so --overwrite does not remove it; "
                     "move it away");
}

std::vector<fs::path> OwnFolder::clear() const {
  check_clear();
  if (state() != State::own) return {};
  auto found = content();
  const auto remove = [&](const fs::path& relative) {
    std::error_code error;
    fs::remove(path_ / relative, error);
    if (error && error != std::errc::directory_not_empty)
      raise<IoError>((path_ / relative).string(), ": cannot be removed: ", error.message());
  };
  for (const auto& file : found.made) remove(file);
  for (const auto& folder : found.folders) remove(folder);
  if (found.foreign.empty()) {
    remove(kMark);
    remove({});
  }
  return found.foreign;
}

}  // namespace svi
