#include "io/weights/safetensors_header.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "io/weights/foreign_format.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"

namespace svi::safetensors {
namespace {

using Json = nlohmann::json;
using c10::ScalarType;

constexpr std::pair<std::string_view, ScalarType> kDtypes[] = {
    {"F64", ScalarType::Double},
    {"F32", ScalarType::Float},
    {"F16", ScalarType::Half},
    {"BF16", ScalarType::BFloat16},
    {"F8_E4M3", ScalarType::Float8_e4m3fn},
    {"F8_E5M2", ScalarType::Float8_e5m2},
    {"I64", ScalarType::Long},
    {"I32", ScalarType::Int},
    {"I16", ScalarType::Short},
    {"I8", ScalarType::Char},
    {"U8", ScalarType::Byte},
    {"BOOL", ScalarType::Bool}};

/// Fills a Header from JSON events. Events instead of a document: no recursion on deep nesting,
/// repeated keys are seen, and anything but the three known levels is refused where it begins.
class HeaderReader final : public Json::json_sax_t {
 public:
  HeaderReader(Header& header, const std::string& file) : header_(header), file_(file) {}

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a number that is not a whole one of 64 bits");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) return unexpected("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(field_, " holds the number ", value, ", too large");
    }
    if (numbers_.size() >= 64) fail(field_, " has more than 64 numbers");
    numbers_.push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata_ && !in_array_) {
      header_.metadata[field_] = value;
    } else if (depth_ == 2 && field_ == "dtype" && !in_array_) {
      const auto dtype = dtype_of(value);
      if (!dtype) fail("unknown dtype '", shown(value), "'");
      current_.dtype = *dtype;
    } else {
      return unexpected("a text");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (in_array_ || depth_ == 2) return unexpected("an object");
    if (++depth_ == 2 && !in_metadata_) {
      current_ = {};
      current_.name = name_;
      fields_.clear();
    }
    return true;
  }

  bool key(string_t& value) override {
    if (depth_ == 1) {
      if (!names_.insert(value).second)
        raise<IoError>(file_, ": '", shown(value), "' occurs twice");
      name_ = value;
      in_metadata_ = value == "__metadata__";
      if (in_metadata_) fields_.clear();
    } else {
      field_ = value;
      if (!fields_.insert(value).second) fail("'", shown(value), "' occurs twice");
      if (!in_metadata_ && value != "dtype" && value != "shape" && value != "data_offsets") {
        fail("unknown field '", shown(value), "'");
      }
    }
    return true;
  }

  bool end_object() override {
    if (depth_-- == 2 && !in_metadata_) {
      if (fields_.size() != 3) fail("needs dtype, shape and data_offsets");
      header_.infos.push_back(std::move(current_));
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || field_ == "dtype") return unexpected("a list");
    in_array_ = true;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    if (field_ == "shape") {
      current_.shape.assign(numbers_.begin(), numbers_.end());
    } else {
      if (numbers_.size() != 2) fail("data_offsets needs 2 numbers, has ", numbers_.size());
      current_.begin = numbers_[0];
      current_.end = numbers_[1];
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    raise<IoError>(file_, ": the header is not valid JSON (at byte ", position + 8, ")");
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    if (in_metadata_) raise<IoError>(file_, ": metadata: ", parts...);
    raise<IoError>(file_, ": tensor '", shown(name_), "': ", parts...);
  }

  bool unexpected(std::string_view what) const {
    if (depth_ == 0) raise<IoError>(file_, ": the header must be a JSON object, not ", what);
    if (depth_ == 1) fail("must be an object, not ", what);
    fail("'", shown(field_), "' must not hold ", what);
  }

  Header& header_;
  const std::string& file_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_array_ = false;
  std::string name_;
  std::string field_;
  SafetensorsInfo current_;
  std::vector<std::uint64_t> numbers_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
};

/// Bytes that shape and dtype ask for; nothing if they do not fit in 63 bits.
std::optional<std::uint64_t> bytes_of(const SafetensorsInfo& info) {
  std::int64_t bytes = static_cast<std::int64_t>(c10::elementSize(info.dtype));
  bool empty = false;
  for (const auto size : info.shape) {
    // A zero must not hide an overflow behind it: strides are products of the other sizes.
    if (__builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes)) return std::nullopt;
    empty = empty || size == 0;
  }
  return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

void check_one(const SafetensorsInfo& info, std::uint64_t data_size, const std::string& file) {
  const auto where = cat(file, ": tensor '", shown(info.name), "': ");
  if (info.begin > info.end || info.end > data_size) {
    raise<IoError>(where, "bytes ", info.begin, " to ", info.end, " are not inside the ", data_size,
                   " bytes of data; the file is damaged or cut short");
  }
  const auto bytes = bytes_of(info);
  if (!bytes) raise<IoError>(where, "its shape overflows");
  if (*bytes != info.end - info.begin) {
    raise<IoError>(where, "shape and dtype need ", *bytes, " bytes, the file gives ",
                   info.end - info.begin);
  }
}

/// Every byte must belong to exactly one tensor, as the format demands: gaps can hide anything.
void check_cover(const std::vector<SafetensorsInfo>& infos, std::uint64_t data_size,
                 const std::string& file) {
  std::vector<const SafetensorsInfo*> order;
  for (const auto& info : infos) order.push_back(&info);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t next = 0;
  for (const auto* info : order) {
    if (info->begin != next) {
      raise<IoError>(file, ": tensor '", shown(info->name), "': begins at byte ", info->begin,
                     info->begin < next ? ", inside the tensor before it, which ends at "
                                        : ", leaving a gap after ",
                     next);
    }
    next = info->end;
  }
  if (next != data_size) {
    raise<IoError>(file, ": ", data_size - next, " bytes after the last tensor belong to nothing");
  }
}

}  // namespace

