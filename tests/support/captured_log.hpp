#pragma once

#include <iostream>
#include <sstream>
#include <string>

#include "svi/core/log.hpp"

namespace svi {

/// Everything that is logged at info and above while it lives.
class CapturedLog {
 public:
  CapturedLog() {
    static const bool started = (start_logging(0, Severity::info), true);
    static_cast<void>(started);
    before_ = std::clog.rdbuf(text_.rdbuf());
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { std::clog.rdbuf(before_); }

  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_ = nullptr;
};

}  // namespace svi
