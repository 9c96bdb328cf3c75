#include "svi/core/log.hpp"

#include <algorithm>
#include <boost/core/null_deleter.hpp>
#include <boost/log/attributes/attribute_value_impl.hpp>
#include <boost/log/attributes/constant.hpp>
#include <boost/log/attributes/timer.hpp>
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sinks/text_file_backend.hpp>
#include <boost/log/sinks/text_ostream_backend.hpp>
#include <boost/log/sources/record_ostream.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/make_shared.hpp>
#include <cstdio>
#include <filesystem>
#include <iomanip>
#include <iostream>

namespace svi {
namespace {

namespace bl = boost::log;

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "?";
}

void format(const bl::record_view& record, bl::formatting_ostream& out) {
  const auto severity = record["Severity"].extract<Severity>();
  const auto channel = record["SviChannel"].extract<std::string>();
  const auto rank = record["SviRank"].extract<int>();
  const auto elapsed = record["SviTime"].extract<bl::attributes::timer::value_type>();
  out << std::fixed << std::setprecision(1) << std::setw(7)
      << (elapsed ? static_cast<double>(elapsed->total_milliseconds()) / 1e3 : 0.0) << "s ";
  if (rank && *rank != 0) out << "[rank " << *rank << "] ";
  if (severity && *severity != Severity::info) out << severity_name(*severity) << ": ";
  if (channel) out << *channel << ": ";
  out << record[bl::expressions::smessage];
}

// Our own attribute marks our records, so that an embedding program's sinks and ours do not mix. It
// belongs to the source, since filters run before a record's own attributes exist.
bl::sources::severity_logger_mt<Severity> marked_source() {
  bl::sources::severity_logger_mt<Severity> source;
  source.add_attribute("SviLog", bl::attributes::constant<bool>(true));
  return source;
}
bool is_ours(const bl::attribute_value_set& values) { return values.count("SviLog") > 0; }

}  // namespace

void start_logging(int rank, Severity console, const std::string& directory) {
  auto core = bl::core::get();
  core->add_global_attribute("SviRank", bl::attributes::constant<int>(rank));
  core->add_global_attribute("SviTime", bl::attributes::timer());

  using Console = bl::sinks::synchronous_sink<bl::sinks::text_ostream_backend>;
  auto console_sink = boost::make_shared<Console>();
  console_sink->locked_backend()->add_stream(
      boost::shared_ptr<std::ostream>(&std::clog, boost::null_deleter()));
  console_sink->locked_backend()->auto_flush(true);
  const auto threshold = rank == 0 ? console : std::max(console, Severity::warning);
  console_sink->set_filter([threshold](const bl::attribute_value_set& values) {
    const auto severity = values["Severity"].extract<Severity>();
    return is_ours(values) && severity && *severity >= threshold;
  });
  console_sink->set_formatter(&format);
  core->add_sink(console_sink);

  if (directory.empty()) return;
  char name[32];
  std::snprintf(name, sizeof name, "rank-%04d.log", rank);
  using File = bl::sinks::synchronous_sink<bl::sinks::text_file_backend>;
  auto file_sink = boost::make_shared<File>(
      bl::keywords::file_name = (std::filesystem::path(directory) / name).string(),
      bl::keywords::open_mode = std::ios::app, bl::keywords::auto_flush = true);
  file_sink->set_filter(&is_ours);
  file_sink->set_formatter(&format);
  core->add_sink(file_sink);
}

void log(Severity severity, std::string_view channel, std::string_view text) noexcept {
  try {
    static auto source = marked_source();
    if (auto record = source.open_record(bl::keywords::severity = severity)) {
      record.attribute_values().insert("SviChannel",
                                       bl::attributes::make_attribute_value(std::string(channel)));
      bl::record_ostream stream(record);
      stream << text;
      stream.flush();
      source.push_record(boost::move(record));
    }
  } catch (...) {
    // Logging must not fail the work it reports on.
  }
}

}  // namespace svi
