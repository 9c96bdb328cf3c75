#pragma once

#include <cstdint>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// How long a server is waited for, and how much of it is read.
struct HttpLimits {
  double connect_seconds = 10;               // to connect
  double seconds = 60;                       // for one try, from its beginning to the last byte
  std::int64_t retries = 3;                  // more tries where the server is busy or not there
  double backoff_seconds = 1;                // before the first of them; doubles with each
  std::int64_t most_bytes = 64LL * 1 << 20;  // of an answer
};

/// One question to a server.
struct HttpRequest {
  std::string url;                             // http or https, without user and password
  std::string body = {};                       // of a POST; empty: a GET
  std::string body_type = "application/json";  // of the body
  std::string key = {};  // sent as a bearer token, to this server alone; never written anywhere
};

/// What a server answered.
struct HttpAnswer {
  long status = 0;   // such as 200
  std::string type;  // "application/json", as the server says
  std::string body;  // at most HttpLimits::most_bytes
};

/// Asks a server. Follows at most five redirects, to http and https alone, and with https to
/// nothing else; a request with a key follows none. Tries again where the connection fails or
/// breaks, where time is up, and at the states 429, 500, 502, 503 and 504; a Retry-After of up to a
/// minute is kept. Other states are answers. Throws ConfigError for an address or a key that cannot
/// be sent, IoError naming the server, without the address's query, for all else.
SVI_EXPORT HttpAnswer ask_server(const HttpRequest& request, const HttpLimits& limits = {});

/// An address as messages and files may show it: without its query.
SVI_EXPORT std::string shown_url(const std::string& url);

/// A text as a part of an address: all but letters, digits and -._~ as %XX.
SVI_EXPORT std::string url_escaped(const std::string& text);

}  // namespace svi
