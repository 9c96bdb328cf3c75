#include "svi/parallel/program.hpp"

#include <c10/util/Exception.h>

#include <filesystem>
#include <iostream>

#include "svi/core/check.hpp"
#include "svi/parallel/environment.hpp"

namespace svi {
namespace {

bool is_of_the_settings(const std::exception& error) {
  return dynamic_cast<const ConfigError*>(&error) != nullptr ||
         dynamic_cast<const PluginError*>(&error) != nullptr;
}

int run_ranks(const Program& program) {
  const auto world = Communicator::world();
  try {
    return program.run(world);
  } catch (const std::exception& error) {
    const int code = exit_code_of(error);
    const bool all = world.size() == 1 || (program.alike && is_of_the_settings(error));
    if (!all || world.rank() == 0) {
      const auto rank = all ? std::string() : cat("rank ", world.rank(), ": ");
      // One write, so that lines of several ranks do not mix.
      std::cerr << cat(program.name, ": ", rank, text_of(error), "\n") << std::flush;
    }
    if (all) return code;
    Environment::abort(code);
  }
}

}  // namespace

int exit_code_of(const std::exception& error) {
  const bool of_files = dynamic_cast<const IoError*>(&error) != nullptr ||
                        dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr;
  return is_of_the_settings(error) || of_files ? 2 : 1;
}

std::string text_of(const std::exception& error) {
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return cat(file->path1().string(), ": ", file->code().message());
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error))
    return torch->what_without_backtrace();
  return error.what();
}

int run_program(const Program& program, int argc, char** argv) {
  try {
    const Environment environment(argc, argv);
    return run_ranks(program);
  } catch (const ConfigError& error) {  // started in a way that cannot work
    std::cerr << program.name << ": " << error.what() << std::endl;
    return 2;
  }
}

}  // namespace svi
