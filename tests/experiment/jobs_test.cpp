#include "experiment/jobs/jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiment/plan/films.hpp"
#include "support/temporary_folder.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

struct PlainChain {
  static void set(ChainOptions&) {}
};

Plan plan_of(const std::string& text, Registry& registry) {
  register_builtins(registry);
  Registrar(registry, "test").add<Method, ChainOf<PlainChain>>("naive_chain", "a chain");
  return Plan::make(Document::parse(text, "test.ini"), registry);
}

/// The names of the jobs that a job waits for.
std::vector<std::string> waits_for(const JobList& list, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& spec : list.specs) {
    if (spec.name != name) continue;
    for (const auto index : spec.after) names.push_back(list.specs[index].name);
    return names;
  }
  ADD_FAILURE() << "no job " << name;
  return names;
}

std::vector<std::string> kinds_of(const JobList& list) {
  std::vector<std::string> kinds;
  for (const auto& job : list.jobs) {
    if (kinds.empty() || kinds.back() != job.kind->name()) kinds.emplace_back(job.kind->name());
  }
  return kinds;
}

constexpr const char* kAblation = R"(
    [experiment]
    name = jobs
    seeds = 3, 4
    [clip]
    frames = 5
    [method]
    type = naive_chain
    [rollout]
    clips = 3
    [evaluation]
    scenes = 3
    scene_batch = 2
    [training]
    steps = 7
    [metric.psnr]
    [diagnostic.loop_gain]
    [arm.base]
    training.steps = 0
    [arm.erft]
    [arm.longer]
    training.steps = 9
    rollout.clips = 4
)";

TEST(Jobs, OfAnAblationWaitForTheirPoolAndTraining) {
  Registry registry;
  const auto plan = plan_of(kAblation, registry);
  const auto list = list_jobs(plan);

  EXPECT_THAT(kinds_of(list), ElementsAre("encode", "train", "evaluate", "diagnose"));
  EXPECT_EQ(list.jobs.size(), 1u + 4u + 2u * 5u + 5u);  // one pool; base has one seed
  const auto pool = list.jobs.front().name;
  EXPECT_THAT(waits_for(list, "train-erft-s4"), ElementsAre(pool));
  EXPECT_THAT(waits_for(list, "eval-erft-s4-2"), ElementsAre("train-erft-s4"));
  EXPECT_THAT(waits_for(list, "diagnose-longer-s3-loop_gain"), ElementsAre("train-longer-s3"));
  EXPECT_THAT(waits_for(list, "eval-base-s3-0"), ElementsAre());
}

TEST(Jobs, GiveAxesAsLongAsTheLongestArmNeeds) {
  Registry registry;
  const auto plan = plan_of(kAblation, registry);
  const auto axes = run_axes(plan, registry, list_jobs(plan));

  EXPECT_THAT(axes.lengths({"arm", "seed", "scene", "clip", "frame", "step"}),
              ElementsAre(3, 2, 3, 4, 4 * 4 + 1, 9));
  EXPECT_FALSE(axes.contains("vae_step"));
  EXPECT_FALSE(axes.contains("critic_step"));
  EXPECT_THROW(axes.length("vae_step"), Error);
}

TEST(Jobs, OfAPretrainingWaitForCodecAndBase) {
  Registry registry;
  const auto plan = plan_of(R"(
    [experiment]
    name = jobs
    kind = pretrain
    [clip]
    frames = 5
    [method]
    type = naive_chain
    [vae_training]
    steps = 6
    [pretraining]
    steps = 8
    [training]
    steps = 2
    [evaluation]
    scenes = 1
    [arm.base]
    training.steps = 0
    [arm.other_pool]
    pool.seed = 5
)",
                            registry);
  const auto list = list_jobs(plan);

  EXPECT_THAT(kinds_of(list), ElementsAre("pretrain", "encode", "pretrain", "train", "evaluate"));
  ASSERT_EQ(list.jobs.front().name, "vae");
  const auto own_pool = list.jobs[2].name;
  EXPECT_THAT(waits_for(list, own_pool), ElementsAre("vae"));
  EXPECT_THAT(waits_for(list, "base"), ElementsAre(list.jobs[1].name));
  EXPECT_THAT(waits_for(list, "train-other_pool-s0"), UnorderedElementsAre(own_pool, "base"));
  EXPECT_THAT(waits_for(list, "eval-base-s0-0"), ElementsAre("base"));
  const auto axes = run_axes(plan, registry, list);
  EXPECT_THAT(axes.lengths({"vae_step", "step"}), ElementsAre(6, 8));
}

TEST(Jobs, OfACriticMeasureNoFilms) {
  Registry registry;
  const auto plan = plan_of(R"(
    [experiment]
    name = jobs
    kind = critic
    [critic_training]
    steps = 5
    [metric.psnr]
    [arm.a]
    [arm.b]
    critic_training.steps = 6
)",
                            registry);
  const auto list = list_jobs(plan);
  EXPECT_EQ(list.jobs.size(), 2u);
  const auto axes = run_axes(plan, registry, list);
  EXPECT_EQ(axes.length("critic_step"), 6);
  EXPECT_FALSE(axes.contains("scene"));
}

