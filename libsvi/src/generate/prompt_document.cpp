#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "generate/prompt_detail.hpp"
#include "svi/config/parse.hpp"

namespace svi::prompts {
namespace {

using Json = nlohmann::json;

constexpr double kMost = 1e6;  // seconds and clips

constexpr std::string_view kQuoteIt =
    "a prompt that holds ': ' or ' #' or begins with a sign must stand in quotes";

const std::vector<std::string>& item_keys() {
  static const std::vector<std::string> keys = {"prompt",     "duration", "clips", "seed",
                                                "transition", "image",    "blend"};
  return keys;
}

/// Makes segments of the events of a JSON or YAML parser. Events instead of a document: what does
/// not belong is refused where it begins, whatever its depth or length, and repeated keys are seen.
class Builder {
 public:
  explicit Builder(Segments& segments) : segments_(segments) {}

  void begin_list(std::int64_t line) {
    if (place_ == Place::start || (place_ == Place::top && !key_.empty())) {
      wrapped_ = place_ == Place::top;
      key_.clear();
      place_ = Place::list;
    } else {
      out_of_place("a list", line);
    }
  }

  void begin_map(std::int64_t line) {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::list) {
      place_ = Place::item;
      segment_ = {};
      segment_line_ = line;
      seen_.clear();
    } else {
      out_of_place("a mapping", line);
    }
  }

  void end_list() { place_ = wrapped_ ? Place::top : Place::done; }

  void end_map() {
    if (place_ == Place::item) {
      finish_segment();
      place_ = Place::list;
    } else {
      if (!wrapped_) raise<ConfigError>(segments_.file(), ": the key `prompts` is missing");
      place_ = Place::done;
    }
  }

  /// A text or number; in a mapping, keys and values take turns.
  void scalar(const std::string& text, std::int64_t line) {
    if (place_ == Place::list) {
      segments_.add({.prompt = trimmed(text)}, line);
    } else if (place_ == Place::item && key_.empty()) {
      begin_item_key(text, line);
    } else if (place_ == Place::item) {
      set(text, line);
      key_.clear();
    } else if (place_ == Place::top && key_.empty()) {
      if (text != "prompts") unknown_key(text, {"prompts"}, line);
      if (wrapped_) fail(segments_.file(), line, "`prompts` stands here again; keep one");
      key_ = text;
    } else {
      out_of_place("a text", line);
    }
  }

  /// A null; around the list it is an empty document.
  void nothing(std::int64_t line) const {
    if (place_ != Place::start && place_ != Place::done) out_of_place("nothing", line);
  }

  [[noreturn]] void out_of_place(std::string_view what, std::int64_t line) const {
    std::string_view wanted = "nothing more: one list of prompts is all that a file holds";
    if (place_ == Place::start) wanted = "a list of prompts, or a mapping with one under `prompts`";
    if (place_ == Place::top) wanted = key_.empty() ? "the key `prompts`" : "a list of prompts";
    if (place_ == Place::list) wanted = "a prompt, or a mapping with the key `prompt`";
    if (place_ == Place::item) wanted = key_.empty() ? "the name of a key" : "one text or number";
    fail(segments_.file(), line, key_.empty() ? "" : cat("`", key_, "`: "), "expected ", wanted,
         "; got ", what);
  }

 private:
  enum class Place { start, top, list, item, done };

  [[noreturn]] void unknown_key(const std::string& text, const std::vector<std::string>& known,
                                std::int64_t line) const {
    const auto key = shown(text);
    const auto near = nearest_name(key, known);
    const auto remedy = near.empty() ? cat("known: ", join(known), "; ", kQuoteIt)
                                     : cat("did you mean `", near, "`?");
    fail(segments_.file(), line, "unknown key `", key, "`; ", remedy);
  }

  void begin_item_key(const std::string& text, std::int64_t line) {
    const auto& known = item_keys();
    if (std::find(known.begin(), known.end(), text) == known.end()) unknown_key(text, known, line);
    if (std::find(seen_.begin(), seen_.end(), text) != seen_.end())
      fail(segments_.file(), line, "`", text, "` stands twice in one item; keep one");
    seen_.push_back(text);
    key_ = text;
  }

  void set(const std::string& text, std::int64_t line) {
    if (key_ == "prompt") segment_.prompt = trimmed(text);
    if (key_ == "image") segment_.image = trimmed(text);
    if (key_ == "duration") segment_.seconds = number<double>(text, line, "seconds above 0", kMost);
    if (key_ == "clips")
      segment_.clips = number<std::int64_t>(text, line, "a whole number of at least 1", kMost);
    if (key_ == "blend")
      segment_.blend = number<std::int64_t>(text, line, "a whole number of at least 1", kMost);
    if (key_ == "seed")
      segment_.seed = number<std::int64_t>(text, line, "a whole number from 0 to 2^63 - 1", {});
    if (key_ == "transition") {
      const auto names = enum_names(Transition{});
      const auto found = std::find(names.begin(), names.end(), text);
      if (found == names.end())
        fail(segments_.file(), line, "`transition` is `", shown(text), "`; it must be one of ",
             join(names));
      segment_.transition = static_cast<Transition>(found - names.begin());
    }
  }

  /// With a largest value the smallest is above 0, without one it is 0.
  template <class Number>
  Number number(const std::string& text, std::int64_t line, std::string_view wanted,
                std::optional<double> most) const {
    Number value{};
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const auto wide = static_cast<double>(value);
    const bool in_range = most ? wide > 0 && wide <= *most : wide >= 0;
    if (error != std::errc{} || stop != end || !in_range) {
      fail(segments_.file(), line, "`", key_, "` is `", shown(text), "`; it must be ", wanted,
           most ? cat(", at most ", static_cast<std::int64_t>(*most)) : "");
    }
    return value;
  }

