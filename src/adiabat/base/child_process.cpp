// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "adiabat/base/errors.h"

namespace adiabat {

namespace {

constexpr int kPollMilliseconds = 50;
constexpr size_t kMostOutput = size_t{16} << 20;

using Clock = std::chrono::steady_clock;

class Pipe {
  public:
    // Neither end reaches a child but where it is given.
    Pipe() { ADIABAT_CHECK(pipe2(ends_.data(), O_CLOEXEC) == 0, "no pipe: errno {}", errno); }
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    int reading() const { return ends_[0]; }
    int writing() const { return ends_[1]; }
    void close_end(size_t end) {
        if (ends_[end] >= 0) close(ends_[end]);
        ends_[end] = -1;
    }
    // Takes what is there; false at the end. What is beyond the most is read and dropped.
    bool read_into(std::string& text) const {
        std::array<char, 65536> buffer;
        const ssize_t count = read(reading(), buffer.data(), buffer.size());
        if (count < 0) return errno == EINTR;
        if (count == 0) return false;
        text.append(buffer.data(), std::min(static_cast<size_t>(count), kMostOutput - text.size()));
        return true;
    }

  private:
    std::array<int, 2> ends_{-1, -1};
};

// How a child is started: streams to the pipes, no input, signals as they are by default, a group
// of its own.
class Spawning {
  public:
    Spawning(const Pipe& output, const Pipe& errors) {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions_, output.writing(), STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions_, errors.writing(), STDERR_FILENO);
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setpgroup(&attributes_, 0);
        posix_spawnattr_setflags(&attributes_,
                                 static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETPGROUP));
    }
    ~Spawning() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    Spawning(const Spawning&) = delete;
    Spawning& operator=(const Spawning&) = delete;

    // 0 or an errno.
    int start(std::vector<std::string> arguments, pid_t& child) const {
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        return posix_spawnp(&child, argv[0], &actions_, &attributes_, argv.data(), environ);
    }

  private:
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& arguments, double timeout_seconds,
                      const StopToken& stop) {
    ADIABAT_CHECK(!arguments.empty(), "no program");
    Pipe output, errors;
    ChildResult result;
    pid_t child = 0;
    result.code = Spawning(output, errors).start(arguments, child);
    if (result.code != 0) {
        result.end = ChildResult::End::kNotStarted;
        return result;
    }
    output.close_end(1);
    errors.close_end(1);
    const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_seconds);
    std::array<pollfd, 2> streams{{{output.reading(), POLLIN, 0}, {errors.reading(), POLLIN, 0}}};
    // A program that has closed its streams but runs on is waited for, as long as there is time.
    siginfo_t ended{};
    for (bool is_over = false; !is_over;) {
        poll(streams.data(), streams.size(), kPollMilliseconds);
        bool has_read = false;
        for (size_t k = 0; k < streams.size(); ++k) {
            if (streams[k].fd < 0 || streams[k].revents == 0) continue;
            has_read = true;
            const Pipe& pipe = k == 0 ? output : errors;
            if (!pipe.read_into(k == 0 ? result.output : result.errors)) streams[k].fd = -1;
        }
        if (stop.requested()) result.end = ChildResult::End::kStopped;
        if (Clock::now() >= deadline) result.end = ChildResult::End::kTimeout;
        ended.si_pid = 0;
        waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
        is_over = result.end != ChildResult::End::kExited || (ended.si_pid == child && !has_read);
    }
    // The group ends with its leader, which is not reaped yet, so that the number is still its own.
    kill(-child, SIGKILL);
    const int status = wait_for(child);
    if (result.end != ChildResult::End::kExited) return result;
    if (WIFSIGNALED(status)) {
        result.end = ChildResult::End::kSignal;
        result.code = WTERMSIG(status);
    } else {
        result.code = WEXITSTATUS(status);
    }
    return result;
}

}  // namespace adiabat
