// SPDX-License-Identifier: MIT

#include <costar/ground/inbox.hpp>

#include <rapidcheck.h>
#include <support/catch.hpp>

#include <deque>
#include <utility>
#include <vector>

namespace {

using costar::machine::inbox;
using costar::machine::job;
using costar::machine::job_queue;

struct numbered_job : job {
    int number;
};

numbered_job make(int number)
{
    return {{nullptr, nullptr}, number};
}

std::vector<int> numbers_of(job* list)
{
    std::vector<int> numbers;
    for (; list != nullptr; list = list->next) {
        numbers.push_back(static_cast<numbered_job*>(list)->number);
    }
    return numbers;
}

}  // namespace

TEST_CASE("inbox: jobs are taken oldest first", "[ground][inbox]")
{
    numbered_job jobs[] = {make(1), make(2), make(3)};
    inbox box;
    for (numbered_job& added : jobs) {
        box.push(&added);
    }

    job* taken = box.take();

    CHECK(numbers_of(taken) == std::vector{1, 2, 3});
    CHECK(box.empty());
    CHECK(box.take() == nullptr);
}

TEST_CASE("inbox: the push that finds it empty says so", "[ground][inbox]")
{
    numbered_job jobs[] = {make(1), make(2)};
    inbox box;

    CHECK(box.push(&jobs[0]));
    CHECK_FALSE(box.push(&jobs[1]));
    CHECK_FALSE(box.empty());
    box.take();
    CHECK(box.push(&jobs[0]));
}

TEST_CASE("job_queue: jobs leave in the order they came", "[ground][inbox]")
{
    numbered_job jobs[] = {make(1), make(2), make(3)};
    job_queue queue;
    CHECK(queue.pop() == nullptr);

    queue.push(&jobs[1]);
    queue.push(&jobs[2]);
    queue.push_front(&jobs[0]);

    CHECK(queue.pop() == &jobs[0]);
    CHECK(queue.pop() == &jobs[1]);
    CHECK(queue.pop() == &jobs[2]);
    CHECK(queue.empty());
}

TEST_CASE("job_queue: a moved queue leaves an empty one behind", "[ground][inbox]")
{
    numbered_job jobs[] = {make(1), make(2), make(3)};
    job_queue first;
    first.push(&jobs[0]);

    job_queue second = std::move(first);
    first.push(&jobs[1]);
    second.push(&jobs[2]);

    CHECK(numbers_of(first.take()) == std::vector{2});
    CHECK(numbers_of(second.take()) == std::vector{1, 3});
}

TEST_CASE("job_queue: behaves as a double-ended queue", "[ground][inbox]")
{
    const bool holds = rc::check("queue equals its model", [] {
        const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
            rc::gen::pair(rc::gen::inRange(0, 8), rc::gen::inRange(0, 4)));
        std::deque<numbered_job> jobs;
        std::deque<int> model;
        job_queue queue;

        const auto make_next = [&]() -> numbered_job* {
            jobs.push_back(make(static_cast<int>(jobs.size())));
            return &jobs.back();
        };
        for (auto [step, count] : steps) {
            job_queue list;
            std::vector<int> numbers;
            for (int i = 0; i < count; ++i) {
                numbered_job* made = make_next();
                list.push(made);
                numbers.push_back(made->number);
            }
            switch (step) {
            case 0:
                queue.append(list.take());
                model.insert(model.end(), numbers.begin(), numbers.end());
                break;
            case 1:
                queue.append(std::move(list));
                model.insert(model.end(), numbers.begin(), numbers.end());
                break;
            case 2:
                queue.prepend(list.take());
                model.insert(model.begin(), numbers.begin(), numbers.end());
                break;
            case 3:
                queue.prepend(std::move(list));
                model.insert(model.begin(), numbers.begin(), numbers.end());
                break;
            case 4: {
                numbered_job* made = make_next();
                queue.push_front(made);
                model.push_front(made->number);
                break;
            }
            default:
                if (job* popped = queue.pop(); popped != nullptr) {
                    RC_ASSERT(static_cast<numbered_job*>(popped)->number == model.front());
                    model.pop_front();
                }
            }
            RC_ASSERT(queue.empty() == model.empty());
        }
        RC_ASSERT(numbers_of(queue.take()) == std::vector<int>(model.begin(), model.end()));
    });
    CHECK(holds);
}