  void finish_segment() {
    const auto wrong = [&](std::string_view what) { fail(segments_.file(), segment_line_, what); };
    if (segment_.prompt.empty()) wrong("this item's `prompt` is missing or empty");
    if (segment_.clips > 0 && segment_.seconds > 0) wrong("give `duration` or `clips`, not both");
    if ((segment_.transition == Transition::cut) != !segment_.image.empty())
      wrong("a cut needs an `image` to begin with, and only a cut takes one");
    const bool blends = segment_.transition == Transition::blend;
    if (segment_.blend > 0 && !blends) wrong("only `transition: blend` takes `blend`, in clips");
    if (blends && segments_.empty()) wrong("the first prompt has none before it to blend from");
    if (blends && segment_.blend == 0) segment_.blend = 1;
    segments_.add(std::move(segment_), segment_line_);
  }

  Segments& segments_;
  Place place_ = Place::start;
  bool wrapped_ = false;  // the list stands under `prompts`
  std::string key_;       // whose value comes next; empty where a key comes next
  std::vector<std::string> seen_;
  PromptSegment segment_;
  std::int64_t segment_line_ = 0;
};

/// Bytes of a text that note which line they stand on: the parser's events do not say.
class NotingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  /// `line`: of the byte read last, from 1.
  NotingIterator(const char* at, std::int64_t& line) : at_(at), line_(&line) {}

  reference operator*() const { return *at_; }
  NotingIterator& operator++() {
    if (after_break_) ++*line_;
    after_break_ = *at_++ == '\n';
    return *this;
  }
  bool operator==(const NotingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::int64_t* line_;
  bool after_break_ = false;
};

class JsonEvents final : public Json::json_sax_t {
 public:
  JsonEvents(const std::string& text, const std::int64_t& line, Segments& segments)
      : text_(text), line_(line), segments_(segments), builder_(segments) {}

  bool null() override { builder_.out_of_place("null", line_); }
  bool boolean(bool) override { builder_.out_of_place("true or false", line_); }
  bool binary(binary_t&) override { builder_.out_of_place("binary data", line_); }
  bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return scalar(text); }
  bool string(string_t& value) override { return scalar(value); }
  bool key(string_t& value) override { return scalar(value); }
  bool start_object(std::size_t) override { return builder_.begin_map(line_), true; }
  bool end_object() override { return builder_.end_map(), true; }
  bool start_array(std::size_t) override { return builder_.begin_list(line_), true; }
  bool end_array() override { return builder_.end_list(), true; }

  /// `position`: of the byte that did not fit, from 1.
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    const bool ended = position > text_.size();
    fail(segments_.file(), line_, "is not valid JSON: ",
         ended ? "it ends too early" : cat("see `", around(position - 1), "`"));
  }

 private:
  bool scalar(const std::string& text) { return builder_.scalar(text, line_), true; }

  /// The place within its line, from a few characters before it on.
  std::string around(std::size_t place) const {
    constexpr std::size_t kBefore = 20;
    const auto line = place == 0 ? 0 : text_.rfind('\n', place - 1) + 1;
    auto start = std::max(line, place - std::min(place, kBefore));
    while (start < place && (static_cast<unsigned char>(text_[start]) & 0xC0) == 0x80) ++start;
    const auto end = std::min(text_.find('\n', place), text_.size());
    return shown(trimmed(std::string_view(text_).substr(start, end - start)));
  }

  const std::string& text_;
  const std::int64_t& line_;
  Segments& segments_;
  Builder builder_;
};

class YamlEvents final : public YAML::EventHandler {
 public:
  explicit YamlEvents(Segments& segments) : segments_(segments), builder_(segments) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // Before a sign that begins nothing the parser finds empty documents without end.
    if (mark.pos == document_at_)
      fail(segments_.file(), line(mark), "is not valid YAML: nothing begins so; ", kQuoteIt);
    document_at_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, "", anchor);
    builder_.nothing(line(mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(segments_.file(), line(mark), "aliases (*) are not followed; ", kQuoteIt);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    builder_.scalar(value, line(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    builder_.begin_list(line(mark));
  }
  void OnSequenceEnd() override { builder_.end_list(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_extras(mark, tag, anchor);
    builder_.begin_map(line(mark));
  }
  void OnMapEnd() override { builder_.end_map(); }

 private:
  static std::int64_t line(const YAML::Mark& mark) { return mark.line + 1; }

  /// "?" and "!" are what the parser calls plain and quoted texts without a tag.
  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor || !(tag.empty() || tag == "?" || tag == "!"))
      fail(segments_.file(), line(mark), "anchors (&) and tags (!) are not known here; ", kQuoteIt);
  }

  Segments& segments_;
  Builder builder_;
  int document_at_ = -1;  // where the document at hand begins
};

}  // namespace

void read_json(const std::string& text, Segments& segments) {
  std::int64_t line = 1;
  JsonEvents events(text, line, segments);
  const NotingIterator begin(text.data(), line), end(text.data() + text.size(), line);
  Json::sax_parse(begin, end, &events);
}

void read_yaml(const std::string& text, Segments& segments) {
  // A document's end is no part of a quoted text, so a quote that stands open is found there; the
  // parser by itself takes the end of the file for a quote.
  std::istringstream in(text + "\n...\n");
  YamlEvents events(segments);
  try {
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(events)) {
    }
  } catch (const YAML::Exception& error) {
    const bool open = error.msg == YAML::ErrorMsg::DOC_IN_SCALAR;
    fail(segments.file(), error.mark.line + 1,
         "is not valid YAML: ", open ? "a quote before this line has no end" : error.msg, "; ",
         kQuoteIt);
  }
}

}  // namespace svi::prompts
