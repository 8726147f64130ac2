// SPDX-License-Identifier: Apache-2.0
//
// How late solve() and lower_bound() return: after a time limit, and after an interrupt at several
// moments of a run, for every technique, on 10,000 variables, dense and sparse (50,000 edges).
// Milliseconds, the worst of all moments; what a call allocates is freed inside the time.
//
//   adiabat_perf_limits [TECHNIQUE | bound [dense | sparse]]

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <thread>

#include "adiabat/anneal/bounds/bound.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

constexpr int kVariables = 10'000, kEdges = 50'000;
constexpr double kLimits[] = {0.05, 0.5, 1.5};  // seconds
constexpr double kInterrupts[] = {0.0, 0.02, 0.1, 0.3, 0.6, 1.2, 2.0};

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point then) {
    return std::chrono::duration<double, std::milli>(Clock::now() - then).count();
}

qubo::Problem dense_problem() {
    qubo::Dense dense(kVariables);
    Random random(1, 1);
    for (int i = 0; i < kVariables; ++i) {
        dense.add_linear(i, random.uniform() - 0.5);
        for (int j = 0; j < i; ++j) dense.add_coupling(i, j, 2 * random.uniform() - 1);
    }
    return {std::move(dense)};
}

qubo::Problem sparse_problem() {
    std::vector<qubo::Edge> edges;
    Random random(2, 1);
    while (edges.size() < kEdges) {
        const auto i = static_cast<int>(random.below(kVariables));
        const auto j = static_cast<int>(random.below(kVariables));
        if (i != j) edges.push_back({i, j, 2 * random.uniform() - 1});
    }
    return {qubo::Sparse(kVariables, edges)};
}

// How late `call(limit, stop)` returns, and where it was the latest.
struct Worst {
    double late = 0, at = 0;

    void add(double milliseconds, double seconds) {
        if (milliseconds <= late) return;
        late = milliseconds;
        at = seconds;
    }
};

template <typename Call>
void measure(const std::string& name, Call call) {
    Worst limits, interrupts;
    for (const double limit : kLimits) {
        const auto start = Clock::now();
        call(limit, StopToken());
        limits.add(milliseconds_since(start) - 1e3 * limit, limit);
    }
    for (const double seconds : kInterrupts) {
        StopSource source;
        Clock::time_point asked;
        std::jthread other([&] {
            std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
            asked = Clock::now();
            source.request();
        });
        call(30.0, source.token());
        const auto end = Clock::now();
        other.join();
        interrupts.add(std::chrono::duration<double, std::milli>(end - asked).count(), seconds);
    }
    fmt::print("{:<28} {:>8.1f} (at {:.2f} s) {:>8.1f} (at {:.2f} s)\n", name, limits.late,
               limits.at, interrupts.late, interrupts.at);
    std::fflush(stdout);
}

void measure_technique(const Technique& technique, const qubo::Problem& problem) {
    measure(fmt::format("{} {}", technique.name, problem.form_name()),
            [&](double limit, StopToken stop) {
                SolveOptions options;
                options.technique = technique.name;
                options.restarts = 0;
                options.time_limit = limit;
                try {
                    solve(problem, options, stop);
                } catch (const Interrupted&) {
                }
            });
}

void measure_bound(const qubo::Problem& problem) {
    measure(fmt::format("bound {}", problem.form_name()), [&](double limit, StopToken stop) {
        lower_bound(problem, {.time_limit = limit, .seed = 1}, stop);
    });
}

void run(const std::string& only, const std::string& form) {
    fmt::print("{:<28} {:>21} {:>21}\n", "milliseconds late", "after a limit",
               "after an interrupt");
    for (const bool dense : {true, false}) {
        if (!form.empty() && form != (dense ? "dense" : "sparse")) continue;
        const qubo::Problem problem = dense ? dense_problem() : sparse_problem();
        if (only.empty() || only == "bound") measure_bound(problem);
        for (const Technique* const technique : techniques()) {
            if (technique->most_variables < kVariables) continue;
            if (only.empty() || only == technique->name) measure_technique(*technique, problem);
        }
    }
}

}  // namespace
}  // namespace adiabat::anneal

int main(int argc, char** argv) {
    adiabat::anneal::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
    return 0;
}
