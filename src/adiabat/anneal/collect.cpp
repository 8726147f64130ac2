// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/collect.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <unordered_map>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/polish.h"
#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr double kHurrySeconds = 0.02;

// One read's two solutions; empty where there is none.
struct Both {
    Solution best, last;
};

class Collector {
  public:
    Collector(const qubo::Problem& original, const Reduction& reduction,
              const CollectOptions& options, const Watch& watch)
        : original_(original), reduction_(reduction), options_(options), watch_(watch) {
        if (options.polish && !watch.over()) largest_ = largest_couplings(reduction.problem());
    }

    // Whether the read keeps the constraints, mended if need be.
    bool solve(const Read& read, Both& both) const {
        std::vector<uint8_t> best = inner(read.best), last = inner(read.last);
        if (!mend(best, false) || !mend(last, false)) return false;
        both.last = solution(last);
        if (options_.polish)
            polish(reduction_.problem(), best, options_.tolerance, true, largest_, watch_);
        both.best = best == last ? both.last : solution(best);
        // Mending may have turned the order around.
        if (both.last.energy < both.best.energy) both.best = both.last;
        return true;
    }
    // One of its states, as it is: where there is no time.
    bool solve_quickly(const std::vector<uint8_t>& state, Solution& result) const {
        std::vector<uint8_t> x = inner(state);
        if (!mend(x, true)) return false;
        result = solution(x);
        return true;
    }

    // Seconds that one state's energy took at most.
    double slowest() const { return slowest_; }

  private:
    // Without slack variables.
    std::vector<uint8_t> inner(const std::vector<uint8_t>& x) const {
        return {x.begin(), x.begin() + reduction_.problem().variables()};
    }
    bool mend(std::vector<uint8_t>& x, bool hurry) const {
        if (reduction_.problem().constraints.keeps(x)) return true;
        auto mended = repaired(reduction_.problem(), x, options_.seed, hurry ? 1 : 20);
        if (mended) x = std::move(*mended);
        return mended.has_value();
    }

    Solution solution(const std::vector<uint8_t>& x) const {
        const double begin = watch_.seconds();
        auto whole = reduction_.extended(x);
        const double energy = original_.energy(whole);
        slowest_.store(std::max(slowest_.load(), watch_.seconds() - begin));
        return {std::move(whole), energy, 1};
    }

    const qubo::Problem& original_;
    const Reduction& reduction_;
    const CollectOptions& options_;
    const Watch& watch_;
    std::vector<double> largest_;
    mutable std::atomic<double> slowest_{0};
};

// Of each read the first one with the same two states: small problems end in the same few.
std::vector<size_t> first_alike(const std::vector<Read>& reads) {
    std::vector<size_t> first(reads.size());
    std::unordered_map<std::string, size_t> seen;
    std::string key;
    for (size_t r = 0; r < reads.size(); ++r) {
        key.assign(reads[r].best.begin(), reads[r].best.end());
        key.append(reads[r].last.begin(), reads[r].last.end());
        first[r] = seen.emplace(key, r).first->second;
    }
    return first;
}

}  // namespace

Collected collect(const qubo::Problem& original, const Reduction& reduction,
                  const std::vector<Read>& reads, const CollectOptions& options,
                  const Watch& watch) {
    std::vector<size_t> order(reads.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const bool hurry = watch.over();
    if (hurry) std::ranges::stable_sort(order, {}, [&](size_t r) { return reads[r].energy; });
    const std::vector<size_t> alike = first_alike(reads);
    const Collector collector(original, reduction, options, watch);
    std::vector<Both> found(reads.size());
    // Best and last state of a read are done by different threads where time is short.
    std::vector<std::array<char, 2>> good(reads.size(), {0, 0});
    std::atomic<size_t> next{0};
    // When it began that time was short, by whoever saw it first.
    std::atomic<double> since{hurry ? watch.seconds() : -1.0};
    const auto start_of_hurry = [&] {
        double none = -1;
        since.compare_exchange_strong(none, watch.seconds());
        return since.load();
    };
    const auto work = [&](int64_t, int64_t, int) {
        for (size_t k = next++; k < 2 * order.size(); k = next++) {
            const size_t r = order[k / 2], part = k % 2;
            if (alike[r] != r || (!hurry && part == 1)) continue;
            if (part == 1 && reads[r].best == reads[r].last) continue;  // see below
            if (!hurry && !watch.over()) {
                if (collector.solve(reads[r], found[r])) good[r] = {1, 1};
                continue;
            }
            if (k > 1 &&
                watch.seconds() - start_of_hurry() + 2 * collector.slowest() > kHurrySeconds)
                return;
            if (part == 0)
                good[r][0] = collector.solve_quickly(reads[r].best, found[r].best) ? 1 : 0;
            if (part == 1 || !hurry)
                good[r][1] = collector.solve_quickly(reads[r].last, found[r].last) ? 1 : 0;
        }
    };
    parallel_for(std::min<int64_t>(options.threads, 2 * static_cast<int64_t>(reads.size())),
                 options.threads, work);
    Collected collected;
    for (size_t r = 0; r < reads.size(); ++r) {
        if (alike[r] != r) {
            found[r] = found[alike[r]];
            good[r] = good[alike[r]];
        }
        if (hurry && good[r][0] == 1 && good[r][1] == 0 && reads[r].best == reads[r].last) {
            found[r].last = found[r].best;
            good[r][1] = 1;
        }
        if (good[r][0] == 0 || good[r][1] == 0) {
            ++collected.dropped;
            continue;
        }
        if (found[r].last.energy < found[r].best.energy) found[r].best = found[r].last;
        collected.best.push_back(found[r].best);
        collected.last.push_back(found[r].last);
    }
    return collected;
}

Solutions aggregated(const Collected& collected, int keep, bool complete) {
    std::map<std::string_view, size_t> places;
    std::vector<const Solution*> different;
    std::vector<int> counts;
    const auto add = [&](const Solution& solution) {
        // An empty view of a vector may be null.
        const std::string_view key(
            solution.x.empty() ? "" : reinterpret_cast<const char*>(solution.x.data()),
            solution.x.size());
        const auto [place, is_new] = places.emplace(key, different.size());
        if (is_new) {
            different.push_back(&solution);
            counts.push_back(0);
        }
        ++counts[place->second];
    };
    for (size_t r = 0; r < collected.best.size(); ++r) {
        add(collected.best[r]);
        // One read meets a state once, wherever it met it.
        if (collected.last[r].x != collected.best[r].x) add(collected.last[r]);
    }
    std::vector<size_t> order(different.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t k) { return different[k]->energy; });
    Solutions solutions{{}, complete};
    for (const size_t k : order) {
        if (solutions.all.size() == static_cast<size_t>(keep)) break;
        solutions.all.push_back(*different[k]);
        solutions.all.back().multiplicity = counts[k];
    }
    return solutions;
}

}  // namespace adiabat::anneal
