// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/solve_print.h"

#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/cli/verb.h"

namespace adiabat::cli {

namespace {

// Assignments of more variables are not printed: they are in the document.
constexpr size_t kMostBits = 64;

std::string number(const Json& value, const char* none = "-") {
    return value.is_null() ? none : fmt::format("{:.10g}", value.get<double>());
}

// "850 us", "12.3 ms", "4.56 s"; null is never.
std::string duration(const Json& seconds) {
    if (seconds.is_null()) return "never";
    const double s = seconds.get<double>();
    if (s < 1e-3) return fmt::format("{:.3g} us", s * 1e6);
    if (s < 1) return fmt::format("{:.3g} ms", s * 1e3);
    return fmt::format("{:.3g} s", s);
}

std::string range(const Json& interval, std::string (*one)(const Json&)) {
    return fmt::format("{} .. {}", one(interval[0]), one(interval[1]));
}

std::string share(const Json& value) { return fmt::format("{:.3f}", value.get<double>()); }

// "12 of 16 (0.505 .. 0.898)".
std::string success(const Json& row, const char* reads) {
    return fmt::format("{} of {} ({})", row["successes"].get<int64_t>(), row[reads].get<int64_t>(),
                       range(row["probability_interval"], share));
}

// Spins as + and -.
std::string state(const Json& solution, bool spins) {
    std::string bits = solution["x"].get<std::string>();
    if (bits.size() > kMostBits) return "";
    if (spins) {
        for (char& bit : bits) bit = bit == '1' ? '+' : '-';
    }
    return bits;
}

void print_solutions(const Json& d) {
    std::vector<std::vector<std::string>> rows;
    const bool spins = d["problem"]["spins"].get<bool>();
    for (const Json& solution : d["solutions"]) {
        rows.push_back({number(solution["energy"]),
                        std::to_string(solution["multiplicity"].get<int>()),
                        state(solution, spins)});
    }
    print_table({{"energy"}, {"found"}, {"", false}}, rows);
}

void print_target(const Json& d) {
    fmt::print("target {}{}, reached within {:.2g}; seconds are of processor time\n",
               number(d["target"]), d["target_given"].get<bool>() ? "" : " (the lowest found)",
               d["tolerance"].get<double>());
}

}  // namespace

void print_result(const Json& d) {
    print_solutions(d);
    const Json& work = d["work"];
    fmt::print("\n{}\n", d["statement"].get<std::string>());
    if (d.contains("success"))
        fmt::print("at the target: {} reads\n", success(d["success"], "reads"));
    fmt::print(
        "{}: {} reads, {} sweeps, {:.3g} proposals/s, {:.3g} s, {}\n",
        d["options"]["technique"].get<std::string>(), format_count(work["reads"].get<int64_t>()),
        format_count(work["sweeps"].get<int64_t>()), work["proposals_per_second"].get<double>(),
        work["seconds"].get<double>(), d["end"].get<std::string>());
}

void print_result_fully(const Json& d) {
    print_result(d);
    const Json& problem = d["problem"];
    fmt::print("{}, {} variables, {}; estimated for the run: {}\n",
               problem["form"].get<std::string>(), problem["variables"].get<int>(),
               format_bytes(problem["memory_bytes"].get<int64_t>()),
               format_bytes(d["work"]["memory_bytes"].get<int64_t>()));
    fmt::print("options: {}\n", d["options"].dump());
}

void print_comparison(const Json& d) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& row : d["rows"]) {
        if (row.contains("refused")) continue;
        const Json& certificate = row["certificate"];
        std::string gap = "-";
        if (!certificate.is_null() && !certificate["relative_gap"].is_null())
            gap = fmt::format("{:.3g} %", 100 * certificate["relative_gap"].get<double>());
        rows.push_back({row["technique"].get<std::string>(), number(row["energy"]), gap,
                        success(row, "reads"), duration(row["time_to_target_seconds"]),
                        range(row["time_to_target_interval"], duration),
                        fmt::format("{:.3g}", row["proposals_per_second"].get<double>())});
    }
    print_table({{"technique", false},
                 {"energy"},
                 {"gap"},
                 {"reads at the target (95 %)", false},
                 {"time to target"},
                 {"95 %", false},
                 {"proposals/s"}},
                rows);
    for (const Json& row : d["rows"]) {
        if (row.contains("refused"))
            fmt::print("{} refuses: {}\n", row["technique"].get<std::string>(),
                       row["refused"].get<std::string>());
    }
    fmt::print("\n");
    print_target(d);
    fmt::print("{}\n", d["statement"].get<std::string>());
}

void print_ladder(const Json& d) {
    std::vector<std::vector<std::string>> rows;
    for (const Json& rung : d["rungs"]) {
        rows.push_back({format_count(rung["length"].get<int64_t>()), success(rung, "reads"),
                        duration(rung["processor_seconds_a_read"]),
                        duration(rung["time_to_target_seconds"]),
                        rung["length"] == d["best_length"] ? "<" : ""});
    }
    print_table({{d["length_option"].get<std::string>()},
                 {"reads at the target (95 %)", false},
                 {"a read"},
                 {"time to target"},
                 {"", false}},
                rows);
    fmt::print("\n");
    print_target(d);
    fmt::print("{}: time to target {} ({})\n", d["technique"].get<std::string>(),
               duration(d["time_to_target_seconds"]),
               range(d["time_to_target_interval"], duration));
    fmt::print("lowest energy {}, {}\n", number(d["energy"]), d["statement"].get<std::string>());
}

}  // namespace adiabat::cli
