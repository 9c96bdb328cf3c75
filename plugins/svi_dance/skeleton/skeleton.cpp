#include "skeleton/skeleton.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "svi/tensor/levels.hpp"

namespace svi::skeleton {
namespace {

using Colour = std::array<std::uint8_t, 3>;

// Joints and limbs as OpenPose colours them (its 18 points of COCO), and those of toes as
// UniAnimate's DWPose does. A limb has the colour of its number.
constexpr std::array<Colour, kBodyPoints> kColours = {
    {{255, 0, 0},   {255, 85, 0},  {255, 170, 0}, {255, 255, 0},   {170, 255, 0},
     {85, 255, 0},  {0, 255, 0},   {0, 255, 85},  {0, 255, 170},   {0, 255, 255},
     {0, 170, 255}, {0, 85, 255},  {0, 0, 255},   {85, 0, 255},    {170, 0, 255},
     {255, 0, 255}, {255, 0, 170}, {255, 0, 85},  {170, 255, 255}, {255, 255, 0}}};

struct Limb {
  std::size_t from = 0, to = 0;
};
constexpr std::array<Limb, 19> kLimbs = {{{1, 2},
                                          {1, 5},
                                          {2, 3},
                                          {3, 4},
                                          {5, 6},
                                          {6, 7},
                                          {1, 8},
                                          {8, 9},
                                          {9, 10},
                                          {1, 11},
                                          {11, 12},
                                          {12, 13},
                                          {1, 0},
                                          {0, 14},
                                          {14, 16},
                                          {0, 15},
                                          {15, 17},
                                          {13, 18},
                                          {10, 19}}};
constexpr Colour kHandJoint = {0, 0, 255};

// OpenCV, which drew what SVI-Dance learned, paints every pixel that an edge of a limb or a line
// touches, and takes points, middles, half lengths and degrees without their fractions.
constexpr double kTouch = 0.5;
constexpr std::int64_t kDrawnSide = 256;

/// Pure colours around the circle of hues, `share` of the way.
Colour hue(double share) {
  Colour colour = {};
  constexpr std::array<double, 3> kAt = {0, 2, 4};  // red, green, blue, in sixths
  for (std::size_t c = 0; c < 3; ++c) {
    const double away = std::abs(std::remainder(6 * share - kAt[c], 6));
    colour[c] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(2 - away, 0.0, 1.0)));
  }
  return colour;
}

class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width)
      : height_(height), width_(width), levels_(at::zeros({3, height, width}, at::kByte)) {}

  /// Paints pixels of a box around (x, y) that `inside` holds for, a function of the offset.
  template <class Inside>
  void fill(double x, double y, double reach, const Colour& colour, const Inside& inside) {
    const auto first = [](double at) {
      return std::max<std::int64_t>(0, std::llround(std::floor(at)));
    };
    const auto last_row = std::min<std::int64_t>(height_ - 1, std::llround(std::ceil(y + reach)));
    const auto last_column = std::min<std::int64_t>(width_ - 1, std::llround(std::ceil(x + reach)));
    auto* levels = levels_.mutable_data_ptr<std::uint8_t>();
    for (auto row = first(y - reach); row <= last_row; ++row) {
      for (auto column = first(x - reach); column <= last_column; ++column) {
        if (!inside(static_cast<double>(column) - x, static_cast<double>(row) - y)) continue;
        for (std::size_t c = 0; c < 3; ++c)
          levels[(static_cast<std::int64_t>(c) * height_ + row) * width_ + column] = colour[c];
      }
    }
  }
  void joint(const Point& at, double radius, const Colour& colour) {
    if (!at.seen) return;
    fill(std::trunc(x(at)), std::trunc(y(at)), radius, colour,
         [&](double right, double down) { return right * right + down * down <= radius * radius; });
  }
  void dim(double brightness) {
    auto* levels = levels_.mutable_data_ptr<std::uint8_t>();
    for (std::int64_t i = 0; i < levels_.numel(); ++i)
      levels[i] = static_cast<std::uint8_t>(brightness * levels[i]);
  }

  const at::Tensor& levels() const { return levels_; }
  double x(const Point& point) const { return point.x * static_cast<double>(width_); }
  double y(const Point& point) const { return point.y * static_cast<double>(height_); }

 private:
  std::int64_t height_, width_;
  at::Tensor levels_;
};

