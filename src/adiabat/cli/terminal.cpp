// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace adiabat::cli {

namespace {

constexpr int kBarWidth = 28;
constexpr std::chrono::milliseconds kRedraw{80};

}  // namespace

TerminalProgress::TerminalProgress() : is_terminal_(isatty(STDERR_FILENO) != 0) {}

TerminalProgress::~TerminalProgress() { end(); }

void TerminalProgress::begin(std::string_view stage, uint64_t steps, std::string_view unit) {
    end();
    stage_ = stage;
    unit_ = unit;
    note_.clear();
    steps_ = steps;
    done_ = 0;
    is_running_ = true;
    began_ = std::chrono::steady_clock::now();
    drawn_ = {};
    if (is_terminal_) draw();
}

void TerminalProgress::update(uint64_t done, std::string_view note) {
    done_ = done;
    note_ = note;
    const auto now = std::chrono::steady_clock::now();
    if (!is_terminal_ || now - drawn_ < kRedraw) return;
    drawn_ = now;
    draw();
}

void TerminalProgress::say(std::string_view line) {
    clear_line();
    fmt::print(stderr, "{}\n", line);
    if (is_terminal_ && is_running_) draw();
}

void TerminalProgress::end() {
    if (!is_running_) return;
    is_running_ = false;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    clear_line();
    fmt::print(stderr, "{}: {} {}, {:.1f} s\n", stage_, done_, unit_, seconds);
    std::fflush(stderr);
}

void TerminalProgress::draw() {
    if (steps_ == 0) {
        fmt::print(stderr, "\r\033[K{:<10} {} {} {}", stage_, done_, unit_, note_);
        std::fflush(stderr);
        return;
    }
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(steps_));
    const auto filled = static_cast<size_t>(share * kBarWidth);
    fmt::print(stderr, "\r\033[K{:<10} [{}{}] {}/{} {} {}", stage_, std::string(filled, '#'),
               std::string(kBarWidth - filled, '.'), done_, steps_, unit_, note_);
    std::fflush(stderr);
}

void TerminalProgress::clear_line() {
    if (is_terminal_) fmt::print(stderr, "\r\033[K");
}

}  // namespace adiabat::cli
