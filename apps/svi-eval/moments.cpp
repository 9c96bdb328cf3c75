#include "moments.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/picture.hpp"
#include "svi/io/video_reader.hpp"

namespace svi::eval {
namespace {

constexpr std::size_t kWorstFilms = 3;       // of each quantity
constexpr std::int64_t kPictureWidth = 280;  // pixels at most

/// An image at most so wide, each pixel the mean of those that it stands for: uint8 [3, H, W].
at::Tensor small(const at::Tensor& image) {
  const auto width = std::min(image.size(2), kPictureWidth);
  if (width == image.size(2)) return image;
  const auto height = std::max<std::int64_t>(image.size(1) * width / image.size(2), 2);
  return at::adaptive_avg_pool2d(image.to(at::kFloat), {height, width}).round().to(at::kByte);
}

/// Pictures of some frames of one film.
void take_pictures(const std::string& path, std::size_t film, const std::set<std::size_t>& frames,
                   Pictures& pictures) {
  VideoReader reader(path);
  while (const auto image = reader.next()) {
    const auto index = static_cast<std::size_t>(reader.position() - 1);
    if (frames.count(index) > 0) pictures[{film, index}] = jpeg_picture(small(*image));
    if (index >= *frames.rbegin()) return;
  }
}

}  // namespace

std::vector<WorstMoment> worst_moments(const Scores& scores, const ScoredQuantity& quantity) {
  std::vector<WorstMoment> moments;
  if (quantity.better == Better::one) return moments;
  const double sign = quantity.better == Better::higher ? 1 : -1;
  for (std::size_t i = 0; i < quantity.frames.size(); ++i) {
    if (scores.films[i].path.empty() || !(scores.films[i].fps > 0)) continue;
    WorstMoment worst{i, 0, std::numeric_limits<double>::infinity()};
    for (std::size_t t = 0; t < quantity.frames[i].size(); ++t) {
      if (sign * quantity.frames[i][t] < worst.value) worst = {i, t, sign * quantity.frames[i][t]};
    }
    if (std::isfinite(worst.value)) moments.push_back(worst);
  }
  std::sort(moments.begin(), moments.end(),
            [](const auto& a, const auto& b) { return a.value < b.value; });
  if (moments.size() > kWorstFilms) moments.resize(kWorstFilms);
  for (auto& moment : moments) moment.value *= sign;
  return moments;
}

std::vector<std::vector<WorstMoment>> worst_moments(const Scores& scores) {
  std::vector<std::vector<WorstMoment>> moments;
  for (const auto& quantity : scores.quantities) moments.push_back(worst_moments(scores, quantity));
  return moments;
}

Pictures moment_pictures(const Scores& scores,
                         const std::vector<std::vector<WorstMoment>>& moments) {
  std::map<std::size_t, std::set<std::size_t>> frames;  // of each film
  for (const auto& of_quantity : moments) {
    for (const auto& moment : of_quantity) frames[moment.film].insert(moment.frame);
  }
  Pictures pictures;
  for (const auto& [film, wanted] : frames) {
    try {
      take_pictures(scores.films[film].path, film, wanted, pictures);
    } catch (const IoError& error) {
      SVI_WARN("page", "no pictures of a film: ", error.what());
    }
  }
  return pictures;
}

}  // namespace svi::eval
