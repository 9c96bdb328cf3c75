#include "svi/parallel/launch.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using Number = std::optional<std::int64_t>;

Number number(const GetVariable& variable, const char* name) {
  const char* text = variable(name);
  if (text == nullptr) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto result = std::from_chars(text, end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

bool is_set(const GetVariable& variable, const char* name) {
  const char* text = variable(name);
  return text != nullptr && *text != '\0';
}

/// What a launcher says of its tasks.
struct Told {
  std::string who, variable;
  std::int64_t value = 0;
  bool is_size = true;  // else the task's own number, from 0
  std::string remedy;
};

/// Slurm's variables describe the allocation, but in a step that srun started, its tasks.
std::optional<Told> told_by_slurm(const GetVariable& variable) {
  constexpr std::int64_t kNoStepOfUsers = 0xfffffff0;  // batch script, interactive shell, ...
  const std::string remedy =
      "start it with `srun --mpi=pmix` (`srun --mpi=list` says what Slurm has), or with the mpirun "
      "of the OpenMPI that svi was built with";
  const auto task = number(variable, "SLURM_PROCID");
  auto step = number(variable, "SLURM_STEP_ID");
  if (!step) step = number(variable, "SLURM_STEPID");
  if (!task) return std::nullopt;
  if (step && *step >= 0 && *step < kNoStepOfUsers) {
    for (const auto* name : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NPROCS"}) {
      if (const auto tasks = number(variable, name)) {
        if (*tasks > 1) return Told{"Slurm", name, *tasks, true, remedy};
        break;  // the most precise one that is there decides
      }
    }
  }
  if (*task > 0) return Told{"Slurm", "SLURM_PROCID", *task, false, remedy};
  return std::nullopt;
}

std::optional<Told> told_by_others(const GetVariable& variable) {
  const std::string own = "start it with the mpirun of the OpenMPI that svi was built with";
  struct Known {
    const char *who, *name;
    bool is_size;
    std::string remedy;
  };
  const Known known[] = {
      {"Flux", "FLUX_JOB_SIZE", true, "start it with `flux run -o pmi=pmix`, or " + own},
      {"Flux", "FLUX_TASK_RANK", false, "start it with `flux run -o pmi=pmix`, or " + own},
      {"the launcher", "PMI_SIZE", true, "it belongs to another MPI: " + own},
      {"the launcher", "PMI_RANK", false, "it belongs to another MPI: " + own},
      {"PALS", "PALS_RANKID", false, own},
      {"jsrun", "JSM_NAMESPACE_SIZE", true, own},
      {"jsrun", "JSM_NAMESPACE_RANK", false, own},
      {"mpirun_rsh", "MV2_COMM_WORLD_SIZE", true, "it belongs to another MPI: " + own},
      {"ALPS", "ALPS_APP_PE", false, own},
      {"PMIx", "PMIX_RANK", false, "its version does not suit this OpenMPI: " + own},
  };
  for (const auto& one : known) {
    const auto value = number(variable, one.name);
    if (value && *value > (one.is_size ? 1 : 0))
      return Told{one.who, one.name, *value, one.is_size, one.remedy};
  }
  return std::nullopt;
}

std::optional<Told> told_tasks(const GetVariable& variable) {
  // OpenMPI's own launcher knows best: inside a job the variables around it are the allocation's.
  if (const auto size = number(variable, "OMPI_COMM_WORLD_SIZE")) {
    if (*size <= 1) return std::nullopt;
    return Told{"mpirun", "OMPI_COMM_WORLD_SIZE", *size, true,
                "it belongs to another OpenMPI than svi was built with: use that one's mpirun"};
  }
  if (auto told = told_by_slurm(variable)) return told;
  return told_by_others(variable);
}

}  // namespace

std::string launch_problem(const GetVariable& variable, int mpi_ranks) {
  if (mpi_ranks != 1) return {};
  if (is_set(variable, "SVI_SINGLE_RANK") && variable("SVI_SINGLE_RANK") != std::string_view("0"))
    return {};
  const auto told = told_tasks(variable);
  if (!told) return {};
  const auto says = told->is_size ? cat(told->who, " started ", told->value, " tasks")
                                  : cat(told->who, " calls this task number ", told->value);
  return cat(says, " (", told->variable, " = ", told->value,
             "), but MPI sees 1 rank, so each task would do the whole work on its own; ",
             told->remedy, ". Where tasks are meant to run alone, set SVI_SINGLE_RANK=1");
}

std::string temporary_folder_problem(const GetVariable& variable) {
  if (is_set(variable, "OMPI_COMM_WORLD_SIZE") || is_set(variable, "PMIX_RANK")) return {};
  std::string name, folder = "/tmp";
  for (const auto* each : {"OMPI_MCA_orte_tmpdir_base", "TMPDIR", "TEMP", "TMP"}) {
    if (!is_set(variable, each)) continue;
    name = each;
    folder = variable(each);
    break;
  }
  const auto where = name.empty() ? folder : name + " = " + folder;
  const auto remedy = name.empty() ? std::string("set TMPDIR to a folder of yours")
                                   : "make it, or set " + name + " to another folder";
  struct stat status {};
  std::string reason;
  if (::stat(folder.c_str(), &status) != 0) {
    reason = std::strerror(errno);
  } else if (!S_ISDIR(status.st_mode)) {
    reason = "is no folder";
  } else if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    reason = std::strerror(errno);
  } else {
    return {};
  }
  return cat(where, ": ", reason, "; MPI keeps temporary files there: ", remedy);
}

}  // namespace svi
