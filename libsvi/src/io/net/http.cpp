#include "svi/io/http.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "svi/core/check.hpp"
#include "svi/core/handle.hpp"
#include "svi/core/log.hpp"
#include "svi/core/printable.hpp"

namespace svi {
namespace {

constexpr long kMostRedirects = 5;
constexpr double kLongestPause = 60;  // seconds between two tries

struct CurlTraits {
  using Raw = CURL*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { curl_easy_cleanup(raw); }
};
struct CurlListTraits {
  using Raw = curl_slist*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { curl_slist_free_all(raw); }
};
using Curl = Handle<CurlTraits>;
using CurlList = Handle<CurlListTraits>;

/// What comes in, up to a limit.
struct HttpInbox {
  std::string bytes;
  std::size_t most = 0;
  bool overflowed = false;
};

std::size_t take_bytes(char* data, std::size_t size, std::size_t count, void* inbox) {
  auto& into = *static_cast<HttpInbox*>(inbox);
  const auto more = size * count;
  if (more > into.most - into.bytes.size()) {
    into.overflowed = true;
    return 0;  // curl gives up
  }
  into.bytes.append(data, more);
  return more;
}

template <class Value>
void set_curl(const Curl& curl, CURLoption option, Value value) {
  const auto code = curl_easy_setopt(curl.get(), option, value);
  if (code != CURLE_OK) raise<IoError>("libcurl: ", curl_easy_strerror(code));
}

void start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);  // once per process
  if (code != CURLE_OK) raise<IoError>("libcurl does not start: ", curl_easy_strerror(code));
}

/// Whether it begins with http:// or https:// and names a server, without user or password.
void check_url(const std::string& url) {
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://"))
    raise<ConfigError>("address ", shown_url(url), ": must begin with http:// or https://");
  const auto begin = url.find("//") + 2;
  const auto server = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  if (server.find('@') != std::string::npos) {
    raise<ConfigError>("an address of ", server.substr(server.rfind('@') + 1),
                       " holds a user or a password; leave them out: keys come from the "
                       "environment");
  }
  const auto strange = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; };
  if (server.empty() || std::any_of(url.begin(), url.end(), strange))
    raise<ConfigError>("address ", shown_url(url), ": names no server, or holds spaces");
}

void check_key(const HttpRequest& request) {
  const auto plain = [](char c) { return c > 0x20 && c < 0x7F; };
  if (!std::all_of(request.key.begin(), request.key.end(), plain)) {
    raise<ConfigError>("the key for ", shown_url(request.url),
                       " holds spaces, line ends or other signs that no key has");
  }
}

struct HttpTry {
  CURLcode code = CURLE_OK;
  HttpAnswer answer;
  std::string problem;  // of a try that gave no answer
  double wait = 0;      // seconds that the server asks for
};

void set_request(const Curl& curl, const HttpRequest& request, const HttpLimits& limits) {
  set_curl(curl, CURLOPT_URL, request.url.c_str());
  set_curl(curl, CURLOPT_NOSIGNAL, 1L);
  set_curl(curl, CURLOPT_USERAGENT, "svi");
  set_curl(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  set_curl(curl, CURLOPT_REDIR_PROTOCOLS_STR,
           request.url.starts_with("https://") ? "https" : "http,https");
  set_curl(curl, CURLOPT_FOLLOWLOCATION, request.key.empty() ? 1L : 0L);
  set_curl(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  set_curl(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_seconds * 1000));
  set_curl(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.seconds * 1000));
  set_curl(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.most_bytes));
  if (!request.key.empty()) {
    set_curl(curl, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    set_curl(curl, CURLOPT_XOAUTH2_BEARER, request.key.c_str());
  }
}

HttpTry try_once(const HttpRequest& request, const HttpLimits& limits) {
  const Curl curl(curl_easy_init());
  if (curl.get() == nullptr) raise<IoError>("libcurl gives no handle; is memory short?");
  set_request(curl, request, limits);
  CurlList headers;
  if (!request.body.empty()) {
    // "Expect:" without a value: servers that do not know it would be waited for.
    auto* list = curl_slist_append(nullptr, ("Content-Type: " + request.body_type).c_str());
    headers = CurlList(curl_slist_append(list, "Expect:"));
    set_curl(curl, CURLOPT_HTTPHEADER, headers.get());
    set_curl(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set_curl(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  HttpInbox inbox{{}, static_cast<std::size_t>(limits.most_bytes)};
  set_curl(curl, CURLOPT_WRITEFUNCTION, &take_bytes);
  set_curl(curl, CURLOPT_WRITEDATA, &inbox);
  std::array<char, CURL_ERROR_SIZE> error{};
  set_curl(curl, CURLOPT_ERRORBUFFER, error.data());

  HttpTry made;
  made.code = curl_easy_perform(curl.get());
  if (made.code == CURLE_FILESIZE_EXCEEDED || inbox.overflowed) {
    made.code = CURLE_FILESIZE_EXCEEDED;
    made.problem = cat("answers with more than ", limits.most_bytes, " bytes");
  } else if (made.code == CURLE_UNSUPPORTED_PROTOCOL) {
    made.problem = "sends the request on to something that is neither http nor https";
  } else if (made.code != CURLE_OK) {
    made.problem = printable(error[0] != 0 ? error.data() : curl_easy_strerror(made.code));
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &made.answer.status);
  const char* type = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) made.answer.type = type;
  curl_off_t wait = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RETRY_AFTER, &wait);
  made.wait = static_cast<double>(wait);
  made.answer.body = std::move(inbox.bytes);
  return made;
}

bool is_worth_retrying(const HttpTry& made) {
  static constexpr std::array<CURLcode, 8> kPassing = {
      CURLE_COULDNT_CONNECT,    CURLE_COULDNT_RESOLVE_HOST,
      CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING,
      CURLE_RECV_ERROR,         CURLE_SEND_ERROR,
      CURLE_PARTIAL_FILE,       CURLE_HTTP2};
  static constexpr std::array<long, 5> kBusy = {429, 500, 502, 503, 504};
  if (made.code == CURLE_OK)
    return std::find(kBusy.begin(), kBusy.end(), made.answer.status) != kBusy.end();
  return std::find(kPassing.begin(), kPassing.end(), made.code) != kPassing.end();
}

}  // namespace

std::string shown_url(const std::string& url) {
  return printable(url.substr(0, url.find_first_of("?#")), 200);
}

std::string url_escaped(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      escaped += c;
    } else {
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

HttpAnswer ask_server(const HttpRequest& request, const HttpLimits& limits) {
  check_url(request.url);
  check_key(request);
  start_curl();
  for (std::int64_t retry = 0;; ++retry) {
    auto made = try_once(request, limits);
    const bool again = is_worth_retrying(made);
    if (made.code == CURLE_OK && !again) return std::move(made.answer);
    const auto what =
        made.code == CURLE_OK ? cat("answers with state ", made.answer.status) : made.problem;
    if (!again || retry >= limits.retries) {
      raise<IoError>(shown_url(request.url), ": ", what,
                     again && retry > 0 ? cat(", ", retry + 1, " times") : "");
    }
    const auto pause =
        std::min(kLongestPause,
                 std::max(made.wait, limits.backoff_seconds * static_cast<double>(1LL << retry)));
    SVI_INFO("net", shown_url(request.url), ": ", what, "; asking again in ", pause, " s");
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
}

}  // namespace svi
