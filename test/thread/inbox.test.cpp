// SPDX-License-Identifier: MIT

#include <costar/ground/inbox.hpp>

#include <support/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

namespace {

struct numbered_job : costar::machine::job {
    int thread = 0;
    int number = 0;
};

}  // namespace

TEST_CASE("inbox: jobs of many threads arrive once, in the order of each thread", "[thread][inbox]")
{
    constexpr int thread_count = 4;
    constexpr int job_count = 20'000;
    costar::machine::inbox box;
    std::atomic<int> wakes{0};
    std::vector<std::vector<numbered_job>> jobs(thread_count);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < thread_count; ++thread) {
        jobs[static_cast<std::size_t>(thread)].resize(job_count);
        threads.emplace_back([&, thread] {
            int number = 0;
            for (numbered_job& made : jobs[static_cast<std::size_t>(thread)]) {
                made.thread = thread;
                made.number = number++;
                wakes += box.push(&made) ? 1 : 0;
            }
        });
    }

    std::vector<int> expected(thread_count, 0);
    int broken = 0;
    int takes = 0;
    for (int taken = 0; taken < thread_count * job_count;) {
        costar::machine::job* list = box.take();
        takes += list != nullptr ? 1 : 0;
        for (; list != nullptr; ++taken) {
            auto& next = *static_cast<numbered_job*>(list);
            list = list->next;
            broken += next.number == expected[static_cast<std::size_t>(next.thread)]++ ? 0 : 1;
        }
        std::this_thread::yield();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }

    CHECK(broken == 0);
    CHECK(wakes == takes);
    CHECK(box.empty());
}
