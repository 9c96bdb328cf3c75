#include "svi/plugin/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

class Animal : public Component {
 public:
  static constexpr std::string_view kKind = "animal";
  virtual std::int64_t legs() const = 0;
};

class Dog final : public Animal {
 public:
  struct Config {
    std::int64_t legs = 4;
    void describe(OptionVisitor& visit) {
      visit(legs, {.key = "legs", .help = "number of legs", .min = 0});
    }
  };
  explicit Dog(Config config) : config_(config) {}
  std::int64_t legs() const override { return config_.legs; }

 private:
  Config config_;
};

Registry kennel() {
  Registry registry;
  Registrar(registry, "built-in").add<Animal, Dog>("dog", "a good one");
  return registry;
}

TEST(Registry, BuildsWhatTheSectionNamesWithItsOptions) {
  const auto registry = kennel();
  const auto document = Document::parse("[animal]\ntype = dog\nlegs = 3\n", "x.ini");

  Document resolved;
  const auto animal = registry.make<Animal>(document, "dog", &resolved);

  EXPECT_EQ(animal->legs(), 3);
  EXPECT_EQ(resolved.text(), "[animal]\ntype = dog\nlegs = 3\n");
}

TEST(Registry, ResolvesDefaultsOfAMissingSection) {
  Document resolved;
  const auto animal = kennel().make<Animal>(Document{}, "dog", &resolved);

  EXPECT_EQ(animal->legs(), 4);
  EXPECT_EQ(resolved.get("animal", "type"), "dog");
}

TEST(Registry, SuggestsTheNearestName) {
  try {
    kennel().make<Animal>(Document::parse("[animal]\ntype = dgo\n", "x.ini"), "dog");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("x.ini:2: [animal] type = dgo is not known; did you mean 'dog'?"));
  }
}

TEST(Registry, RefusesANameTwice) {
  auto registry = kennel();

  EXPECT_THROW((Registrar(registry, "plugin").add<Animal, Dog>("dog", "another")), PluginError);
}

}  // namespace
}  // namespace svi
