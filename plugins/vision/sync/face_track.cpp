#include "vision/sync/face_track.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "svi/core/check.hpp"
#include "svi/data/csv.hpp"
#include "vision/preprocess.hpp"
#include "vision/sync/syncnet.hpp"

// Facts: the pipeline of joonson/syncnet_python (MIT): how a track becomes crops.
namespace svi::vision {
namespace {

constexpr std::int64_t kMedianFrames = 13;  // frames
constexpr double kFaceMargin = 0.4;         // of the half side
constexpr double kBeyondFrame = 110;        // beyond the frame
constexpr std::array<const char*, 6> kBoxColumns = {"film", "frame", "left",
                                                    "top",  "right", "bottom"};

double number_in(const std::string& text, const std::string& where, const char* column) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    raise<IoError>(where, ": ", column, " is '", text,
                   "', which is no number; write pixels and frames such as 12 or 12.5");
  }
  return value;
}

/// Where each of kBoxColumns is among the fields of the first row.
std::array<std::size_t, 6> column_places(const std::vector<std::string>& head,
                                         const std::string& origin) {
  std::array<std::size_t, 6> places{};
  for (std::size_t c = 0; c < kBoxColumns.size(); ++c) {
    const auto found = std::find(head.begin(), head.end(), kBoxColumns[c]);
    if (found == head.end()) {
      raise<IoError>(origin, ":1: no column is called ", kBoxColumns[c],
                     "; the first line must be: film,frame,left,top,right,bottom");
    }
    places[c] = static_cast<std::size_t>(found - head.begin());
  }
  return places;
}

double mix(double a, double b, double share) { return a + (b - a) * share; }

/// The box of a frame within the track, between the boxes before and behind it.
FaceBox box_at(const FaceBoxes& boxes, std::int64_t frame) {
  const auto behind = boxes.lower_bound(frame);
  if (behind->first == frame) return behind->second;
  const auto before = std::prev(behind);
  const double share = static_cast<double>(frame - before->first) /
                       static_cast<double>(behind->first - before->first);
  const auto &a = before->second, &b = behind->second;
  return {mix(a.left, b.left, share), mix(a.top, b.top, share), mix(a.right, b.right, share),
          mix(a.bottom, b.bottom, share)};
}

/// Median over kMedianFrames neighbours of one coordinate, zeros beyond both ends.
void smooth(std::vector<FacePlace>& places, double FacePlace::*coordinate) {
  const auto count = static_cast<std::int64_t>(places.size());
  std::vector<double> medians;
  for (std::int64_t i = 0; i < count; ++i) {
    std::array<double, kMedianFrames> window{};
    for (std::int64_t j = 0; j < kMedianFrames; ++j) {
      const auto k = i + j - kMedianFrames / 2;
      if (k >= 0 && k < count)
        window[static_cast<std::size_t>(j)] = places[static_cast<std::size_t>(k)].*coordinate;
    }
    std::nth_element(window.begin(), window.begin() + kMedianFrames / 2, window.end());
    medians.push_back(window[kMedianFrames / 2]);
  }
  for (std::size_t i = 0; i < places.size(); ++i) places[i].*coordinate = medians[i];
}

at::Tensor to_network_side(const at::Tensor& levels) {
  const auto side = SyncNet::kSide;
  return resized(levels, side, side, {Filter::bilinear, false}).round().clamp(0, 255);
}

}  // namespace

std::map<std::string, FaceBoxes> parse_boxes(std::string_view text, const std::string& origin) {
  std::vector<int> lines;
  const auto rows = parse_csv(text, origin, ',', &lines);
  if (rows.empty()) raise<IoError>(origin, ": is empty");
  const auto places = column_places(rows[0], origin);
  std::map<std::string, FaceBoxes> films;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto where = cat(origin, ":", lines[r]);
    if (rows[r].size() != rows[0].size()) {
      raise<IoError>(where, ": has ", rows[r].size(), " fields instead of ", rows[0].size());
    }
    std::array<double, 6> values{};
    for (std::size_t c = 1; c < kBoxColumns.size(); ++c)
      values[c] = number_in(rows[r][places[c]], where, kBoxColumns[c]);
    const FaceBox box{values[2], values[3], values[4], values[5]};
    if (values[1] < 0 || values[1] != std::floor(values[1]) || box.right <= box.left ||
        box.bottom <= box.top) {
      raise<IoError>(where,
                     ": is no box; frame must be 0, 1, ..., right more than left, "
                     "bottom more than top");
    }
    const auto film = std::filesystem::path(rows[r][places[0]]).stem().string();
    if (!films[film].emplace(static_cast<std::int64_t>(values[1]), box).second) {
      raise<IoError>(where, ": is the second box of frame ", values[1], " of ", film,
                     "; keep the face that speaks");
    }
  }
  return films;
}

std::map<std::string, FaceBoxes> read_boxes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) raise<IoError>(path, ": cannot be read; [metric.sync] faces names it");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_boxes(text, path);
}

std::int64_t source_frame(std::int64_t index, double fps) {
  return static_cast<std::int64_t>(static_cast<double>(index) * fps / 25 + 1e-6);
}

std::optional<FaceTrack> track_of(const FaceBoxes& boxes, double fps) {
  if (boxes.empty()) return std::nullopt;
  const auto begin = boxes.begin()->first, last = boxes.rbegin()->first;
  FaceTrack track;
  while (source_frame(track.first, fps) < begin) ++track.first;
  for (auto k = track.first; source_frame(k, fps) <= last; ++k) {
    const auto box = box_at(boxes, source_frame(k, fps));
    track.places.push_back({(box.left + box.right) / 2, (box.top + box.bottom) / 2,
                            std::max(box.right - box.left, box.bottom - box.top) / 2});
  }
  if (static_cast<std::int64_t>(track.places.size()) < kMedianFrames) return std::nullopt;
  for (auto coordinate : {&FacePlace::x, &FacePlace::y, &FacePlace::half})
    smooth(track.places, coordinate);
  return track;
}

at::Tensor face_crop(const at::Tensor& levels, const FacePlace& place) {
  const auto whole = [](double x) { return static_cast<std::int64_t>(x); };
  const auto border = whole(place.half * (1 + 2 * kFaceMargin));
  const auto padded =
      at::constant_pad_nd(levels, {border, border, border, border}, kBeyondFrame);  // [3, H', W']
  const double x = place.x + static_cast<double>(border), y = place.y + static_cast<double>(border);
  const auto part = [&](std::int64_t axis, double from, double to) {
    const auto length = padded.size(axis);
    const auto begin = std::clamp<std::int64_t>(whole(from), 0, length - 1);
    return std::pair{begin, std::clamp<std::int64_t>(whole(to), begin + 1, length) - begin};
  };
  const auto [top, height] = part(1, y - place.half, y + place.half * (1 + 2 * kFaceMargin));
  const auto [left, width] =
      part(2, x - place.half * (1 + kFaceMargin), x + place.half * (1 + kFaceMargin));
  return to_network_side(padded.narrow(1, top, height).narrow(2, left, width));
}

at::Tensor whole_frame(const at::Tensor& levels) { return to_network_side(levels); }

}  // namespace svi::vision