std::optional<ScalarType> dtype_of(std::string_view name) {
  for (const auto& [text, dtype] : kDtypes) {
    if (text == name) return dtype;
  }
  return std::nullopt;
}

std::optional<std::string_view> name_of(ScalarType dtype) {
  for (const auto& [text, type] : kDtypes) {
    if (type == dtype) return text;
  }
  return std::nullopt;
}

std::string shown(std::string_view name) { return printable(name); }

Header read_header(const char* data, std::uint64_t size, const std::string& file) {
  if (size < 8) {
    raise<IoError>(file, ": not a safetensors file: only ", size,
                   " bytes; its download did not finish, fetch it again");
  }
  const std::string_view bytes(data, size);
  if (const auto foreign = foreign_format(bytes); !foreign.empty())
    raise<IoError>(file, ": not a safetensors file: it ", foreign);
  if (is_zip(bytes)) {
    raise<IoError>(file,
                   ": not a safetensors file: it is a zip archive, as torch.save writes them; ",
                   "save its tensors as safetensors");
  }
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<unsigned char>(data[i]);
  if (length > kMaxHeader) {
    raise<IoError>(file, ": not a safetensors file: a header of ", length, " bytes (at most ",
                   kMaxHeader, ")");
  }
  if (length > size - 8) {
    raise<IoError>(file, ": cut short: the header has ", length, " bytes, the file ", size);
  }
  if (length == 0 || data[8] != '{') {
    raise<IoError>(file, ": not a safetensors file: the header does not begin with '{'");
  }
  Header header;
  HeaderReader reader(header, file);
  const bool complete = Json::sax_parse(data + 8, data + 8 + length, &reader);
  SVI_CHECK(complete, file, ": the header was not read to its end");
  const std::uint64_t data_size = size - 8 - length;
  for (const auto& info : header.infos) check_one(info, data_size, file);
  check_cover(header.infos, data_size, file);
  for (auto& info : header.infos) {
    info.begin += 8 + length;
    info.end += 8 + length;
  }
  return header;
}

std::vector<std::size_t> lay_out(Header& header, const std::string& file) {
  std::set<std::string_view> names;
  for (const auto& info : header.infos) {
    const auto where = cat(file, ": tensor '", shown(info.name), "': ");
    if (!names.insert(info.name).second) raise<IoError>(where, "occurs twice");
    if (info.name == "__metadata__") raise<IoError>(where, "this name is reserved");
    if (!name_of(info.dtype)) {
      raise<IoError>(where, "safetensors has no dtype ", c10::toString(info.dtype));
    }
  }
  // Wide elements first in the data, whatever the order of the header: then each is aligned without
  // gaps.
  std::vector<std::size_t> order(header.infos.size());
  std::iota(order.begin(), order.end(), 0);
  const auto width = [&](std::size_t i) { return c10::elementSize(header.infos[i].dtype); };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return width(a) > width(b); });
  std::uint64_t next = 0;
  for (const auto i : order) {
    auto& info = header.infos[i];
    info.begin = next;
    for (const auto size : info.shape) SVI_CHECK(size >= 0, info.name, " has a negative size");
    next += static_cast<std::uint64_t>(c10::multiply_integers(info.shape)) * width(i);
    info.end = next;
  }
  return order;
}

std::string write_header(const Header& header) {
  // Only texts go through the JSON library, so that tensors keep their order.
  const auto quoted = [](const std::string& text) {
    try {
      return Json(text).dump();
    } catch (const Json::exception&) {
      raise<IoError>("'", shown(text),
                     "' is not valid UTF-8 and cannot be a name in a safetensors file");
    }
  };
  std::string text;
  for (const auto& [key, value] : header.metadata) {
    text += cat(text.empty() ? "{\"__metadata__\":{" : ",", quoted(key), ":", quoted(value));
  }
  text += text.empty() ? "{" : "}";
  for (const auto& info : header.infos) {
    text += cat(text.size() > 1 ? "," : "", quoted(info.name), ":{\"dtype\":\"",
                *name_of(info.dtype), "\",\"shape\":", Json(info.shape).dump(),
                ",\"data_offsets\":[", info.begin, ",", info.end, "]}");
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace svi::safetensors
