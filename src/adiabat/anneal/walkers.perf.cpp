// SPDX-License-Identifier: Apache-2.0
//
// Measures walks and techniques on a problem in a plain binary file; dev/perf_samplers.py drives
// it.
//
//     adiabat_perf_walkers techniques
//     adiabat_perf_walkers range FILE
//     adiabat_perf_walkers speed FILE STARTS REPLICAS SWEEPS BETA_MIN BETA_MAX THREADS
//     adiabat_perf_walkers solve FILE TECHNIQUE READS SEED [SECONDS] [NAME=VALUE ..]
//
// FILE: 'd', n, h[n], J[n n]; 's', n, m, h[n], i[m], j[m], J[m]; 'f', n, r, h[n], w[r], a[n r];
// the letter is one byte, counts and indices are int32, the rest double, nothing between. STARTS:
// n bytes of 0 and 1 a replica. One JSON document on standard output.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "adiabat/anneal/natural_range.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/anneal/time_to_target.h"
#include "adiabat/anneal/walkers.h"
#include "adiabat/base/atomic_file.h"
#include "adiabat/base/json.h"
#include "adiabat/base/processor_time.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {
namespace {

class Reader {
  public:
    explicit Reader(const char* path) : bytes_(read_file(path)) {}

    template <typename T>
    std::vector<T> take(size_t count) {
        if (count * sizeof(T) > bytes_.size() - at_) throw InputError("the file is too short");
        std::vector<T> values(count);
        if (count > 0) std::memcpy(values.data(), bytes_.data() + at_, count * sizeof(T));
        at_ += count * sizeof(T);
        return values;
    }
    size_t count() { return static_cast<size_t>(take<int32_t>(1)[0]); }

  private:
    std::vector<uint8_t> bytes_;
    size_t at_ = 0;
};

qubo::Energy read_dense(Reader& reader) {
    const size_t n = reader.count();
    const auto h = reader.take<double>(n), couplings = reader.take<double>(n * n);
    qubo::Dense dense(static_cast<int>(n));
    for (size_t i = 0; i < n; ++i) {
        dense.add_linear(static_cast<int>(i), h[i]);
        for (size_t j = i + 1; j < n; ++j) {
            dense.add_coupling(static_cast<int>(i), static_cast<int>(j), couplings[i * n + j]);
        }
    }
    return dense;
}

qubo::Energy read_sparse(Reader& reader) {
    const size_t n = reader.count(), m = reader.count();
    auto h = reader.take<double>(n);
    const auto first = reader.take<int32_t>(m), second = reader.take<int32_t>(m);
    const auto values = reader.take<double>(m);
    std::vector<qubo::Edge> edges(m);
    for (size_t k = 0; k < m; ++k) edges[k] = {first[k], second[k], values[k]};
    return qubo::Sparse(static_cast<int>(n), edges, std::move(h));
}

qubo::Energy read_factored(Reader& reader) {
    const size_t n = reader.count(), r = reader.count();
    const auto h = reader.take<double>(n), weights = reader.take<double>(r);
    const auto columns = reader.take<double>(n * r);
    qubo::Factored factored(static_cast<int>(n));
    for (size_t i = 0; i < n; ++i) factored.add_linear(static_cast<int>(i), h[i]);
    factored.add_squares(columns, std::vector<double>(r, 0.0), weights);
    return factored;
}

qubo::Problem read_problem(const char* path) {
    Reader reader(path);
    switch (reader.take<char>(1)[0]) {
        case 'd':
            return {.form = read_dense(reader)};
        case 's':
            return {.form = read_sparse(reader)};
        case 'f':
            return {.form = read_factored(reader)};
        default:
            throw InputError("{}: expected d, s or f", path);
    }
}

int64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    int64_t whole = 0, resident = 0;
    file >> whole >> resident;
    return resident * sysconf(_SC_PAGESIZE);
}

double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

struct SpeedOptions {
    int replicas = 1, sweeps = 1, threads = 1;
    double beta_min = 0, beta_max = 0;
};

// One thread's replicas through the whole schedule.
void walk(Walkers& walkers, const SpeedOptions& options) {
    const Watch watch;
    std::vector<double> betas(static_cast<size_t>(walkers.replicas()));
    for (int sweep = 0; sweep < options.sweeps; ++sweep) {
        const double share = options.sweeps == 1 ? 1.0 : double(sweep) / (options.sweeps - 1);
        const double beta = options.beta_min * std::pow(options.beta_max / options.beta_min, share);
        std::fill(betas.begin(), betas.end(), beta);
        walkers.sweep(betas, static_cast<uint32_t>(sweep), watch);
    }
}

