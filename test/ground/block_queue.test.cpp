// SPDX-License-Identifier: MIT

#include <costar/ground/block_queue.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

TEST_CASE("block_queue: behaves as a deque, whatever its blocks hold", "[ground][block_queue]")
{
    const bool holds = rc::check("same as std::deque", [] {
        const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-9, 12));
        costar::machine::block_queue<int, 4> queue;
        std::deque<int> model;
        int next = 0;
        for (const int step : steps) {
            for (int i = 0; i < step; ++i) {
                queue.push(next);
                model.push_back(next++);
                RC_ASSERT(queue.back() == model.back());
            }
            for (int i = step; i < 0 && !model.empty(); ++i) {
                RC_ASSERT(queue.front() == model.front());
                queue.pop();
                model.pop_front();
            }
            RC_ASSERT(queue.size() == model.size());
            RC_ASSERT(queue.empty() == model.empty());
            RC_ASSERT(queue.pushed() - queue.popped() == model.size());
        }
    });

    CHECK(holds);
}

TEST_CASE("block_queue: what was reserved and not committed is not there", "[ground][block_queue]")
{
    costar::machine::block_queue<int, 2> queue;
    queue.push(1);
    queue.push(2);
    queue.reserve() = 7;

    queue.pop();
    queue.pop();

    CHECK(queue.empty());
    queue.push(3);
    CHECK(queue.front() == 3);
}

TEST_CASE("block_queue: moves with all it holds", "[ground][block_queue]")
{
    costar::machine::block_queue<int, 2> from;
    for (int i = 0; i < 5; ++i)
        from.push(i);

    costar::machine::block_queue<int, 2> to(std::move(from));

    CHECK(from.empty());
    CHECK(to.size() == 5);
    CHECK(to.front() == 0);
    from.push(9);
    CHECK(from.front() == 9);
}
