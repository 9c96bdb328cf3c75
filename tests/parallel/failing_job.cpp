// A program whose last rank fails in the way its argument names, while the others wait for it.

#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "svi/core/check.hpp"
#include "svi/parallel/environment.hpp"
#include "svi/parallel/job_queue.hpp"

int main(int argc, char** argv) {
  const svi::Environment environment(argc, argv);
  const std::string how = argc > 1 ? argv[1] : "";
  const auto world = svi::Communicator::world();
  const auto work = [&](std::size_t job, const svi::Communicator& team, svi::JobProgress&) {
    if (job == 1 && team.rank() == team.size() - 1) {
      if (how == "config") svi::raise<svi::ConfigError>("the key is wrong");
      if (how == "error") svi::raise("something broke");
      if (how == "kill") kill(getpid(), SIGKILL);
    }
    team.barrier();
  };
  try {
    svi::run_jobs(world, world.size(), {{.name = "good"}, {.name = "bad", .after = {0}}}, work,
                  {.style = svi::ProgressOptions::Style::lines, .interval_seconds = 100});
  } catch (const svi::ConfigError& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
