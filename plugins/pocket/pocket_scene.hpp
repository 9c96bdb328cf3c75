#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svi {

/// Red, green and blue in [0, 1].
using Rgb = std::array<float, 3>;

inline constexpr int kPocketColours = 8;  // colours of the palette
inline constexpr int kPocketLayouts = 8;  // layouts of the bands
/// Radius of the disc, rim included, in units of the shorter side of the picture.
inline constexpr double kPocketDiscRadius = 0.17;
/// Width of the rim, same unit.
inline constexpr double kPocketRimWidth = 0.042;
/// Colour of every disc's rim: darker than any colour of the palette.
inline constexpr Rgb kPocketRim = {0.03f, 0.03f, 0.05f};
/// Default amplitude of the sinusoidal shading, as a share of the colour it shades.
inline constexpr double kPocketTexture = 0.04;
/// Default standard deviation of each channel of a shade around its named colour. Small against the
/// damage of a drifting chain: then what a prompt leaves open is a legitimate variation that a
/// model has to carry over, and what goes beyond it is damage that can be told apart and undone.
inline constexpr double kPocketJitter = 0.02;
/// Default speed of the disc in picture widths per frame: once across in 64 frames.
inline constexpr double kPocketSpeed = 1.0 / 64.0;

/// Name and unjittered shade of colour `index` (0 .. kPocketColours-1).
std::string_view pocket_colour_name(int index);
Rgb pocket_colour(int index);  // unjittered shade

/// What a prompt says of a pocket scene: everything but exact shades and the disc's place.
struct PocketPrompt {
  std::array<int, 3> bands = {0, 1, 2};  // palette indices: top, middle, bottom
  int disc = 3;                          // palette index
  int layout = 0;                        // 0 .. kPocketLayouts-1; prompts count from 1
  bool rightward = true;                 // the disc moves right

  /// "a red disc moving left over three bands, layout 5: top green, middle blue, bottom yellow"
  std::string text() const;
  bool operator==(const PocketPrompt&) const = default;
};

/// What a text of that form says; empty if any of it is missing.
std::optional<PocketPrompt> parse_pocket_prompt(std::string_view text);

/// One scene of the pocket world: three bands of colour with sloping edges under a faint sinusoidal
/// shading, and a rimmed disc that moves left or right at constant speed.
///
/// The picture is a torus for the disc: what leaves at one side comes in at the other at the same
/// moment, so the disc is always whole, always visible, and its direction holds for ever. Places
/// are relative to the picture, so a scene looks alike at any size; time is counted in frames at 16
/// per second.
struct PocketScene {
  PocketPrompt prompt;                  // what it is asked to show
  std::array<Rgb, 3> band_shades = {};  // exact colours
  Rgb disc_shade = {};                  // exact colour
  double disc_x = 0.5;                  // centre at frame 0, in widths, wraps around at 1
  double disc_y = 0.5;                  // in heights
  double speed = kPocketSpeed;          // widths per frame
  double texture = kPocketTexture;      // amplitude of the shading

  /// A scene of `prompt` with the palette's own shades.
  static PocketScene plain(const PocketPrompt& prompt);

  /// The disc's centre at film frame `frame`, in widths, in [0, 1).
  double disc_x_at(std::int64_t frame) const;

  /// Frames first .. first+count-1 of the film, [3, count, height, width] fp32 in [-1, 1]. `first`
  /// may be any number >= 0.
  at::Tensor render(std::int64_t first, std::int64_t count, std::int64_t height,
                    std::int64_t width) const;
};

/// How much of each band's shade each pixel shows, shading included: [3, height, width] fp32. A
/// picture without the disc is the sum over bands of this times the shade.
at::Tensor pocket_band_weights(int layout, double texture, std::int64_t height, std::int64_t width);

/// One pixel that the disc touches; `whole` and `inner` in [0, 1] are the shares of the whole disc
/// and of its inner part, which shows the disc's shade while the rest shows the rim.
struct PocketDiscPixel {
  std::int64_t index;  // row * width + column
  float whole, inner;  // shares in [0, 1]
};

/// The pixels of a disc with its centre at (x, y) in relative units, x wrapping around.
std::vector<PocketDiscPixel> pocket_disc_pixels(double x, double y, std::int64_t height,
                                                std::int64_t width);

}  // namespace svi
