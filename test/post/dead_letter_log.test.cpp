// SPDX-License-Identifier: MIT

#include <costar/post/dead_letter_log.hpp>

#include <string>
#include <vector>

#include <support/actors.hpp>
#include <support/catch.hpp>

using namespace costar;
using namespace costar::machine;
using namespace std::chrono_literals;
using namespace support;

namespace {

void note(dead_letter_log& log, std::uint64_t now, const char* line)
{
    log.note(now, [&] { return std::string(line); });
}

}  // namespace

TEST_CASE("dead_letter_log: writes a few in each interval, and counts the others", "[post][dead_letter_log]")
{
    kept_log kept;
    {
        dead_letter_log log;
        log.configure(2, 1s);
        for (int i = 0; i < 5; ++i)
            note(log, 500'000'000, "a");
        note(log, 1'500'000'000, "b");
        CHECK(kept.lines == std::vector<std::string>{"a", "a", "and 3 more dead letters", "b"});
        for (int i = 0; i < 3; ++i)
            note(log, 1'600'000'000, "c");
        note(log, 9'000'000'000, "d");
        CHECK(kept.lines.size() == 7);
        CHECK(kept.lines[5] == "and 2 more dead letters");
        for (int i = 0; i < 10; ++i)
            note(log, 9'000'000'001, "e");
    }
    CHECK(kept.lines.back() == "and 9 more dead letters");  // at the end too
}

TEST_CASE("dead_letter_log: is silent when it is told to be", "[post][dead_letter_log]")
{
    kept_log kept;
    {
        dead_letter_log log;
        note(log, 1, "before it was told anything");
        log.configure(0, 1s);
        note(log, 1, "a");
    }
    CHECK(kept.lines.empty());
}