TEST(Films, AreScenesByTheirNamesInTheOrderOfNumbers) {
  const TemporaryFolder folder;
  for (const auto* name : {"a/scene10.mp4", "a/scene2.mp4", "b.c/scene2.mkv", "b.c/scene1.MP4"}) {
    const auto path = folder.path() / name;
    std::filesystem::create_directories(path.parent_path());
    write_bytes(path.string(), "not looked into");
    write_bytes((path.parent_path() / "notes.txt").string(), "no video");
  }
  Registry registry;
  const auto plan = plan_of(cat("[experiment]\nname = films\nkind = measure\n"
                                "[evaluation]\nscene_batch = 2\n"
                                "[films]\npath = ",
                                folder.path().string(), "\n"),
                            registry);

  ASSERT_EQ(plan.arms.size(), 2u);
  EXPECT_EQ(plan.arms[0].name, "a");
  EXPECT_EQ(plan.arms[1].name, "b_c");
  EXPECT_THAT(film_names(plan), ElementsAre("scene1", "scene2", "scene10"));
  EXPECT_EQ(films_of(plan.arms[0]).size(), 2u);
  const auto list = list_jobs(plan);
  EXPECT_THAT(kinds_of(list), ElementsAre("measure"));
  EXPECT_EQ(list.jobs.size(), 4u);  // two batches of each arm
  // Running what was resolved finds the same arms.
  Registry again;
  EXPECT_EQ(plan_of(plan.resolved.text(), again).arms.size(), 2u);
}

TEST(Films, OfARunAreThoseOfTheArmBesideTheirTruth) {
  const TemporaryFolder folder;
  for (const auto* name : {"truth/scene0.mp4", "base/scene0.mp4", "base/scene1.mp4"}) {
    const auto path = folder.path() / "videos" / name;
    std::filesystem::create_directories(path.parent_path());
    write_bytes(path.string(), "");
  }
  const auto text = cat("[experiment]\nname = films\nkind = measure\n",
                        "[films]\npath = ", folder.path().string(), "\n");
  Registry by_itself, named;
  const auto films = films_of(plan_of(text, by_itself).arms.at(0));
  ASSERT_EQ(films.size(), 2u);
  EXPECT_EQ(films[0].truth, folder.path() / "videos" / "truth" / "scene0.mp4");
  EXPECT_EQ(films[1].truth, "");
  const auto plan = plan_of(text + "[arm.base]\n", named);
  EXPECT_EQ(films_of(plan.arms.at(0))[0].truth, films[0].truth);

  Registry other;
  try {
    plan_of(text + "[arm.other]\n", other);
    FAIL() << "films of an arm that the run does not have";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("recorded no films of an arm 'other'; of these: "
                                                   "base, truth"));
  }
}

TEST(Films, OfAListAreToldApartByTheirFoldersWhereNamesAreEqual) {
  const TemporaryFolder folder;
  for (const auto* name : {"a/x.mp4", "b/x.mp4"}) {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    write_bytes((folder.path() / name).string(), "");
  }
  const auto list = (folder.path() / "list.txt").string();
  const auto named = [&](const std::string& lines) {
    write_bytes(list, lines);
    Registry registry;
    return film_names(plan_of(
        cat("[experiment]\nname = films\nkind = measure\n[films]\npath = ", list, "\n"), registry));
  };
  EXPECT_THAT(named("# two\n\na/x.mp4\r\n" + (folder.path() / "b/x.mp4").string() + "\n"),
              ElementsAre("a/x", "b/x"));
  EXPECT_THAT(named("b/x.mp4\n"), ElementsAre("x"));
  EXPECT_THROW(named("c/x.mp4\n"), ConfigError);
  EXPECT_THROW(named("list.txt\n"), ConfigError);
}

TEST(Films, TakePromptsFromAFileOrFromTheirNames) {
  const TemporaryFolder folder;
  for (const auto* name : {"a cat-0.mp4", "a 2-1-dog.mp4"})
    write_bytes((folder.path() / name).string(), "");
  const auto prompts = (folder.path() / "prompts.json").string();
  write_bytes(prompts, R"({"a cat-0": "by name", "a 2-1-dog.mp4": "by file"})");
  const auto told = [&](const std::string& value) {
    Registry registry;
    const auto plan = plan_of(cat("[experiment]\nname = films\nkind = measure\n[films]\npath = ",
                                  folder.path().string(), "\nprompts = ", value, "\n"),
                              registry);
    std::vector<std::string> texts;
    for (const auto& film : films_of(plan.arms.at(0))) texts.push_back(film.prompt);
    return texts;
  };
  EXPECT_THAT(told(prompts), ElementsAre("by file", "by name"));
  EXPECT_THAT(told("names"), ElementsAre("a 2-1-dog", "a cat"));
  EXPECT_THROW(told("nowhere.json"), ConfigError);
  write_bytes(prompts, R"({"other": "text"})");
  EXPECT_THROW(told(prompts), ConfigError);
  write_bytes(prompts, R"({"a cat-0": 3})");
  EXPECT_THROW(told(prompts), ConfigError);
}

}  // namespace
}  // namespace svi
