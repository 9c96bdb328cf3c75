#include "svi/parallel/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "support/temporary_folder.hpp"

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

using Variables = std::map<std::string, std::string>;

svi::GetVariable reader(const Variables& variables) {
  return [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::string problem(const Variables& variables, int ranks = 1) {
  return svi::launch_problem(reader(variables), ranks);
}

/// A batch script of a job with four tasks.
const Variables kBatch = {{"SLURM_JOB_ID", "7"},
                          {"SLURM_NTASKS", "4"},
                          {"SLURM_NPROCS", "4"},
                          {"SLURM_PROCID", "0"},
                          {"SLURM_LOCALID", "0"}};

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

TEST(Launch, TasksOfSrunWithoutMpiAreRefusedWithNumbersAndRemedies) {
  for (const std::string task : {"0", "1"}) {
    const auto text = problem({{"SLURM_JOB_ID", "1"},
                               {"SLURM_STEP_ID", "0"},
                               {"SLURM_PROCID", task},
                               {"SLURM_NTASKS", "2"}});
    EXPECT_THAT(text, AllOf(HasSubstr("Slurm started 2 tasks"), HasSubstr("MPI sees 1 rank"),
                            HasSubstr("--mpi=pmix"), HasSubstr("SVI_SINGLE_RANK=1")));
  }
  EXPECT_THAT(problem(with(kBatch, {{"SLURM_STEPID", "3"}})), HasSubstr("Slurm started 4 tasks"));
  EXPECT_THAT(problem(with(kBatch, {{"SLURM_STEP_ID", "1"}, {"SLURM_STEP_NUM_TASKS", "3"}})),
              HasSubstr("Slurm started 3 tasks"));
  EXPECT_THAT(problem(with(kBatch, {{"SLURM_PROCID", "2"}})), HasSubstr("task number 2"));
}

TEST(Launch, SwitchLetsTasksRunAlone) {
  const auto step = with(kBatch, {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}});

  EXPECT_THAT(problem(with(step, {{"SVI_SINGLE_RANK", "1"}})), IsEmpty());
  EXPECT_THAT(problem(with(step, {{"SVI_SINGLE_RANK", "0"}})), HasSubstr("Slurm"));
}

TEST(Launch, BatchScriptsShellsAndSingleTasksAreNotRefused) {
  EXPECT_THAT(problem({}), IsEmpty());
  EXPECT_THAT(problem(kBatch), IsEmpty());
  for (const std::string step : {"4294967291", "4294967290", "4294967294", "-5", "batch"})
    EXPECT_THAT(problem(with(kBatch, {{"SLURM_STEP_ID", step}})), IsEmpty()) << step;
  // salloc's shell on a login node; a step of one task; an element of a job array.
  EXPECT_THAT(problem({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "8"}}), IsEmpty());
  EXPECT_THAT(problem({{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}),
              IsEmpty());
  EXPECT_THAT(problem(with(kBatch, {{"SLURM_NTASKS", "1"}, {"SLURM_ARRAY_TASK_ID", "5"}})),
              IsEmpty());
  // salloc with an interactive step keeps the allocation's number beside the step's.
  EXPECT_THAT(problem(with(kBatch, {{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}})),
              IsEmpty());
}

TEST(Launch, MpirunInsideAJobIsNotRefused) {
  // Its daemons are a step of Slurm's, with a task per node.
  const auto daemon = with(kBatch, {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}});

  EXPECT_THAT(problem(with(daemon, {{"OMPI_COMM_WORLD_SIZE", "1"}, {"PMIX_RANK", "0"}})),
              IsEmpty());
  EXPECT_THAT(problem(with(daemon, {{"OMPI_COMM_WORLD_SIZE", "8"}}), 8), IsEmpty());
  EXPECT_THAT(problem(daemon, 4), IsEmpty());
}

TEST(Launch, OtherLaunchersThatMpiDoesNotKnowAreRefused) {
  EXPECT_THAT(problem({{"PMI_SIZE", "2"}, {"PMI_RANK", "0"}}), HasSubstr("started 2 tasks"));
  EXPECT_THAT(problem({{"PMI_RANK", "1"}}), HasSubstr("task number 1"));
  EXPECT_THAT(problem({{"PALS_RANKID", "3"}}), HasSubstr("PALS"));
  EXPECT_THAT(problem({{"PMIX_RANK", "1"}}), HasSubstr("PMIx"));
  EXPECT_THAT(problem({{"FLUX_JOB_SIZE", "2"}, {"FLUX_TASK_RANK", "0"}}), HasSubstr("Flux"));
  EXPECT_THAT(problem({{"JSM_NAMESPACE_SIZE", "6"}}), HasSubstr("jsrun"));
  EXPECT_THAT(problem({{"MV2_COMM_WORLD_SIZE", "6"}}), HasSubstr("another MPI"));
  EXPECT_THAT(problem({{"OMPI_COMM_WORLD_SIZE", "2"}}), HasSubstr("another OpenMPI"));
  EXPECT_THAT(problem({{"PMI_SIZE", "1"}, {"PMI_RANK", "0"}, {"PMIX_RANK", "0"}}), IsEmpty());
  EXPECT_THAT(problem({{"PMI_SIZE", "two"}}), IsEmpty());
}

TEST(Launch, TemporaryFolderThatIsMissingOrNoFolderIsNamed) {
  const svi::TemporaryFolder folder;
  svi::write_bytes(folder / "file", "");
  const auto problem = [](const Variables& variables) {
    return svi::temporary_folder_problem(reader(variables));
  };

  EXPECT_THAT(problem({{"TMPDIR", folder / "none"}}),
              AllOf(HasSubstr("TMPDIR = "), HasSubstr("none"), HasSubstr("make it")));
  EXPECT_THAT(problem({{"TEMP", folder / "file"}}), HasSubstr("no folder"));
  EXPECT_THAT(problem({{"TMP", folder / "none"}}), HasSubstr("TMP = "));
  EXPECT_THAT(problem({{"TMPDIR", folder.path()}, {"TMP", folder / "none"}}), IsEmpty());
  // Ranks of a launcher get their folder from it.
  EXPECT_THAT(problem({{"TMPDIR", folder / "none"}, {"OMPI_COMM_WORLD_SIZE", "2"}}), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

}  // namespace
