// SPDX-License-Identifier: MIT

#include <costar/core/log.hpp>

#include <support/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

TEST_CASE("log: sinks are replaced while other threads write", "[thread][log]")
{
    constexpr int line_count = 2000;
    std::atomic<int> lines{0};
    const auto count = [&](costar::log_level, std::string_view) { ++lines; };
    costar::set_log_sink(count);
    std::vector<std::thread> threads;

    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([] {
            for (int line = 0; line < line_count; ++line) {
                costar::log(costar::log_level::error, "line");
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        costar::set_log_sink(count);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }

    CHECK(lines == 3 * line_count);
    costar::set_log_sink(nullptr);
}
