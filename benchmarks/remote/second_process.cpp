// SPDX-License-Identifier: MIT

#include "second_process.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

void say(int out, const std::string& line)
{
    if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        std::_Exit(1);
}

std::string next_line(int in)
{
    std::string read_so_far;
    for (char next = 0; read(in, &next, 1) == 1 && next != '\n';)
        read_so_far += next;
    return read_so_far;
}

}  // namespace

void second_process::door::open(const std::string& address) const
{
    say(out_, address + "\n");
}

std::string second_process::door::hear() const
{
    return next_line(in_);
}

void second_process::door::wait() const
{
    while (!hear().empty()) {}
}

second_process::second_process(const std::function<void(const door&)>& serve)
{
    int from[2];
    int to[2];
    if (pipe(from) != 0 || pipe(to) != 0)
        throw std::runtime_error("no pipe");
    process_ = fork();
    if (process_ < 0)
        throw std::runtime_error("no second process");
    if (process_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);  // it may stand still, and sees no end of a pipe then
        close(from[0]);
        close(to[1]);
        pin_to(1);
        const door there(from[1], to[0]);
        try {
            serve(there);
        } catch (const std::exception& failure) {
            fmt::print(stderr, "the second process: {}\n", failure.what());
            std::_Exit(1);
        }
        const usage used = usage_so_far();
        say(from[1], fmt::format("{} {}\n", used.cpu_seconds, used.peak_bytes));
        std::_Exit(0);
    }
    close(from[1]);
    close(to[0]);
    in_ = from[0];
    out_ = to[1];
    pin_to(0);
    address_ = hear();
    if (address_.empty())
        throw std::runtime_error("the second process has ended before it could be reached");
}

second_process::~second_process()
{
    if (process_ != 0)
        end();
}

usage second_process::end()
{
    close(out_);
    usage used;
    const std::string told = hear();
    std::sscanf(told.c_str(), "%lf %lu", &used.cpu_seconds, &used.peak_bytes);
    close(in_);
    waitpid(process_, nullptr, 0);
    process_ = 0;
    return used;
}

std::string second_process::hear() const
{
    return next_line(in_);
}

void second_process::tell(const std::string& line) const
{
    say(out_, line + "\n");
}

void second_process::halt() const
{
    kill(process_, SIGSTOP);
    waitpid(process_, nullptr, WUNTRACED);
}

void second_process::go_on() const
{
    kill(process_, SIGCONT);
}

}  // namespace bench
