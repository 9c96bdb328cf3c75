#include "svi/io/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story/test_server.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HttpLimits short_limits() {
  return {.connect_seconds = 5, .seconds = 20, .retries = 3, .backoff_seconds = 0};
}

std::string error_of(const HttpRequest& request, const HttpLimits& limits = short_limits()) {
  try {
    ask_server(request, limits);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Http, AsksAgainWhileAServerIsBusy) {
  const TestServer server;

  const auto answer = ask_server({.url = server.url("busy/v1/models")}, short_limits());

  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("tiny-vl"));
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(Http, GivesUpAfterItsRetries) {
  const TestServer server;
  auto limits = short_limits();
  limits.retries = 1;

  EXPECT_THAT(error_of({.url = server.url("down/v1/models")}, limits), HasSubstr("state 500"));
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(Http, EndsWithItsTimeHoweverTheServerWastesIt) {
  const TestServer server;
  auto limits = short_limits();
  limits.seconds = 0.5;
  limits.retries = 0;

  for (const auto* mode : {"slow/v1/models", "drip/v1/models"})
    EXPECT_THAT(error_of({.url = server.url(mode)}, limits), HasSubstr("127.0.0.1")) << mode;
}

TEST(Http, ReadsNoMoreThanItsLimit) {
  const TestServer server;
  auto limits = short_limits();
  limits.most_bytes = 100000;

  for (const auto* mode : {"huge/x", "endless/x"})
    EXPECT_THAT(error_of({.url = server.url(mode)}, limits), HasSubstr("more than 100000 bytes"));
  EXPECT_EQ(server.requests().size(), 2u);  // asking again would not help
}

TEST(Http, TellsAConnectionThatBreaks) {
  const TestServer server;
  auto limits = short_limits();
  limits.retries = 1;

  EXPECT_THAT(error_of({.url = server.url("broken/x")}, limits), HasSubstr(", 2 times"));
}

TEST(Http, FollowsRedirectsToHttpAlone) {
  const TestServer server;

  EXPECT_EQ(ask_server({.url = server.url("away/v1/models")}, short_limits()).status, 200);
  EXPECT_THAT(error_of({.url = server.url("file/x")}), HasSubstr("neither http nor https"));
  EXPECT_THAT(error_of({.url = server.url("circle/x")}), HasSubstr("redirects"));
}

TEST(Http, AKeyGoesToItsServerAndNowhereElse) {
  const TestServer server;

  const auto answer =
      ask_server({.url = server.url("away/v1/models"), .key = "s3cret"}, short_limits());

  EXPECT_EQ(answer.status, 302);
  const auto asked = server.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0]["headers"]["Authorization"], "Bearer s3cret");
}

TEST(Http, RefusesAddressesAndKeysThatMustNotBeSent) {
  EXPECT_THAT(error_of({.url = "file:///etc/passwd"}), HasSubstr("http:// or https://"));
  EXPECT_THAT(error_of({.url = "http://ann:pw@127.0.0.1/x"}), HasSubstr("password"));
  EXPECT_THAT(error_of({.url = "http://ann:pw@127.0.0.1/x"}), Not(HasSubstr("pw")));
  EXPECT_THAT(error_of({.url = "http:///x"}), HasSubstr("names no server"));
  EXPECT_THAT(error_of({.url = "http://127.0.0.1/a b"}), HasSubstr("spaces"));
  const auto split = error_of({.url = "http://127.0.0.1:1/", .key = "s3cret\r\nX-Evil: 1"});
  EXPECT_THAT(split, HasSubstr("key"));
  EXPECT_THAT(split, Not(HasSubstr("s3cret")));
}

TEST(Http, NamesTheServerWithoutTheQuery) {
  const auto error = error_of({.url = "http://127.0.0.1:1/list?token=s3cret"},
                              {.connect_seconds = 5, .seconds = 5, .retries = 0});
  EXPECT_THAT(error, HasSubstr("http://127.0.0.1:1/list: "));
  EXPECT_THAT(error, Not(HasSubstr("s3cret")));
}

TEST(Http, EscapesWhatAddressesCannotHold) {
  EXPECT_EQ(url_escaped("a cat & caf\xC3\xA9/~"), "a%20cat%20%26%20caf%C3%A9%2F~");
}

}  // namespace
}  // namespace svi
