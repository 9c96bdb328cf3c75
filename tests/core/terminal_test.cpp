#include "svi/core/terminal.hpp"

#include <gtest/gtest.h>

#include "svi/core/processors.hpp"

namespace svi {
namespace {

TEST(FitColumns, KeepsWhatFitsAndMarksWhatDoesNot) {
  EXPECT_EQ(fit_columns("film.mp4: clip 1/3", 18), "film.mp4: clip 1/3");
  EXPECT_EQ(fit_columns("film.mp4: clip 1/3", 17), "film.mp4: clip...");
  EXPECT_EQ(fit_columns("film.mp4", 5), "film.");
  EXPECT_EQ(fit_columns("film.mp4", 0), "");
  EXPECT_EQ(fit_columns("film.mp4", -1), "");
  EXPECT_EQ(fit_columns("", 10), "");
}

TEST(FitColumns, CountsColumnsNotBytes) {
  EXPECT_EQ(fit_columns("größe äöü", 9), "größe äöü");
  EXPECT_EQ(fit_columns("一二三四五", 10), "一二三四五");
  EXPECT_EQ(fit_columns("一二三四五", 9), "一二三...");
  EXPECT_EQ(fit_columns("e\u0301e\u0301", 2), "e\u0301e\u0301");
  EXPECT_EQ(fit_columns("\xff\xfe", 2), "\xff\xfe");
  EXPECT_EQ(fit_columns("a\xe4", 2), "a\xe4");
}

TEST(TerminalColumns, FallBackWhereThereIsNoTerminal) { EXPECT_EQ(terminal_columns(-1, 33), 33); }

TEST(Threads, AreBoundedByTheMachine) {
  EXPECT_EQ(threads_problem(1), "");
  EXPECT_EQ(threads_problem(processors()), "");
  EXPECT_NE(threads_problem(processors() + 1), "");
  EXPECT_NE(threads_problem(0), "");
  EXPECT_NE(threads_problem(-1), "");
}

}  // namespace
}  // namespace svi
