// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/child_process.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

namespace adiabat {
namespace {

using End = ChildResult::End;

double seconds_of(const auto& work) {
    const auto began = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

TEST(ChildProcess, PrintsAndEnds) {
    const ChildResult said = run_child({"printf", "%s|", "a b", "$HOME", "'; exit 3", "*"}, 10);
    EXPECT_TRUE(said.is_success());
    EXPECT_EQ(said.output, "a b|$HOME|'; exit 3|*|");
    EXPECT_EQ(said.errors, "");

    const ChildResult failed = run_child({"sh", "-c", "echo no >&2; exit 7"}, 10);
    EXPECT_EQ(failed.end, End::kExited);
    EXPECT_EQ(failed.code, 7);
    EXPECT_EQ(failed.errors, "no\n");

    const ChildResult killed = run_child({"sh", "-c", "kill -9 $$"}, 10);
    EXPECT_EQ(killed.end, End::kSignal);
    EXPECT_EQ(killed.code, SIGKILL);

    const ChildResult missing = run_child({"/no/such/program"}, 10);
    EXPECT_EQ(missing.end, End::kNotStarted);
    EXPECT_EQ(missing.code, ENOENT);
}

TEST(ChildProcess, InputIsEmptyAndMuchOutputIsRead) {
    EXPECT_EQ(run_child({"cat"}, 10).output, "");
    const ChildResult much =
        run_child({"sh", "-c", "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2"}, 20);
    EXPECT_TRUE(much.is_success());
    EXPECT_EQ(much.output.size(), 3000000u);
    EXPECT_EQ(much.errors.size(), 2000000u);
}

TEST(ChildProcess, EndsInTime) {
    ChildResult late;
    EXPECT_LT(seconds_of([&] { late = run_child({"sh", "-c", "echo on; sleep 60"}, 0.3); }), 20);
    EXPECT_EQ(late.end, End::kTimeout);
    EXPECT_EQ(late.output, "on\n");
    // What it leaves behind does not hold the caller up, though it holds the streams.
    ChildResult left;
    EXPECT_LT(seconds_of([&] { left = run_child({"sh", "-c", "sleep 60 & echo done"}, 30); }), 20);
    EXPECT_TRUE(left.is_success());
    EXPECT_EQ(left.output, "done\n");
}

TEST(ChildProcess, StopsWhenAsked) {
    StopSource source;
    std::jthread asking([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        source.request();
    });
    ChildResult result;
    EXPECT_LT(seconds_of([&] { result = run_child({"sleep", "60"}, 60, source.token()); }), 20);
    EXPECT_EQ(result.end, End::kStopped);
}

}  // namespace
}  // namespace adiabat
