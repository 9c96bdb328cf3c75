#include "pocket/pocket_scene.hpp"

#include <ATen/ATen.h>

#include <cctype>
#include <cmath>
#include <numbers>

#include "svi/core/check.hpp"

namespace svi {
namespace {

struct Colour {
  std::string_view name;
  Rgb shade;
};

// The corners of the colour cube drawn inwards: pairwise at least 0.44 apart, so that the default
// jitter never turns one into another.
constexpr std::array<Colour, kPocketColours> kPalette = {{
    {"red", {0.82f, 0.22f, 0.20f}},
    {"yellow", {0.86f, 0.78f, 0.24f}},
    {"green", {0.22f, 0.62f, 0.30f}},
    {"cyan", {0.30f, 0.76f, 0.80f}},
    {"blue", {0.20f, 0.30f, 0.78f}},
    {"pink", {0.84f, 0.42f, 0.72f}},
    {"white", {0.86f, 0.86f, 0.84f}},
    {"gray", {0.26f, 0.26f, 0.28f}},
}};

/// Edges between the bands (height at mid-width, slope, in relative units) and the waves of the
/// shading (cycles per width and per height, phase in turns).
struct Layout {
  double upper, upper_slope, lower, lower_slope;
  double wave_x, wave_y, phase;
};

constexpr std::array<Layout, kPocketLayouts> kLayouts = {{
    {0.30, 0.20, 0.66, -0.10, 2.0, 0.5, 0.00},
    {0.36, -0.24, 0.70, 0.12, 0.5, 2.0, 0.25},
    {0.24, 0.00, 0.60, 0.26, 1.5, 1.5, 0.50},
    {0.42, 0.10, 0.76, 0.10, 1.5, -1.5, 0.75},
    {0.28, -0.16, 0.56, -0.16, 2.5, 0.0, 0.25},
    {0.34, 0.30, 0.74, -0.22, 0.0, 2.5, 0.00},
    {0.22, 0.14, 0.50, 0.30, 2.0, -1.0, 0.50},
    {0.40, -0.34, 0.64, 0.00, 1.0, 2.0, 0.75},
}};

float covered(double signed_distance) {
  return static_cast<float>(std::min(1.0, std::max(0.0, signed_distance + 0.5)));
}

/// Pixels by which pixel row `y` lies below an edge, at column `x`.
double below(double edge, double slope, double x, double y, double height, double width) {
  const double gap = y - height * (edge + slope * (x / width - 0.5));
  const double steepness = slope * height / width;
  return gap / std::sqrt(1.0 + steepness * steepness);
}

/// Where the disc covers pixels, clipped to the picture in y and wrapping in x; calls
/// paint(row, column, whole, inner) for each pixel it touches.
template <class Paint>
void visit_disc(double x, double y, std::int64_t height, std::int64_t width, Paint&& paint) {
  const double side = static_cast<double>(std::min(height, width));
  const double radius = kPocketDiscRadius * side;
  const double inner = radius - kPocketRimWidth * side;
  const double centre_x = x * static_cast<double>(width);
  const double centre_y = y * static_cast<double>(height);
  const auto reach = static_cast<std::int64_t>(std::ceil(radius)) + 1;
  const auto middle_row = static_cast<std::int64_t>(centre_y);
  const auto middle_column = static_cast<std::int64_t>(centre_x);
  for (auto row = std::max<std::int64_t>(0, middle_row - reach);
       row <= std::min(height - 1, middle_row + reach); ++row) {
    const double dy = static_cast<double>(row) + 0.5 - centre_y;
    const auto first = middle_column - std::min(reach, width / 2);
    const auto last = std::min(middle_column + reach, first + width - 1);
    for (auto column = first; column <= last; ++column) {
      const double dx = static_cast<double>(column) + 0.5 - centre_x;
      const double distance = std::sqrt(dx * dx + dy * dy);
      const float whole = covered(radius - distance);
      if (whole <= 0) continue;
      paint(row, ((column % width) + width) % width, whole, covered(inner - distance));
    }
  }
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte)) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

int colour_index(std::string_view name) {
  for (int i = 0; i < kPocketColours; ++i) {
    if (kPalette[static_cast<std::size_t>(i)].name == name) return i;
  }
  return -1;
}

const Colour& colour_at(int index) {
  SVI_CHECK(index >= 0 && index < kPocketColours, "colour ", index, " is not in the palette");
  return kPalette[static_cast<std::size_t>(index)];
}

}  // namespace

std::string_view pocket_colour_name(int index) { return colour_at(index).name; }
Rgb pocket_colour(int index) { return colour_at(index).shade; }

std::string PocketPrompt::text() const {
  return cat("a ", pocket_colour_name(disc), " disc moving ", rightward ? "right" : "left",
             " over three bands, layout ", layout + 1, ": top ", pocket_colour_name(bands[0]),
             ", middle ", pocket_colour_name(bands[1]), ", bottom ", pocket_colour_name(bands[2]));
}

