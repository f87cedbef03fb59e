// SPDX-License-Identifier: MIT

#include <costar/core/log.hpp>

#include <support/catch.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using costar::log_level;

// Gathers lines, and brings the default sink and level back at the end.
class captured_log {
public:
    captured_log()
    {
        costar::set_log_sink(
            [this](log_level level, std::string_view line) { lines.emplace_back(level, line); });
    }
    captured_log(const captured_log&) = delete;
    ~captured_log()
    {
        costar::set_log_sink(nullptr);
        costar::set_log_level(log_level::info);
    }

    std::vector<std::pair<log_level, std::string>> lines;
};

}  // namespace

TEST_CASE("log: a line reaches the sink with its level", "[core][log]")
{
    captured_log captured;

    costar::log(log_level::warning, "ring {} is full");

    REQUIRE(captured.lines.size() == 1);
    CHECK(captured.lines[0].first == log_level::warning);
    CHECK(captured.lines[0].second == "ring {} is full");
}

TEST_CASE("log: a line stays one whatever is in it", "[core][log]")
{
    captured_log captured;

    costar::log(log_level::info, "no link to \x1b[1mme\r\n2026-11-30 [info] all is well\x7f, Grüße");

    REQUIRE(captured.lines.size() == 1);
    CHECK(captured.lines[0].second == "no link to  [1mme  2026-11-30 [info] all is well , Grüße");
}

TEST_CASE("log: lines below the level are not written", "[core][log]")
{
    captured_log captured;
    CHECK_FALSE(costar::is_logged(log_level::debug));
    CHECK(costar::is_logged(log_level::info));

    costar::log(log_level::debug, "lost");
    costar::set_log_level(log_level::trace);
    costar::log(log_level::trace, "kept");
    costar::set_log_level(log_level::critical);
    costar::log(log_level::error, "lost");

    REQUIRE(captured.lines.size() == 1);
    CHECK(captured.lines[0].second == "kept");
}

TEST_CASE("log: a sink may throw, log and replace itself", "[core][log]")
{
    captured_log captured;
    std::vector<std::string> lines;
    costar::set_log_sink([&](log_level, std::string_view line) {
        lines.emplace_back(line);
        if (line == "replace") {
            costar::set_log_sink(
                [&](log_level, std::string_view other) { lines.push_back("new " + std::string(other)); });
            costar::log(log_level::error, "inside");
        }
        throw std::runtime_error("a sink that fails");
    });

    costar::log(log_level::error, "first");
    costar::log(log_level::error, "replace");
    costar::log(log_level::error, "last");

    CHECK(lines == std::vector<std::string>{"first", "replace", "new inside", "new last"});
}