Json measure_speed(const qubo::Problem& problem, std::span<const uint8_t> starts,
                   const SpeedOptions& options) {
    const int64_t before = resident_bytes();
    const double prepared_at = processor_seconds();
    const auto model = make_model(problem, options.replicas, Watch());
    const auto n = static_cast<size_t>(problem.variables());
    std::vector<std::unique_ptr<Walkers>> parts(static_cast<size_t>(options.threads));
    for (int t = 0; t < options.threads; ++t) {
        const int first = options.replicas * t / options.threads;
        const int end = options.replicas * (t + 1) / options.threads;
        auto& part = parts[static_cast<size_t>(t)];
        part = model->walkers(end - first, 1, static_cast<uint32_t>(first));
        for (int r = first; r < end; ++r)
            part->set_state(r - first, starts.subspan(static_cast<size_t>(r) * n, n));
    }
    const double began = processor_seconds(), began_at = seconds_now();
    parallel_for(options.threads, options.threads, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) walk(*parts[static_cast<size_t>(t)], options);
    });
    const double seconds = processor_seconds() - began, wall = seconds_now() - began_at;
    int64_t flips = 0;
    double best = INFINITY;
    for (const auto& part : parts) {
        flips += part->flips();
        for (int r = 0; r < part->replicas(); ++r)
            best = std::min(best, problem.energy(part->best(r)));
    }
    const double proposals = double(options.replicas) * options.sweeps * static_cast<double>(n);
    return {{"proposals", proposals},
            {"flips", flips},
            {"seconds", seconds},
            {"wall_seconds", wall},
            {"best", best},
            {"prepare_seconds", began - prepared_at},
            {"bytes", resident_bytes() - before}};
}

// Energies and processor seconds of one call to solve().
Json measure_solve(const qubo::Problem& problem, int count, char** arguments) {
    SolveOptions options{.technique = arguments[0],
                         .reads = std::stoi(arguments[1]),
                         .seed = std::stoull(arguments[2]),
                         .threads = 1};
    for (int k = 3; k < count; ++k) {
        const std::string item = arguments[k];
        const size_t equals = item.find('=');
        if (equals == std::string::npos) {
            options.time_limit = std::stod(item);
        } else {
            options.values[item.substr(0, equals)] = item.substr(equals + 1);
        }
    }
    // Once before: which instructions the machine has is asked on first use, some 0.4 ms.
    solve({.form = qubo::Dense(2)}, {.technique = "annealing", .threads = 1});
    const double began = processor_seconds();
    const SolveResult result = solve(problem, options);
    Json json = {{"seconds", processor_seconds() - began},
                 {"end", to_text(result.end)},
                 {"proposals", result.proposals},
                 {"bound", result.bound ? Json(*result.bound) : Json(nullptr)},
                 {"energies", Json::array()}};
    for (const Solution& read : result.best) json["energies"].push_back(read.energy);
    return json;
}

// Names, and the option that is the run length where there is one.
Json list_techniques() {
    Json all = Json::array();
    for (const Technique* const known : techniques()) {
        Json length = nullptr;
        try {
            length = length_option(*known);
        } catch (const InputError&) {
        }
        all.push_back({{"name", known->name}, {"length", length}});
    }
    return all;
}

Json run(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "techniques") return list_techniques();
    const std::string mode = argc > 2 ? argv[1] : "";
    const qubo::Problem problem = read_problem(argc > 2 ? argv[2] : "");
    if (mode == "range") {
        const auto range = natural_range(problem);
        return {{"min", range.min}, {"max", range.max}};
    }
    if (mode == "speed" && argc == 9) {
        const auto starts = read_file(argv[3]);
        const SpeedOptions options{.replicas = std::stoi(argv[4]),
                                   .sweeps = std::stoi(argv[5]),
                                   .threads = std::stoi(argv[8]),
                                   .beta_min = std::stod(argv[6]),
                                   .beta_max = std::stod(argv[7])};
        return measure_speed(problem, starts, options);
    }
    if (mode == "solve" && argc >= 6) return measure_solve(problem, argc - 3, argv + 3);
    throw InputError("usage: adiabat_perf_walkers range|speed|solve FILE ..");
}

}  // namespace
}  // namespace adiabat::anneal

int main(int argc, char** argv) {
    try {
        fmt::print("{}\n", adiabat::anneal::run(argc, argv).dump());
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "adiabat_perf_walkers: {}\n", error.what());
        return 2;
    }
}
