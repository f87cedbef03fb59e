// SPDX-License-Identifier: MIT

#include <costar/ground/ready_queue.hpp>

#include <support/catch.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

namespace {

struct node {
    node* next = nullptr;
    const void* waiter = nullptr;
    int number = 0;
};

using queue = costar::machine::ready_queue<node>;

/// Nodes that stay where they are.
class numbered_nodes {
public:
    node& operator[](int number)
    {
        all_.push_back({nullptr, nullptr, number});
        return all_.back();
    }

private:
    std::deque<node> all_;
};

/// Takes all there is.
std::vector<int> drain(queue& from)
{
    std::vector<int> order;
    while (!from.empty())
        order.push_back(from.is_birth_next() ? from.pop_birth().number : from.pop()->number);
    return order;
}

/// Says what is drawn.
struct scripted {
    std::uint64_t drawn = 0;
    std::uint64_t bound = 0;
    std::uint64_t below(std::uint64_t limit)
    {
        bound = limit;
        return drawn;
    }
};

}  // namespace

TEST_CASE("ready_queue: what is ready comes first in, first out", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    CHECK(ready.empty());
    CHECK(ready.pop() == nullptr);

    for (int i = 0; i < 3; ++i)
        ready.push(nodes[i]);

    CHECK(drain(ready) == std::vector<int>{0, 1, 2});
    ready.push(nodes[3]);
    CHECK(drain(ready) == std::vector<int>{3});
}

TEST_CASE("ready_queue: one of what is ready runs after eight births", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    for (int i = 0; i < 20; ++i)
        ready.push_birth(nodes[i], false);
    ready.push(nodes[100]);
    ready.push(nodes[101]);

    const std::vector<int> order = drain(ready);

    REQUIRE(order.size() == 22);
    CHECK(order[8] == 100);
    CHECK(order[17] == 101);
}

TEST_CASE("ready_queue: the young come first, the newest before, and siblings in their order",
    "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    ready.push_birth(nodes[0], false);
    node& elder = nodes[1];
    const queue::line line = ready.push_birth(elder, true);
    ready.push_birth(nodes[2], true);
    ready.push_birth_behind(elder, line, nodes[3]);

    CHECK(drain(ready) == std::vector<int>{2, 1, 3, 0});
}

TEST_CASE("ready_queue: the young cannot hold back the others without end", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    ready.push_birth(nodes[-1], false);
    int young = 0;
    do
        ready.push_birth(nodes[young++], true);
    while (ready.pop_birth().number >= 0);

    CHECK(young == queue::births_in_a_row + 1);
}

TEST_CASE("ready_queue: a family that always grows keeps nobody waiting", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    node* elder = &nodes[1];
    SECTION("among the others")
    {
        queue::line line = ready.push_birth(*elder, false);
        ready.push_birth(nodes[-1], false);
        int begun = 0;
        do {
            node& younger = nodes[1];
            line = ready.push_birth_behind(*elder, line, younger);
            elder = &younger;
            ++begun;
        } while (ready.pop_birth().number >= 0);
        CHECK(begun == 2);
    }
    SECTION("among the young, where others come all the time")
    {
        ready.push_birth(nodes[-1], true);
        queue::line line = ready.push_birth(*elder, true);
        int begun = 0;
        int number = 0;
        do {
            node& younger = nodes[1];
            line = ready.push_birth_behind(*elder, line, younger);
            elder = &younger;
            if (begun % 100 == 0)
                ready.push_birth(nodes[2], false);
            ++begun;
            number = ready.pop_birth().number;
        } while (number >= 0 && begun < 1'000'000);
        CHECK(begun <= 2 * queue::rows_to_age * queue::births_in_a_row);
    }
}

TEST_CASE("ready_queue: siblings keep their order when the young are so no longer", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    int last = 0;
    int expected = 1;
    node* elder = &nodes[++last];
    queue::line line = ready.push_birth(*elder, true);
    std::uint32_t random = 7;
    for (int step = 0; step < 300'000; ++step) {
        random = random * 1664525U + 1013904223U;
        if ((random >> 16U) % 3 == 0 && last - expected < 5000) {
            node& younger = nodes[++last];
            const bool waits = elder->number >= expected;
            line = waits ? ready.push_birth_behind(*elder, line, younger)
                         : ready.push_birth(younger, step % 2 == 0);
            elder = &younger;
        } else if ((random >> 16U) % 3 == 1) {
            ready.push_birth(nodes[0], (random >> 8U) % 2 == 0);
        } else if (!ready.empty()) {
            if (const int number = ready.pop_birth().number; number != 0) {
                REQUIRE(number == expected);
                ++expected;
            }
        }
    }
    CHECK(expected > 1000);
}

TEST_CASE("ready_queue: while all that is ready runs once, so many are born", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    constexpr int standing = 1000;
    for (int i = 0; i < standing; ++i)
        ready.push(nodes[i]);
    for (int i = 0; i < 100'000; ++i)
        ready.push_birth(nodes[-1], false);
    int births = 0;
    for (int runs = 0; runs < 3 * standing;) {
        if (ready.is_birth_next()) {
            ready.pop_birth();
            ++births;
        } else {
            ready.push(*ready.pop());
            ++runs;
        }
    }
    CHECK(births >= 3 * queue::births_per_lap);
    CHECK(births <= 4 * queue::births_per_lap);
}

TEST_CASE("ready_queue: any node can be withdrawn, and others follow", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    node& first = nodes[0];
    node& last = nodes[1];
    node& born = nodes[2];
    node& young = nodes[3];
    ready.push(first);
    ready.push(last);
    ready.push_birth(born, false);
    ready.push_birth(young, true);

    for (node* each : {&last, &born, &young})
        CHECK(ready.withdraw(*each));
    CHECK_FALSE(ready.withdraw(last));
    ready.push(nodes[4]);
    ready.push_birth(nodes[5], false);

    CHECK(drain(ready) == std::vector<int>{5, 0, 4});
}

TEST_CASE("ready_queue: one can be chosen among the ready and the first births", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    scripted random;
    CHECK(ready.pop_chosen(random).node == nullptr);
    ready.push(nodes[0]);
    ready.push(nodes[1]);
    ready.push_birth(nodes[2], false);
    ready.push_birth(nodes[3], false);

    random.drawn = 2;
    const queue::chosen second = ready.pop_chosen(random);
    CHECK(random.bound == 3);
    random.drawn = 0;
    const queue::chosen birth = ready.pop_chosen(random);

    CHECK(second.node->number == 1);
    CHECK_FALSE(second.is_birth);
    CHECK(birth.node->number == 2);
    CHECK(birth.is_birth);
}

TEST_CASE("ready_queue: the end leads to what is pushed next", "[ground][ready_queue]")
{
    queue ready;
    numbered_nodes nodes;
    ready.push(nodes[0]);
    node* const& next = ready.end();
    CHECK(next == nullptr);

    ready.push(nodes[1]);
    ready.push(nodes[2]);

    CHECK(next->number == 1);
    CHECK(next->next->number == 2);
}
