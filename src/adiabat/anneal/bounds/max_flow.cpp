// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/max_flow.h"

#include <algorithm>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr int kStepsBetweenChecks = 1 << 14;

}  // namespace

void MaxFlow::add_arc(int from, int to, int64_t capacity) {
    ADIABAT_CHECK(from != to && capacity >= 0, "arc {} to {} of {}", from, to, capacity);
    added_.push_back({from, to, capacity});
}

void MaxFlow::build() {
    for (const Arc& arc : added_) {
        ++starts_[static_cast<size_t>(arc.from) + 1];
        ++starts_[static_cast<size_t>(arc.to) + 1];
    }
    for (size_t node = 1; node < starts_.size(); ++node) starts_[node] += starts_[node - 1];
    const size_t count = 2 * added_.size();
    heads_.resize(count);
    left_.resize(count);
    reverse_.resize(count);
    std::vector<size_t> next(starts_.begin(), starts_.end() - 1);
    for (const Arc& arc : added_) {
        const size_t forward = next[static_cast<size_t>(arc.from)]++;
        const size_t backward = next[static_cast<size_t>(arc.to)]++;
        heads_[forward] = arc.to;
        heads_[backward] = arc.from;
        left_[forward] = arc.capacity;
        left_[backward] = 0;
        reverse_[forward] = backward;
        reverse_[backward] = forward;
    }
    added_ = {};
    levels_.resize(static_cast<size_t>(nodes()));
}

// Levels of all nodes that the source reaches; whether the sink is among them.
bool MaxFlow::make_levels(int source, int sink) {
    std::ranges::fill(levels_, -1);
    levels_[static_cast<size_t>(source)] = 0;
    queue_.assign(1, source);
    for (size_t k = 0; k < queue_.size(); ++k) {
        const auto node = static_cast<size_t>(queue_[k]);
        for (size_t a = starts_[node]; a < starts_[node + 1]; ++a) {
            const auto head = static_cast<size_t>(heads_[a]);
            if (left_[a] == 0 || levels_[head] >= 0) continue;
            levels_[head] = levels_[node] + 1;
            queue_.push_back(heads_[a]);
        }
    }
    return levels_[static_cast<size_t>(sink)] >= 0;
}

bool MaxFlow::send_blocking_flow(int source, int sink, const Watch& watch) {
    current_.assign(starts_.begin(), starts_.end() - 1);
    std::vector<size_t> path;  // arcs from the source
    int steps = 0;
    for (int node = source;;) {
        if (++steps % kStepsBetweenChecks == 0 && watch.over()) return false;
        if (node == sink) {
            int64_t least = std::numeric_limits<int64_t>::max();
            for (const size_t a : path) least = std::min(least, left_[a]);
            sent_ += least;
            size_t keep = path.size();
            for (size_t k = path.size(); k-- > 0;) {
                left_[path[k]] -= least;
                left_[reverse_[path[k]]] += least;
                if (left_[path[k]] == 0) keep = k;
            }
            node = heads_[reverse_[path[keep]]];
            path.resize(keep);
            continue;
        }
        const auto at = static_cast<size_t>(node);
        size_t& a = current_[at];
        const auto usable = [&] {
            return left_[a] > 0 && levels_[static_cast<size_t>(heads_[a])] == levels_[at] + 1;
        };
        while (a < starts_[at + 1] && !usable()) ++a;
        if (a < starts_[at + 1]) {
            path.push_back(a);
            node = heads_[a];
        } else if (path.empty()) {
            return true;
        } else {
            node = heads_[reverse_[path.back()]];
            path.pop_back();
            ++current_[static_cast<size_t>(node)];
        }
    }
}

bool MaxFlow::run(int source, int sink, const Watch& watch) {
    build();
    while (make_levels(source, sink)) {
        if (watch.over() || !send_blocking_flow(source, sink, watch)) return false;
    }
    return true;
}

std::vector<uint8_t> MaxFlow::reached() const {
    std::vector<uint8_t> reached;
    for (const int level : levels_) reached.push_back(level >= 0);
    return reached;
}

}  // namespace adiabat::anneal
