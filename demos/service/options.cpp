// SPDX-License-Identifier: MIT

#include "options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <string>

namespace service {

std::optional<std::chrono::milliseconds> read_duration(std::string_view text)
{
    std::int64_t count = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, text.data() + text.size());
    const std::int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60'000 : 0;
    const std::int64_t longest = 1'000'000'000;  // eleven days, in milliseconds
    if (failure != std::errc{} || factor == 0 || count <= 0 || count > longest / factor)
        return std::nullopt;
    return std::chrono::milliseconds(count * factor);
}

namespace {

void add_duration(
    CLI::App& app, const std::string& name, std::chrono::milliseconds& into, const std::string& about)
{
    const auto store = [&into, name](const std::string& text) {
        const auto read = read_duration(text);
        if (!read)
            throw CLI::ValidationError(name, "'" + text + "' is no duration such as 5s, 500ms or 2m");
        into = *read;
    };
    app.add_option_function<std::string>(name, store, about)->type_name("DURATION");
}

}  // namespace

std::optional<options> read_options(std::string_view program, int argc, char** argv, int& exit_code)
{
    options chosen;
    CLI::App app("A bank that answers HTTP on 127.0.0.1.", std::string(program));
    app.add_option("--port", chosen.port, "TCP port, 0 for a free one [8080]")->check(CLI::Range(0, 65535));
    app.add_option("--strands", chosen.strands, "strands, each with a thread [one for each core]")
        ->check(CLI::Range(1, 1024));
    add_duration(app, "--for", chosen.run_for, "end by itself after this time [runs until Ctrl-C]");
    add_duration(app, "--idle-limit", chosen.idle_limit, "longest pause between two requests [60s]");
    add_duration(
        app, "--request-limit", chosen.request_limit, "longest time a request may take to arrive [10s]");
    add_duration(
        app, "--answer-limit", chosen.answer_limit, "longest time an answer may take, or its writing [5s]");
    add_duration(app, "--drain-limit", chosen.drain_limit, "longest time to finish what is in flight [5s]");
    add_duration(app, "--account-limit", chosen.account_limit,
        "how long an account is kept without money, watchers and keys [1m]");
    add_duration(app, "--restart-delay", chosen.restart_delay,
        "pause before an account that crashed begins anew [none]");
    app.add_option("--connections", chosen.connections_max, "most connections at a time [10000]")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--accounts", chosen.accounts_max, "most accounts at a time [1000000]")
        ->check(CLI::Range(1, 1'000'000'000));
    try {
        app.parse(argc, argv);
        return chosen;
    } catch (const CLI::ParseError& failure) {
        if (failure.get_exit_code() == 0) {  // --help
            exit_code = app.exit(failure);
        } else {
            fmt::print(stderr, "{}: {}. See {} --help.\n", program, failure.what(), program);
            exit_code = exit_unusable;
        }
        return std::nullopt;
    }
}

}  // namespace service
