// SPDX-License-Identifier: MIT

#include <costar/wire/large_words.hpp>

#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include <support/catch.hpp>

using costar::wire::large_words;

TEST_CASE("large_words: a block is used again", "[wire][large_words]")
{
    constexpr std::size_t words = 123'456;
    std::uint64_t* first = nullptr;
    std::size_t size = 0;
    {
        const large_words block(words);
        first = block.data();
        size = block.size();
        CHECK(size >= words);
        first[words - 1] = 7;
    }
    const large_words again(words - 100);
    CHECK(again.data() == first);
    CHECK(again.size() == size);
    const large_words other(words);
    CHECK(other.data() != first);
}

TEST_CASE("large_words: one that is far too large is not taken", "[wire][large_words]")
{
    std::uint64_t* first = nullptr;
    {
        const large_words block(400'000);
        first = block.data();
    }
    const large_words small(1000);
    CHECK(small.data() != first);
    CHECK(small.size() == 1000);
}

TEST_CASE("large_words: it is handed over", "[wire][large_words]")
{
    large_words first(5000);
    std::uint64_t* const at = first.data();
    large_words second(std::move(first));
    CHECK(second.data() == at);
    large_words third;
    CHECK(third.data() == nullptr);
    third = std::move(second);
    CHECK(third.data() == at);
    CHECK(third.size() >= 5000);
}

TEST_CASE("large_words: threads share what is kept", "[wire][large_words]")
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([i] {
            for (std::size_t round = 0; round < 300; ++round) {
                const large_words block(4096 + round % 7 * 1000);
                block.data()[0] = block.data()[4095] = static_cast<std::uint64_t>(i);
            }
        });
    for (std::thread& each : threads)
        each.join();
}