std::optional<PocketPrompt> parse_pocket_prompt(std::string_view text) {
  const auto words = words_of(text);
  PocketPrompt prompt{{-1, -1, -1}, -1, -1, true};
  bool directed = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::string_view next = i + 1 < words.size() ? words[i + 1] : std::string_view{};
    if (next == "disc") prompt.disc = colour_index(word);
    if (word == "moving" && (next == "left" || next == "right")) {
      prompt.rightward = next == "right";
      directed = true;
    }
    if (word == "layout" && next.size() == 1 && next[0] >= '1' && next[0] <= '8') {
      prompt.layout = next[0] - '1';
    }
    if (word == "top") prompt.bands[0] = colour_index(next);
    if (word == "middle") prompt.bands[1] = colour_index(next);
    if (word == "bottom") prompt.bands[2] = colour_index(next);
  }
  const auto& bands = prompt.bands;
  const bool complete = directed && prompt.disc >= 0 && prompt.layout >= 0 &&
                        std::all_of(bands.begin(), bands.end(), [](int b) { return b >= 0; });
  return complete ? std::optional(prompt) : std::nullopt;
}

PocketScene PocketScene::plain(const PocketPrompt& prompt) {
  PocketScene scene;
  scene.prompt = prompt;
  for (std::size_t band = 0; band < 3; ++band) {
    scene.band_shades[band] = pocket_colour(prompt.bands[band]);
  }
  scene.disc_shade = pocket_colour(prompt.disc);
  return scene;
}

double PocketScene::disc_x_at(std::int64_t frame) const {
  const double x = disc_x + (prompt.rightward ? speed : -speed) * static_cast<double>(frame);
  return x - std::floor(x);
}

at::Tensor PocketScene::render(std::int64_t first, std::int64_t count, std::int64_t height,
                               std::int64_t width) const {
  SVI_CHECK(first >= 0 && count >= 1, "cannot render ", count, " frames from frame ", first);
  const auto weights = pocket_band_weights(prompt.layout, texture, height, width);
  const auto plane = height * width;
  auto video = at::empty({3, count, height, width}, at::kFloat);
  const float* band = weights.const_data_ptr<float>();
  float* out = video.mutable_data_ptr<float>();
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    const float a = band_shades[0][channel], b = band_shades[1][channel],
                d = band_shades[2][channel];
    float* still = out + c * count * plane;
    for (std::int64_t i = 0; i < plane; ++i) {
      const float value = a * band[i] + b * band[plane + i] + d * band[2 * plane + i];
      still[i] = std::clamp(2.0f * value - 1.0f, -1.0f, 1.0f);
    }
    for (std::int64_t t = 1; t < count; ++t) std::copy_n(still, plane, still + t * plane);
  }
  for (std::int64_t t = 0; t < count; ++t) {
    const auto paint = [&](std::int64_t row, std::int64_t column, float whole, float inner) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto channel = static_cast<std::size_t>(c);
        float& pixel = out[(c * count + t) * plane + row * width + column];
        const float disc = inner * disc_shade[channel] + (whole - inner) * kPocketRim[channel];
        pixel = pixel * (1.0f - whole) + 2.0f * disc - whole;
      }
    };
    visit_disc(disc_x_at(first + t), disc_y, height, width, paint);
  }
  return video;
}

at::Tensor pocket_band_weights(int layout, double texture, std::int64_t height,
                               std::int64_t width) {
  SVI_CHECK(layout >= 0 && layout < kPocketLayouts, "there is no layout ", layout + 1);
  SVI_CHECK(height >= 1 && width >= 1, "a picture of ", height, " x ", width, " pixels is empty");
  const auto& shape = kLayouts[static_cast<std::size_t>(layout)];
  const double rows = static_cast<double>(height), columns = static_cast<double>(width);
  auto weights = at::empty({3, height, width}, at::kFloat);
  float* out = weights.mutable_data_ptr<float>();
  const auto plane = height * width;
  for (std::int64_t row = 0; row < height; ++row) {
    const double y = static_cast<double>(row) + 0.5;
    for (std::int64_t column = 0; column < width; ++column) {
      const double x = static_cast<double>(column) + 0.5;
      const float upper = covered(below(shape.upper, shape.upper_slope, x, y, rows, columns));
      const float lower = covered(below(shape.lower, shape.lower_slope, x, y, rows, columns));
      const double turns = shape.wave_x * x / columns + shape.wave_y * y / rows + shape.phase;
      const auto shading =
          static_cast<float>(1.0 + texture * std::sin(2.0 * std::numbers::pi * turns));
      const auto i = row * width + column;
      out[i] = shading * (1.0f - upper);
      out[plane + i] = shading * upper * (1.0f - lower);
      out[2 * plane + i] = shading * upper * lower;
    }
  }
  return weights;
}

std::vector<PocketDiscPixel> pocket_disc_pixels(double x, double y, std::int64_t height,
                                                std::int64_t width) {
  std::vector<PocketDiscPixel> pixels;
  visit_disc(x - std::floor(x), y, height, width,
             [&](std::int64_t row, std::int64_t column, float whole, float inner) {
               pixels.push_back({row * width + column, whole, inner});
             });
  return pixels;
}

}  // namespace svi
