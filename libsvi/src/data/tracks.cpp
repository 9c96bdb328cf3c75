#include "svi/data/tracks.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {

TrackReader::~TrackReader() = default;

std::int64_t Tracks::Track::frames() const { return reader ? reader->frames() : values.size(0); }

void Tracks::set(const std::string& name, at::Tensor values) {
  SVI_CHECK(!name.empty(), "a track needs a name");
  SVI_CHECK(values.defined() && values.dim() >= 1 && values.size(0) >= 1 && values.is_cpu() &&
                (values.scalar_type() == at::kFloat || values.scalar_type() == at::kByte),
            "track ", name, " must be fp32 or uint8 [frames, ...] on the CPU");
  tracks_.insert_or_assign(name, Track{std::move(values), nullptr, false});
}

void Tracks::set(const std::string& name, std::shared_ptr<const TrackReader> reader) {
  SVI_CHECK(!name.empty(), "a track needs a name");
  SVI_CHECK(reader && reader->frames() >= 1, "track ", name, " has no frames");
  tracks_.insert_or_assign(name, Track{{}, std::move(reader), false});
}

void Tracks::set_end(const std::string& name, at::Tensor value) {
  SVI_CHECK(!name.empty(), "a track needs a name");
  SVI_CHECK(value.defined() && value.is_cpu() && value.scalar_type() == at::kFloat, "track ", name,
            " must be fp32 on the CPU");
  tracks_.insert_or_assign(name, Track{std::move(value), nullptr, true});
}

const at::Tensor& Tracks::operator[](std::string_view name) const {
  static const at::Tensor kAbsent;
  const auto found = tracks_.find(name);
  return found == tracks_.end() ? kAbsent : found->second.values;
}

bool Tracks::at_end(std::string_view name) const {
  const auto found = tracks_.find(name);
  return found != tracks_.end() && found->second.end;
}

std::vector<std::string> Tracks::names() const {
  std::vector<std::string> names;
  for (const auto& [name, track] : tracks_) names.push_back(name);
  return names;
}

void Tracks::require(std::int64_t frames) const {
  for (const auto& [name, track] : tracks_) {
    if (track.end || track.frames() >= frames) continue;
    raise<ConfigError>("track '", name, "' has ", track.frames(), " frames, but ", frames,
                       " are needed; give a longer one, or make a shorter film");
  }
}

Tracks Tracks::slice(std::int64_t first, std::int64_t count, std::int64_t film) const {
  SVI_CHECK(count >= 1 && first + count >= 1, "no track has ", count, " frames from frame ", first);
  require(first + count);
  const auto early =
      std::max<std::int64_t>(-first, 0);  // frames of a video that the film goes on from
  const auto begin = first + early, length = count - early;
  Tracks cut;
  for (const auto& [name, track] : tracks_) {
    if (track.end) {
      const bool ends = first + count == film;
      cut.set_end(name, ends ? track.values : at::zeros_like(track.values));
    } else {
      auto part =
          track.reader ? track.reader->read(begin, length) : track.values.narrow(0, begin, length);
      SVI_CHECK(part.size(0) == length, "track ", name, " gave ", part.size(0), " frames, not ",
                length);
      if (early > 0) part = at::cat({part.narrow(0, 0, 1).repeat_interleave(early, 0), part});
      cut.set(name, told_values(part));
    }
  }
  return cut;
}

Tracks Tracks::only(const std::vector<std::string>& names, const std::string& owner) const {
  Tracks chosen;
  for (const auto& name : names) {
    const auto found = tracks_.find(name);
    if (found == tracks_.end()) {
      raise<ConfigError>(owner, " has no track '", name,
                         "', which a model extension reads; it has ",
                         empty() ? "none" : join(this->names()),
                         ". Choose [data] that brings it, or leave the extension out");
    }
    chosen.tracks_.insert(*found);
  }
  return chosen;
}

at::Tensor told_values(const at::Tensor& values) {
  return values.scalar_type() == at::kByte ? values.to(at::kFloat) / 127.5 - 1 : values;
}

}  // namespace svi
