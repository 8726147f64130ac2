// SPDX-License-Identifier: Apache-2.0
#include "adiabat/cli/tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "adiabat/base/errors.h"
#include "adiabat/cli/terminal.h"
#include "adiabat/cli/verb.h"

namespace adiabat::cli {

namespace {

enum ExitCode { kDone = 0, kInputAtFault = 2, kInterrupted = 3, kOurBug = 70 };

// A signal handler can reach nothing else.
StopSource* signal_source = nullptr;

extern "C" void request_stop(int) { signal_source->request(); }

// A first signal asks; a second one ends the process as if there were no handler.
void install_handlers(StopSource& source) {
    signal_source = &source;
    struct sigaction action {};
    action.sa_handler = request_stop;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

constexpr const char* kFooter =
    "Exit codes: 0 done, 2 the input is at fault, 3 interrupted, 70 a bug of ours.\n"
    "Example: adiabat compress net.onnx --data cifar-10-batches-bin --preprocess net.json \\\n"
    "             --budget file=175KB -o small.onnx\n"
    "         adiabat solve problem.qubo --time-limit 10";

// Every option of a command line that says nothing to anybody is a mistake: one line, as all
// others.
int report(const std::string& what, int code) {
    fmt::print(stderr, "adiabat: {}\n", in_one_line(what));
    return code;
}

}  // namespace

int run_tool(int argc, char** argv) {
    StopSource source;
    Frame frame;
    frame.command.assign(argv, argv + argc);
    frame.stop = source.token();

    CLI::App tool(
        "adiabat compresses a trained convolutional network (ONNX): it decides filters and bit "
        "widths "
        "together,\nby annealing one quadratic binary problem, and writes a smaller ONNX file. It "
        "also solves quadratic\nbinary problems from files.",
        "adiabat");
    tool.footer(kFooter);
    tool.require_subcommand(1);
    tool.set_version_flag("--version", "adiabat " ADIABAT_VERSION);
    tool.failure_message([](const CLI::App*, const CLI::Error&) { return std::string(); });
    add_inspect(tool, frame);
    add_eval(tool, frame);
    add_compress(tool, frame);
    add_finetune(tool, frame);
    add_sense(tool, frame);
    add_pareto(tool, frame);
    add_qubo(tool, frame);
    add_explain(tool, frame);
    add_solve(tool, frame);
    add_pack(tool, frame);
    add_unpack(tool, frame);

    try {
        tool.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return tool.exit(error);  // --help, --version
        std::string line = error.what();
        std::replace(line.begin(), line.end(), '\n', ' ');
        std::string help = "adiabat --help";
        for (const CLI::App* verb : tool.get_subcommands()) {
            help = "adiabat " + verb->get_name() + " --help";
        }
        if (argc > 1 && argv[1][0] != '-' && tool.get_subcommands().empty()) {
            line = fmt::format("unknown verb `{}`", argv[1]);
        }
        return report(line + ": see " + help, kInputAtFault);
    }

    install_handlers(source);
    TerminalProgress terminal;
    frame.progress = frame.quiet ? &no_progress() : &terminal;
    const auto finish = [&](const std::string& what, int code) {
        terminal.end();
        return report(what, code);
    };
    try {
        frame.work();
        terminal.end();
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            return report("standard output cannot be written", kInputAtFault);
        }
        return frame.partial ? kInterrupted : kDone;
    } catch (const InputError& error) {
        return finish(error.what(), kInputAtFault);
    } catch (const Interrupted&) {
        return finish("interrupted: " + frame.kept, kInterrupted);
    } catch (const std::bad_alloc&) {
        return finish("out of memory: use fewer images (--images), or a larger machine",
                      kInputAtFault);
    } catch (const std::exception& error) {
        return finish(fmt::format("a bug of ours, please report it: {}", error.what()), kOurBug);
    }
}

}  // namespace adiabat::cli
