// SPDX-License-Identifier: MIT

#include <costar/rpc/output_queue.hpp>

#include <rapidcheck.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <support/catch.hpp>

using costar::machine::few_buffers;
using costar::machine::output_queue;

namespace {

std::string text_of(const few_buffers& buffers)
{
    std::string all;
    for (const auto& each : buffers)
        all.append(static_cast<const char*>(each.data()), each.size());
    return all;
}

void append_held(output_queue& queue, const std::shared_ptr<const std::string>& text)
{
    queue.append(boost::asio::buffer(*text), text);
}

}  // namespace

TEST_CASE("output_queue: copied and held bytes come in their order", "[rpc][output_queue]")
{
    output_queue queue;
    queue.append("one ", 4);
    append_held(queue, std::make_shared<std::string>("two "));
    queue.append("three ", 6);
    queue.append("four ", 5);
    append_held(queue, std::make_shared<std::string>("five"));
    CHECK(queue.size() == 23);
    CHECK(text_of(queue.front()) == "one two three four five");
    queue.append(" six", 4);
    CHECK(text_of(queue.front()) == "one two three four five");  // it may be under way
    queue.consume(23);
    CHECK(text_of(queue.front()) == " six");
    queue.consume(4);
    CHECK(queue.empty());
    CHECK(text_of(queue.front()).empty());
}

TEST_CASE("output_queue: what is held is let go when it is done with", "[rpc][output_queue]")
{
    output_queue queue;
    auto text = std::make_shared<std::string>("a long text");
    const std::weak_ptr<std::string> watched = text;
    append_held(queue, text);
    text.reset();
    static_cast<void>(queue.front());
    queue.consume(10);
    CHECK_FALSE(watched.expired());
    queue.consume(1);
    CHECK(watched.expired());

    text = std::make_shared<std::string>("another one");
    append_held(queue, text);
    const std::weak_ptr<std::string> other = text;
    text.reset();
    queue.clear();
    CHECK(other.expired());
    CHECK(queue.empty());
}

TEST_CASE(
    "output_queue: more pieces than a system call takes come one after the other", "[rpc][output_queue]")
{
    output_queue queue;
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        const auto text = std::make_shared<std::string>(std::to_string(i));
        append_held(queue, text);
        queue.append(",", 1);
        expected += *text + ",";
    }
    std::string sent;
    while (!queue.empty()) {
        const std::string next = text_of(queue.front());
        REQUIRE_FALSE(next.empty());
        sent += next;
        queue.consume(next.size());
    }
    CHECK(sent == expected);
}

TEST_CASE("output_queue: whatever is appended and taken, nothing is lost", "[rpc][output_queue]")
{
    CHECK(rc::check("bytes come as they went in", [](const std::vector<std::uint8_t>& steps) {
        output_queue queue;
        std::string expected;
        std::string sent;
        for (const std::uint8_t step : steps) {
            const std::string text(step % 37, static_cast<char>('a' + step % 26));
            if (step < 100) {
                queue.append(text.data(), text.size());
                expected += text;
            } else if (step < 200) {
                append_held(queue, std::make_shared<std::string>(text));
                expected += text;
            } else {
                const std::string next = text_of(queue.front()).substr(0, step - 200);
                sent += next;
                queue.consume(next.size());
            }
            RC_ASSERT(queue.size() == expected.size() - sent.size());
        }
        while (!queue.empty()) {
            const std::string next = text_of(queue.front());
            sent += next;
            queue.consume(next.size());
        }
        RC_ASSERT(sent == expected);
    }));
}
