#include <algorithm>
#include <nlohmann/json.hpp>

#include "image_sources.hpp"
#include "picture_bytes.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/printable.hpp"
#include "svi/core/text.hpp"
#include "svi/io/http.hpp"
#include "svi/story/answer_cache.hpp"

namespace svi {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostListBytes = 4 << 20;
constexpr std::size_t kMostFieldBytes = 4 << 10;

/// A text of an entry, made fit for files and messages; empty where there is none.
std::string field(const Json& entry, const char* name) {
  const auto found = entry.find(name);
  if (found == entry.end() || !found->is_string()) return {};
  const auto text = found->get<std::string>();
  return text.size() > kMostFieldBytes ? std::string() : printable(text, kMostFieldBytes);
}

bool is_web_address(const std::string& url) {
  return url.starts_with("https://") || url.starts_with("http://");
}

StoryPicture described(const Json& entry) {
  StoryPicture picture;
  picture.title = field(entry, "title");
  picture.caption = picture.title;
  picture.creator = field(entry, "creator");
  picture.license = field(entry, "license");
  if (const auto version = field(entry, "license_version"); !version.empty())
    picture.license += " " + version;
  picture.license_url = field(entry, "license_url");
  picture.attribution = field(entry, "attribution");
  picture.page = field(entry, "foreign_landing_url");
  return picture;
}

}  // namespace

void OpenverseImages::Config::describe(OptionVisitor& visit) {
  visit(url, {.key = "url", .help = "address of the API"});
  visit(licenses, {.key = "licenses",
                   .help = "licences that may be taken, by Openverse's names; those with nd forbid "
                           "what a film does to the picture"});
  visit(aspect, {.key = "aspect", .help = "shape: wide, tall, square, or empty for any"});
  visit(candidates, {.key = "candidates",
                     .help = "pictures asked for, of which the seed chooses; the next one is taken "
                             "where one cannot be had",
                     .min = 1,
                     .max = 20});
  visit(seconds, {.key = "seconds",
                  .help = "how long a server is waited for",
                  .unit = "s",
                  .min = 0.1,
                  .max = 3600});
  visit(retries, {.key = "retries", .help = "more tries at a busy server", .min = 0, .max = 10});
  visit(backoff, {.key = "backoff",
                  .help = "pause before the first of them; doubles with each",
                  .unit = "s",
                  .min = 0,
                  .max = 60});
  visit(most_mib, {.key = "most_mib",
                   .help = "largest picture file that is fetched",
                   .unit = "MiB",
                   .min = 1,
                   .max = 1024});
}

std::string OpenverseImages::Config::problem() const {
  if (licenses.empty()) return "licenses is empty; name those that may be taken";
  const bool known = aspect.empty() || aspect == "wide" || aspect == "tall" || aspect == "square";
  return known ? "" : cat("aspect = ", aspect, " must be wide, tall, square or empty");
}

/// From the cache, else from the server.
std::string OpenverseImages::answer_to(const std::string& url, const ImageRequest& request) const {
  const AnswerCache cache(request.cache);
  if (auto kept = cache.find(url)) return std::move(*kept);
  HttpLimits limits;
  limits.seconds = config_.seconds;
  limits.retries = config_.retries;
  limits.backoff_seconds = config_.backoff;
  limits.most_bytes = config_.most_mib << 20;
  if (url.starts_with(config_.url)) limits.most_bytes = std::min(limits.most_bytes, kMostListBytes);
  auto answer = ask_server({.url = url}, limits);
  if (answer.status != 200) raise<IoError>(shown_url(url), ": answers with state ", answer.status);
  cache.keep(url, answer.body);
  return std::move(answer.body);
}

StoryPicture OpenverseImages::do_find(const ImageRequest& request) const {
  auto url =
      cat(config_.url, "/images/?q=", url_escaped(request.keyword),
          "&license=", url_escaped(join(config_.licenses, ",")), "&page_size=", config_.candidates);
  if (!config_.aspect.empty()) url += "&aspect_ratio=" + config_.aspect;
  const auto list = Json::parse(answer_to(url, request), nullptr, false);
  const auto results = list.is_object() ? list.find("results") : list.end();
  if (list.is_discarded() || results == list.end() || !results->is_array()) {
    raise<IoError>(shown_url(url),
                   ": does not answer as Openverse does (a JSON object with "
                   "`results`); is [image_source] url right?");
  }
  std::vector<Json> usable;  // what has an address and a licence that was asked for
  for (const auto& entry : *results) {
    if (!entry.is_object()) continue;
    const auto license = lower_case(field(entry, "license"));
    const auto& wanted = config_.licenses;
    if (std::find(wanted.begin(), wanted.end(), license) == wanted.end()) continue;
    if (is_web_address(field(entry, "url"))) usable.push_back(entry);
  }
  if (usable.empty()) {
    raise<ConfigError>("Openverse has no picture of '", printable(request.keyword),
                       "' under the licences ", join(config_.licenses),
                       "; another --keyword, more [image_source] licenses, or aspect = ''");
  }
  std::string problem;
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const auto& entry = usable[(static_cast<std::size_t>(request.seed) + i) % usable.size()];
    const auto address = field(entry, "url");
    auto picture = described(entry);
    try {
      picture.bytes = answer_to(address, request);
      problem = picture_problem(picture.bytes);
      if (problem.empty()) return picture;
      problem = shown_url(address) + ": " + problem;
    } catch (const IoError& error) {
      problem = error.what();
    }
    SVI_WARN("story", problem, "; taking the next picture");
  }
  raise<IoError>("none of ", usable.size(), " pictures of '", printable(request.keyword),
                 "' could be had; the last one: ", problem);
}

}  // namespace svi
