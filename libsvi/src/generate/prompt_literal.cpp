#include <algorithm>
#include <optional>

#include "generate/prompt_detail.hpp"

namespace svi::prompts {
namespace {

bool is_quote(char c) { return c == '"' || c == '\''; }

/// Appends a code point as UTF-8.
void append(std::string& text, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto put_tail = [&](int shift) { put(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put_tail(0);
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put_tail(6);
    put_tail(0);
  } else {
    put(0xF0 | (code >> 18));
    put_tail(12);
    put_tail(6);
    put_tail(0);
  }
}

/// What a backslash and one more character stand for in Python, where that is one character.
std::optional<char> simple_escape(char c) {
  constexpr std::string_view kNames = "\\'\"abfnrtv", kValues = "\\'\"\a\b\f\n\r\t\v";
  const auto found = kNames.find(c);
  return found == std::string_view::npos ? std::nullopt : std::optional(kValues[found]);
}

/// Digits after \x, \u and \U.
std::size_t hex_digits(char c) { return c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0; }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

/// A list of string literals, by Python's rules of 3.12 for them.
class ListLiteral {
 public:
  ListLiteral(const std::string& text, std::size_t start, Segments& segments)
      : text_(text), at_(start), segments_(segments) {
    line_ += std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(start), '\n');
  }

  void read() {
    skip_space();
    if (!at("[")) unexpected("'['");
    ++at_;
    for (skip_space(); !at("]"); skip_space()) {
      const auto line = line_;
      segments_.add({.prompt = trimmed(joined_strings())}, line);
      if (at(",")) {
        ++at_;
      } else if (!at("]")) {
        unexpected("',' or ']' after a string");
      }
    }
    ++at_;
    skip_space();
    if (!done()) unexpected("nothing but comments after the list");
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(segments_.file(), line_, parts...,
         "; `prompts = [ ... ]` is a list of plain strings, and nothing in it is run");
  }
  [[noreturn]] void unexpected(std::string_view wanted) const {
    const auto rest = std::string_view(text_).substr(std::min(at_, text_.size()));
    const auto next = done() ? "the end" : cat("`", shown(rest.substr(0, rest.find('\n'))), "`");
    fail_here("expected ", wanted, ", got ", next);
  }

  bool done() const { return at_ >= text_.size(); }
  bool at(std::string_view what) const {
    return !done() && text_.compare(at_, what.size(), what) == 0;
  }
  char next() {
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }

  void skip_space() {
    while (!done()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::string_view(" \t\n").find(text_[at_]) != std::string_view::npos) {
        next();
      } else {
        return;
      }
    }
  }

  /// Strings that stand side by side are one, as in Python.
  std::string joined_strings() {
    std::string value = string();
    for (skip_space(); !done() && !at(",") && !at("]"); skip_space()) value += string();
    return value;
  }

  std::string string() {
    const bool prefixed = at_ + 1 < text_.size() && is_quote(text_[at_ + 1]);
    const bool raw = prefixed && (at("r") || at("R"));
    const bool plain = prefixed && (at("u") || at("U"));
    if (done() || (!raw && !plain && !is_quote(text_[at_]))) unexpected("a string");
    if (raw || plain) ++at_;

    std::string quote(1, text_[at_]);
    if (at(std::string(3, quote[0]))) quote = std::string(3, quote[0]);
    at_ += quote.size();
    const auto opened = line_;
    std::string value;
    while (!at(quote)) {
      if (done() || (quote.size() == 1 && at("\n")))
        fail(segments_.file(), opened, "a string has no closing ", quote);
      const char c = next();
      if (c != '\\') {
        value += c;
      } else if (!raw) {
        escape(value);
      } else {
        value += c;
        if (!done()) value += next();
      }
    }
    at_ += quote.size();
    return value;
  }

  /// After a backslash.
  void escape(std::string& value) {
    if (done()) return;  // the string has no end then, which is said there
    const char c = next();
    if (c == '\n') return;
    if (const auto simple = simple_escape(c)) {
      value += *simple;
    } else if (const auto digits = hex_digits(c)) {
      append(value, code_point(digits, digits, 16));
    } else if (digit(c) < 8) {
      --at_;
      append(value, code_point(1, 3, 8));
    } else if (c == 'N') {
      fail_here("characters by name, \\N{...}, are not known here: write the character");
    } else {
      value += '\\';  // what is no escape stays as it is
      value += c;
    }
  }

  std::uint32_t code_point(std::size_t least, std::size_t most, int base) {
    std::uint32_t code = 0;
    std::size_t count = 0;
    for (; count < most && !done() && digit(text_[at_]) < base; ++count)
      code = code * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit(next()));
    if (count < least) fail_here("an escape in a string lacks digits");
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
      fail_here("an escape in a string is no Unicode character");
    return code;
  }

  const std::string& text_;
  std::size_t at_;
  std::int64_t line_ = 1;
  Segments& segments_;
};

}  // namespace

void read_literal(const std::string& text, std::size_t start, Segments& segments) {
  ListLiteral(text, start, segments).read();
}

}  // namespace svi::prompts