/// A limb's ellipse, with pens of that radius.
void draw_limb(Canvas& canvas, const Point& from, const Point& to, double pen,
               const Colour& colour) {
  if (!from.seen || !to.seen) return;
  const double right_by = canvas.x(to) - canvas.x(from), down_by = canvas.y(to) - canvas.y(from);
  const double half = std::trunc(std::hypot(right_by, down_by) / 2) + kTouch;
  const double degrees = std::trunc(std::atan2(down_by, right_by) * 180 / std::numbers::pi);
  const double turn = degrees * std::numbers::pi / 180, side = pen + kTouch;
  const double cosine = std::cos(turn), sine = std::sin(turn);
  const double x = std::trunc((canvas.x(from) + canvas.x(to)) / 2);
  const double y = std::trunc((canvas.y(from) + canvas.y(to)) / 2);
  canvas.fill(x, y, std::max(half, side), colour, [&](double right, double down) {
    const double along = (right * cosine + down * sine) / half;
    const double across = (down * cosine - right * sine) / side;
    return along * along + across * across <= 1;
  });
}

/// A line with round ends.
void draw_line(Canvas& canvas, const Point& from, const Point& to, double width,
               const Colour& colour) {
  if (!from.seen || !to.seen) return;
  const double x = std::trunc(canvas.x(from)), y = std::trunc(canvas.y(from));
  const double right_by = std::trunc(canvas.x(to)) - x, down_by = std::trunc(canvas.y(to)) - y;
  const double length = std::hypot(right_by, down_by), radius = width / 2 + kTouch;
  canvas.fill(x + right_by / 2, y + down_by / 2, length / 2 + radius, colour,
              [&](double right, double down) {
                right += right_by / 2, down += down_by / 2;  // from the first point
                const double share =
                    length > 0 ? std::clamp((right * right_by + down * down_by) / (length * length),
                                            0.0, 1.0)
                               : 0;
                return std::hypot(right - share * right_by, down - share * down_by) <= radius;
              });
}

void draw_hand(Canvas& canvas, const std::array<Point, kHandPoints>& hand, const Pens& pens) {
  constexpr std::size_t kLines = kHandPoints - 1;
  for (std::size_t i = 0; i < kLines; ++i) {  // fingers begin at the wrist
    draw_line(canvas, hand[i % 4 == 0 ? 0 : i], hand[i + 1], pens.finger,
              hue(static_cast<double>(i) / kLines));
  }
  for (const auto& point : hand) canvas.joint(point, pens.joint, kHandJoint);
}

}  // namespace

bool Person::seen() const {
  const auto any = [](const auto& points) {
    return std::any_of(points.begin(), points.end(), [](const Point& point) { return point.seen; });
  };
  return any(body) || any(hands[0]) || any(hands[1]);
}

at::Tensor draw(const Person& person, std::int64_t height, std::int64_t width, const Pens& pens) {
  Canvas canvas(height, width);
  for (std::size_t i = 0; i < kLimbs.size(); ++i) {
    draw_limb(canvas, person.body[kLimbs[i].from], person.body[kLimbs[i].to], pens.limb,
              kColours[i]);
  }
  canvas.dim(pens.brightness);
  for (std::size_t i = 0; i < kBodyPoints; ++i)
    canvas.joint(person.body[i], pens.joint, kColours[i]);
  for (const auto& hand : person.hands) draw_hand(canvas, hand, pens);
  return canvas.levels();
}

at::Tensor draw_for_film(const Person& person, std::int64_t height, std::int64_t width) {
  const auto larger = std::max<std::int64_t>(1, kDrawnSide / std::min(height, width));
  const auto drawn = draw(person, larger * height, larger * width);
  if (larger == 1) return drawn;
  return resize_levels(drawn.unsqueeze(0), height, width, Resampling::bicubic)[0];
}

}  // namespace svi::skeleton
