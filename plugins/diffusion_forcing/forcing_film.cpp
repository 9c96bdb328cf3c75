#include "diffusion_forcing/forcing_film.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <svi/core/check.hpp>
#include <svi/method/stretch.hpp>
#include <svi/model/wan/condition.hpp>

#include "diffusion_forcing/history_model.hpp"

namespace forcing {
namespace {

using namespace svi;

// Noise beside that of the pieces has numbers of its own, a row of a piece each.
constexpr std::int64_t kFreshNoise = 1 << 20, kMostRows = 1 << 12;

/// [f] as a factor of latents.
at::Tensor per_frame(const at::Tensor& values) { return values.view({1, 1, -1, 1, 1}); }

}  // namespace

ForcingFilm::ForcingFilm(ForcingPlan plan, const Studio& studio, const FilmRequest& request)
    : plan_(std::move(plan)),
      studio_(studio),
      script_(request.script),
      image_(request.image),
      clips_(request.clips),
      stride_(studio.vae.config().temporal_stride()) {
  const auto sizes = latent_sizes(studio);
  z_ = sizes[0], clip_frames_ = sizes[1], h_ = sizes[2], w_ = sizes[3];
  std::vector<float> rising = {0};
  rising.insert(rising.end(), studio.sampler.sigmas().rbegin(), studio.sampler.sigmas().rend());
  levels_ = at::tensor(rising).to(image_.device());
  if (plan_.cache) static_cast<void>(CausalWindow::causal(studio.model));  // or says so at once
}

std::optional<Piece> ForcingFilm::do_upcoming() const {
  if (piece_ >= clips_) return std::nullopt;
  return stretch_piece(piece_, piece_, added() * stride_, script_.prompts(piece_));
}

void ForcingFilm::begin() {
  if (start_.defined()) return;
  start_ = studio_.vae.encode(image_.unsqueeze(2));
  context_ = start_;
  made_ = {false};
}

std::vector<ForcingFilm::Part> ForcingFilm::parts() const {
  const auto steps = levels_.size(0) - 1;
  if (plan_.known_by_image) return {{added(), plan_.rows(steps, clip_frames_, 0, window())}};
  const auto most = plan_.chunk > 0 ? plan_.chunk : window() - plan_.context;
  std::vector<Part> parts;
  auto ready = context_.size(2);
  for (const auto size : chunks_of(added(), most)) {
    parts.push_back({size, plan_.rows(steps, size, ready, window())});
    ready = std::min(ready + size, plan_.context);
  }
  return parts;
}

at::Tensor ForcingFilm::do_make(const OnStep& on_step) {
  begin();
  told_ = told(studio_, start_, image_, script_.prompts(piece_));
  draws_ = 0;
  cache_.clear();  // a film goes on from its pieces, and a piece may have a prompt of its own
  const auto noise = draw(piece_, clip_frames_);
  const auto context = context_;
  const auto made = made_;
  const auto all_parts = parts();
  std::int64_t first = 1, done = 0, all = 0;
  for (const auto& part : all_parts) all += static_cast<std::int64_t>(part.rows.size());
  std::vector<at::Tensor> latents;
  for (const auto& [size, rows] : all_parts) {
    noised_ = -1;
    auto chunk =
        chunk_behind(context_, plan_.known_by_image ? noise : noise.narrow(2, first, size));
    for (const auto& row : rows) {
      take(chunk, row);
      if (on_step) on_step(++done, all);
    }
    latents.push_back(chunk.x.narrow(2, chunk.x.size(2) - size, size));
    remember(latents.back());  // the next chunk sees this one
    first += size;
  }
  context_ = context, made_ = made;  // accept() goes on, not make()
  if (piece_ == 0) latents.insert(latents.begin(), start_);
  return at::cat(latents, 2);
}

void ForcingFilm::do_accept(const at::Tensor& latent, const at::Tensor&) {
  begin();
  remember(piece_ == 0 ? latent.narrow(2, 1, added()) : latent);
  ++piece_;
}

void ForcingFilm::remember(const at::Tensor& made) {
  context_ = at::cat({context_, made}, 2);
  made_.insert(made_.end(), static_cast<std::size_t>(made.size(2)), true);
  const auto left = context_.size(2) - plan_.context;
  if (left > 0) {  // behind the first ones, which stay
    const auto end = context_.size(2) - plan_.sink - left;
    context_ =
        at::cat({context_.narrow(2, 0, plan_.sink), context_.narrow(2, plan_.sink + left, end)}, 2);
    made_.erase(made_.begin() + plan_.sink, made_.begin() + plan_.sink + left);
  }
  context_ = context_.clone();
}

ForcingFilm::Chunk ForcingFilm::chunk_behind(const at::Tensor& context,
                                             const at::Tensor& noise) const {
  const auto newest = context.narrow(2, context.size(2) - 1, 1);
  if (plan_.known_by_image) return {noise.clone(), newest.expand_as(noise).clone(), 0};
  return {at::cat({context, noise}, 2), at::cat({context, newest.expand_as(noise)}, 2),
          context.size(2)};
}

at::Tensor ForcingFilm::draw(std::int64_t number, std::int64_t frames) const {
  return script_.noise(number, {z_, frames, h_, w_}).to(image_.device());
}

at::Tensor ForcingFilm::sigma_of(const std::vector<std::int64_t>& levels) const {
  return levels_.index_select(0, at::tensor(levels).to(levels_.device()));
}

Condition ForcingFilm::condition(std::int64_t frames, const at::Tensor& known) {
  auto& y = y_[frames];
  if (!y.defined()) {
    const ConditionBuilder builder(studio_.vae);
    y = builder.build(image_.unsqueeze(2), image_, stride_ * (frames - 1) + 1, {});
  }
  auto shown = y.clone();
  shown.narrow(1, stride_, z_).narrow(2, 0, 1).copy_(known);
  auto told = told_;
  told.set(part::kImage, shown);
  return told;
}

ForcingFilm::View ForcingFilm::view(const Chunk& chunk, const ScheduleRow& row,
                                    const at::Tensor& fresh) const {
  const auto frames = row.end - row.first;
  const auto history = std::clamp<std::int64_t>(chunk.ready - row.first, 0, frames);
  const auto skipped = std::max<std::int64_t>(row.first - chunk.ready, 0);
  View view{row.first, history, chunk.x.narrow(2, row.first, frames).clone(), {}, {}};
  const auto level = row.context < 0 ? plan_.context_level : levels_[row.context].item<double>();
  const bool noised = plan_.context_noise || row.context >= 0;
  if (history > 0 && noised && level > 0) {
    auto seen = view.x.narrow(2, 0, history);
    seen.mul_(1 - level).add_(fresh.narrow(2, 0, history), level);
  }
  const auto context = at::full({history}, level, levels_.options());
  const auto count = frames - history;
  view.from = at::cat({context, sigma_of(row.from).narrow(0, skipped, count)});
  view.to = at::cat({context, sigma_of(row.to).narrow(0, skipped, count)});
  return view;
}

at::Tensor ForcingFilm::stepped(const View& view, const at::Tensor& known, const at::Tensor& fresh,
                                std::int64_t index) {
  const auto B = view.x.size(0), frames = view.x.size(2);
  const auto from = view.from.expand({B, frames}), to = view.to.expand({B, frames});
  const auto told = condition(frames, known);
  const auto step = [&](const VelocityModel& model, std::int64_t passes) {
    const Studio studio{model,           studio_.vae,     studio_.encode_text,
                        studio_.method,  studio_.sampler, studio_.guidance,
                        studio_.rollout, studio_.shape,   studio_.encode_image,
                        studio_.tracks};
    const auto guided = denoiser(studio, told);
    auto x = studio_.sampler.step(guided, view.x, from, to, index);
    count(guided.evaluations() * passes);
    return x;
  };
  if (plan_.cache) {
    const auto still = view.from.eq(view.to).to(at::kInt).cumprod(0).sum().item<std::int64_t>();
    const CausalWindow model(studio_.model, cache_, still, B);
    auto x = step(model, 1);
    count(model.written());
    return x;
  }
  if (plan_.history.segments.empty() || view.history == 0) return step(studio_.model, 1);
  const auto newest = static_cast<std::int64_t>(made_.size());
  const auto first = made_.begin() + (newest - std::min(newest, view.history));
  const HistoryModel model(studio_.model, plan_.history,
                           {context_.narrow(2, context_.size(2) - view.history, view.history),
                            {first, made_.end()},
                            fresh.narrow(2, 0, frames),
                            plan_.context_level});
  return step(model, model.passes());
}

at::Tensor ForcingFilm::history_noise(const ScheduleRow& row, const at::Tensor& fresh) {
  if (!plan_.cache || row.context < 0) return fresh;
  if (row.context != noised_) noise_of_level_ = fresh;  // or no frame would be found again
  noised_ = row.context;
  return noise_of_level_;
}

void ForcingFilm::take(Chunk& chunk, const ScheduleRow& row) {
  const bool noisy = plan_.renoise || plan_.context_noise || row.context >= 0 ||
                     !plan_.history.segments.empty() || !plan_.corrected.empty();
  const auto T = chunk.x.size(2);
  SVI_CHECK(draws_ < kMostRows, "a piece has at most ", kMostRows, " rows");
  const auto fresh = noisy ? draw(kFreshNoise + piece_ * kMostRows + draws_++, 2 * T)
                           : at::Tensor();  // first what joins now, then what a calibration takes
  const auto seen = view(chunk, row, history_noise(row, fresh));
  const auto frames = seen.x.size(2), K = levels_.size(0) - 1;
  const auto noisiest = *std::max_element(row.from.begin(), row.from.end());
  // Where the image alone tells the history, the window's first frame is made again.
  const auto known = plan_.known_by_image ? context_.narrow(2, context_.size(2) - 1, 1)
                                          : chunk.estimate.narrow(2, row.first, 1).clone();
  const auto next = stepped(seen, known, fresh, K - noisiest);
  const auto stays = seen.from.eq(seen.to);
  const auto moves = per_frame(stays.logical_not());
  const auto way = per_frame((seen.to - seen.from).masked_fill(stays, 1));
  const auto clean = seen.x - per_frame(seen.from) * (next - seen.x) / way;
  const auto to = per_frame(seen.to);
  const auto moved =
      plan_.renoise ? (1 - to) * clean + to * fresh.narrow(2, row.first, frames) : next;
  auto x = chunk.x.narrow(2, row.first, frames);
  auto estimate = chunk.estimate.narrow(2, row.first, frames);
  x.copy_(at::where(moves, moved, x));
  estimate.copy_(at::where(moves, clean, estimate));
  calibrate(chunk, row, fresh);
}

bool ForcingFilm::corrects(std::int64_t level) const {
  const auto K = static_cast<double>(levels_.size(0) - 1);
  return std::any_of(plan_.corrected.begin(), plan_.corrected.end(),
                     [&](double u) { return level == std::lround(u * K); });
}

void ForcingFilm::calibrate(Chunk& chunk, const ScheduleRow& row, const at::Tensor& fresh) {
  const auto level = row.to.back();
  if (level == 0 || row.to == row.from || !corrects(level)) return;
  const auto T = chunk.x.size(2), made = T - chunk.ready;
  const auto sigma = levels_.narrow(0, level, 1);
  // The same state behind the image instead of the history.
  View view{0, 0, chunk.x.narrow(2, chunk.ready, made), sigma.expand({made}),
            at::zeros({made}, sigma.options())};
  if (!plan_.known_by_image) {
    view.x = at::cat({start_, view.x}, 2);
    const auto told = at::full({1}, plan_.context_level, sigma.options());
    view.from = at::cat({told, view.from}), view.to = at::cat({told, view.to});
  }
  const auto index = levels_.size(0) - 1 - level;
  const auto reached = stepped(view, start_, {}, index);
  const auto behind_image = reached.narrow(2, reached.size(2) - made, made);
  auto estimate = chunk.estimate.narrow(2, chunk.ready, made);
  const auto clean = estimate + plan_.strength * (behind_image - estimate);
  chunk.x.narrow(2, chunk.ready, made)
      .copy_((1 - sigma) * clean + sigma * fresh.narrow(2, T + chunk.ready, made));
}

}  // namespace forcing
