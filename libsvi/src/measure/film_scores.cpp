#include "svi/measure/film_scores.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// One kind of numbers: its name, where it is kept, and whether films differ in its length.
struct ScoreKind {
  const char* name;
  std::vector<at::Tensor> FilmScores::*numbers;
  bool per_clip, per_frame;
};
constexpr std::array<ScoreKind, 7> kScoreKinds = {
    {{"clip", &FilmScores::clip, true, false},
     {"frame", &FilmScores::frame, false, true},
     {"film", &FilmScores::film, false, false},
     {"features", &FilmScores::features, true, false},
     {"true_features", &FilmScores::true_features, true, false},
     {"film_features", &FilmScores::film_features, false, false},
     {"true_film_features", &FilmScores::true_film_features, false, false}}};

/// NaN everywhere, or undefined where such numbers are not wanted.
at::Tensor unmeasured(bool wanted, at::IntArrayRef sizes, at::ScalarType dtype = at::kDouble) {
  return wanted ? at::full(sizes, std::numeric_limits<double>::quiet_NaN(), dtype) : at::Tensor();
}

/// Whether one film's numbers fit the room of one film, [...] each: shorter in its first dimension
/// at most.
bool fits(const ScoreKind& kind, const at::Tensor& numbers, const at::Tensor& room) {
  if (numbers.scalar_type() != room.scalar_type() || numbers.dim() != room.dim()) return false;
  if (!kind.per_clip && !kind.per_frame) return numbers.sizes() == room.sizes();
  return numbers.size(0) <= room.size(0) && numbers.sizes().slice(1) == room.sizes().slice(1);
}

}  // namespace

FilmScores unmeasured_scores(const std::vector<Quantity>& quantities, std::int64_t films,
                             std::int64_t clips, std::int64_t frames) {
  FilmScores scores;
  for (const auto& quantity : quantities) {
    const bool of_clips = quantity.features > 0, of_films = quantity.film_features > 0;
    scores.clip.push_back(unmeasured(quantity.of_clip(), {films, clips}));
    scores.frame.push_back(unmeasured(quantity.per_frame, {films, frames}));
    scores.film.push_back(unmeasured(quantity.per_film, {films}));
    for (auto* rows : {&scores.features, &scores.true_features}) {
      rows->push_back(unmeasured(
          of_clips, {films, clips, quantity.feature_frames, quantity.features}, at::kFloat));
    }
    for (auto* rows : {&scores.film_features, &scores.true_film_features})
      rows->push_back(unmeasured(of_films, {films, quantity.film_rows, quantity.film_features}));
    scores.quantities.push_back(quantity);
  }
  return scores;
}

NamedTensors numbers_of(const FilmScores& scores, std::int64_t film) {
  NamedTensors numbers;
  for (const auto& kind : kScoreKinds) {
    for (std::size_t q = 0; q < scores.quantities.size(); ++q) {
      const auto& all = (scores.*kind.numbers)[q];
      if (all.defined())
        numbers.emplace_back(cat(kind.name, "/", scores.quantities[q].name), all[film].clone());
    }
  }
  return numbers;
}

bool put_numbers(FilmScores& scores, std::int64_t film, const std::vector<Quantity>& quantities,
                 const NamedTensors& numbers) {
  const std::map<std::string, at::Tensor> given(numbers.begin(), numbers.end());
  std::vector<std::pair<at::Tensor, at::Tensor>> moves;  // room, numbers
  for (const auto& quantity : quantities) {
    const auto place =
        std::find_if(scores.quantities.begin(), scores.quantities.end(),
                     [&](const Quantity& other) { return other.name == quantity.name; });
    if (place == scores.quantities.end()) return false;
    const auto q = static_cast<std::size_t>(place - scores.quantities.begin());
    for (const auto& kind : kScoreKinds) {
      const auto& all = (scores.*kind.numbers)[q];
      const auto found = given.find(cat(kind.name, "/", quantity.name));
      if (all.defined() != (found != given.end())) return false;
      if (!all.defined()) continue;
      const auto room = all[film];
      if (!fits(kind, found->second, room)) return false;
      moves.emplace_back(room.dim() > 0 ? room.narrow(0, 0, found->second.size(0)) : room,
                         found->second);
    }
  }
  if (moves.size() != numbers.size()) return false;
  for (auto& [room, values] : moves) room.copy_(values);
  return true;
}

}  // namespace svi
