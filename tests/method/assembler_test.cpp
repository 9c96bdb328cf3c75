#include "svi/method/assembler.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr std::int64_t kClips = 4;

at::Tensor latent_of(std::int64_t place, std::int64_t frames) {
  return normal({4, Purpose::test, static_cast<std::uint32_t>(place), 0}, {1, 2, frames, 4, 4});
}

/// Pieces in an order that a test gives, each one latent frame; remembers what it was told.
class FakeFilm final : public Film {
 public:
  explicit FakeFilm(std::vector<std::int64_t> order, bool streams = false)
      : order_(std::move(order)), streams_(streams) {}

  std::int64_t made = 0;
  std::int64_t loaded = -1;
  std::int64_t tail = 0;
  bool has_state = false;
  std::vector<at::Tensor> tails;

  bool streams() const override { return streams_; }
  NamedTensors state() const override {
    if (!has_state) return {};
    return {{"next", at::tensor(next_)}};
  }
  void load(const NamedTensors& state, std::int64_t pieces) override {
    EXPECT_EQ(state.front().second.item<std::int64_t>(), pieces);
    EXPECT_EQ(next_, pieces);
    loaded = pieces;
  }

 private:
  std::optional<Piece> do_upcoming() const override {
    if (next_ == static_cast<std::int64_t>(order_.size())) return std::nullopt;
    const auto place = order_[static_cast<std::size_t>(next_)];
    const auto decoded = streams_ && place > 0 ? 4 : 1;
    return Piece{.number = next_,
                 .place = place,
                 .first_frame = place * decoded,
                 .decoded = decoded,
                 .frames = decoded,
                 .tail = tail};
  }
  at::Tensor do_make(const OnStep& on_step) override {
    ++made;
    if (on_step) on_step(1, 1);
    return latent_of(order_[static_cast<std::size_t>(next_)], 1);
  }
  void do_accept(const at::Tensor&, const at::Tensor& last) override {
    tails.push_back(last);
    ++next_;
  }

  std::vector<std::int64_t> order_;
  bool streams_;
  std::int64_t next_ = 0;
};

/// Keeps everything, and goes on being there when a film is not.
struct FakeKeeper final : FilmKeeper {
  std::map<std::int64_t, at::Tensor> latents;
  std::optional<std::pair<std::int64_t, NamedTensors>> saved;
  std::vector<std::int64_t> done_places;
  std::map<std::int64_t, at::Tensor> shown;  // by place

  bool has(std::int64_t number) const override { return latents.count(number) > 0; }
  at::Tensor latent(const Piece& piece) const override { return latents.at(piece.number); }
  void put(const Piece& piece, const at::Tensor& latent) override {
    latents[piece.number] = latent;
  }
  std::optional<std::pair<std::int64_t, NamedTensors>> state() const override { return saved; }
  void put_state(std::int64_t pieces, const NamedTensors& state) override {
    saved = std::pair(pieces, state);
  }
  bool wants(const Piece& piece) const override { return shown.count(piece.place) == 0; }
  void frames(const Piece& piece, std::int64_t first, const at::Tensor& frames) override {
    auto& all = shown[piece.place];
    all = first == 0 ? frames : at::cat({all, frames}, 2);
  }
  void done(const Piece& piece, const at::Tensor&) override { done_places.push_back(piece.place); }
};

struct AssemblerTest : testing::Test {
  WanVae vae = test::tiny_vae();
  FakeKeeper keeper;

  void run(Film& film, Decoding decoding = Decoding::streamed) {
    Assembler(film, vae, keeper, decoding).run();
  }
  at::Tensor frame(std::int64_t place) { return vae.decode(latent_of(place, 1)).clamp(-1, 1); }
};

TEST_F(AssemblerTest, ShowsPiecesInTheOrderOfTheFilmWhicheverIsMadeFirst) {
  for (const auto& order : {std::vector<std::int64_t>{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}}) {
    keeper = {};
    FakeFilm film(order);
    run(film);
    EXPECT_EQ(keeper.done_places, (std::vector<std::int64_t>{0, 1, 2, 3}));
    for (std::int64_t place = 0; place < kClips; ++place)
      EXPECT_TRUE(at::equal(keeper.shown.at(place), frame(place)));
  }
}

TEST_F(AssemblerTest, RefusesAFilmThatMissesAPlace) {
  FakeFilm film({0, 2, 3});
  EXPECT_THROW(run(film), Error);
}

TEST_F(AssemblerTest, DecodesAStretchOfLatentsWithoutABreak) {
  FakeFilm film({0, 1, 2, 3}, /*streams=*/true);
  run(film, Decoding::whole);

  const auto all = at::cat({latent_of(0, 1), latent_of(1, 1), latent_of(2, 1), latent_of(3, 1)}, 2);
  const auto shown =
      at::cat({keeper.shown.at(0), keeper.shown.at(1), keeper.shown.at(2), keeper.shown.at(3)}, 2);
  EXPECT_EQ(shown.size(2), 13);
  DecoderStream stream(vae);
  EXPECT_LT((shown - stream.push(all).clamp(-1, 1)).abs().max().item<double>(), 1e-5);
}

TEST_F(AssemblerTest, WillNotDecodeAStretchInTiles) {
  FakeFilm film({0}, /*streams=*/true);
  EXPECT_THROW(Assembler(film, vae, keeper, Decoding::tiled), ConfigError);
}

TEST_F(AssemblerTest, HandsTheLastFramesToTheFilmThatAsksForThem) {
  FakeFilm film({0, 1});
  film.tail = 1;
  run(film);
  ASSERT_EQ(film.tails.size(), 2u);
  EXPECT_TRUE(at::equal(film.tails[1], frame(1)));
}

TEST_F(AssemblerTest, MakesNothingAgainThatIsKeptAndDecodesNoMoreThanNeeded) {
  FakeFilm first({0, 1, 2, 3});
  first.tail = 1;
  run(first);
  keeper.latents.erase(3);
  keeper.shown.erase(3);

  FakeFilm again({0, 1, 2, 3});
  again.tail = 1;
  run(again);

  EXPECT_EQ(again.made, 1);
  EXPECT_FALSE(again.tails[0].defined());  // nobody needs them
  EXPECT_FALSE(again.tails[1].defined());
  EXPECT_TRUE(at::equal(again.tails[2], first.tails[2]));  // the next piece goes on from them
}

TEST_F(AssemblerTest, GoesOnFromTheStateThatFitsThePieces) {
  FakeFilm first({0, 1, 2, 3});
  first.has_state = true;
  run(first);
  EXPECT_EQ(keeper.saved->first, 4);

  // Stopped between the latent of piece 2 and the state behind it: that piece is made again.
  keeper.saved = std::pair(std::int64_t{2}, NamedTensors{{"next", at::tensor(std::int64_t{2})}});
  keeper.latents.erase(3);
  FakeFilm again({0, 1, 2, 3});
  again.has_state = true;
  run(again);
  EXPECT_EQ(again.loaded, 2);
  EXPECT_EQ(again.made, 2);
  EXPECT_EQ(keeper.saved->first, 4);
}

}  // namespace
}  // namespace svi
