#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/temporary_folder.hpp"

namespace svi {

/// server.py on loopback, for as long as it lives.
class TestServer {
 public:
  TestServer() : log_(folder_ / "requests.jsonl") {
    setenv("no_proxy", "127.0.0.1,localhost", 1);
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      execlp("python3", "python3", SVI_SOURCE_DIR "/tests/story/server.py", log_.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') port_ += c;
    close(ends[0]);
    if (port_.empty()) throw std::runtime_error("the server does not start; is there a python3?");
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  /// Its address with a behaviour of server.py.
  std::string url(const std::string& mode) const {
    return "http://127.0.0.1:" + port_ + "/" + mode;
  }
  /// What it was asked so far.
  std::vector<nlohmann::json> requests() const {
    std::istringstream lines(bytes_of_file(log_));
    std::vector<nlohmann::json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }

 private:
  TemporaryFolder folder_;
  std::string log_, port_;
  pid_t process_ = -1;
};

}  // namespace svi
