// SPDX-License-Identifier: MIT

#include "terminal.hpp"

#include <costar/actor/engine.hpp>
#include <costar/core/result.hpp>
#include <costar/core/use_task.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>
#include <utility>

#include "chat.costar.hpp"  // made of ../chat.capnp by capnpc-costar

namespace chat {

namespace asio = boost::asio;
using costar::as_result;
using costar::pid;

namespace {

constexpr std::size_t line_bytes_max = 64 * 1024;

template <class... Parts>
void put(fmt::format_string<Parts...> text, Parts&&... parts)
{
    fmt::print("{}\n", fmt::format(text, std::forward<Parts>(parts)...));
    std::fflush(stdout);
}

/// The standard input opened once more, where that can be: Asio makes it one that does not block, and a
/// terminal that is shared with the output, and with the shell behind it, stays as it is.
int input_of_ones_own()
{
    const int again = open("/dev/stdin", O_RDONLY | O_CLOEXEC);
    return again >= 0 ? again : dup(STDIN_FILENO);
}

/// Does what a line says. False when the conversation is over.
costar::task<bool> obey(costar::context& self, pid room, std::string line)
{
    if (line == "/leave")
        co_return false;
    if (line == "/who") {
        const auto there = co_await as_result(self.ask(room, who{}));
        if (there)
            put("* here: {}", fmt::join(there->nicks, ", "));
        else
            put("* nobody says who is here: {}", there.error().message());
    } else if (line.starts_with('/')) {
        put("* there is /who, and /leave");
    } else if (!line.empty()) {
        const auto told = co_await as_result(self.ask(room, say{std::move(line)}));
        if (!told)
            put("* it is not known whether that was heard: {}", told.error().message());
        else if (!told->empty())
            put("* nobody has heard that: {}", *told);
    }
    co_return true;
}

/// Reads lines until the conversation is over. Nobody waits for it but this task: the actor receives beside.
costar::task<> read_lines(costar::context& self, pid room, int* exit_code)
{
    asio::posix::stream_descriptor input(self.get_executor(), input_of_ones_own());
    std::string unread;
    for (;;) {
        const auto [failure, bytes] = co_await asio::async_read_until(
            input, asio::dynamic_buffer(unread, line_bytes_max), '\n', asio::as_tuple(costar::use_task));
        if (failure == asio::error::operation_aborted)
            co_return;  // the actor has ended
        if (failure) {
            if (failure != asio::error::eof)
                put("* the input cannot be read line by line: {}", failure.message());
            break;
        }
        std::string line = unread.substr(0, bytes - 1);
        unread.erase(0, bytes);
        if (!co_await obey(self, room, std::move(line)))
            break;
    }
    if (co_await as_result(self.ask(room, leave{})))
        *exit_code = 0;
    self.stop();
}

/// True when the news are the last ones.
bool show(costar::message& news, int* exit_code)
{
    bool is_over = false;
    news.match([](const said& words) { put("{}: {}", words.nick, words.text); },
        [](const came& one) { put("* {} came", one.nick); },
        [](const left& one) { put("* {} left{}{}", one.nick, one.reason.empty() ? "" : ": ", one.reason); },
        [](const gone& one) { put("* {} is gone", one.nick); },
        [&](const costar::terminated& end) {
            is_over = true;
            const bool is_closed = end.reason == costar::errc::actor_stopped;
            put("* the room is {}", is_closed ? "closed" : "out of reach");
            *exit_code = is_closed ? 0 : 1;
        });
    return is_over;
}

}  // namespace

costar::task<> terminal(costar::context& self, pid room, std::string nick, int* exit_code)
{
    self.watch(room);
    const auto admitted = co_await as_result(self.ask(room, join{nick}));
    if (!admitted || !admitted->refusal.empty()) {
        put("* you are not in: {}", admitted ? admitted->refusal : admitted.error().message());
        co_return;
    }
    if (admitted->others.empty())
        put("* you are {}, and alone", nick);
    else
        put("* you are {}, with {}", nick, fmt::join(admitted->others, ", "));
    self.spawn_task(read_lines(self, room, exit_code));
    while (costar::message news = co_await self.receive())
        if (show(news, exit_code))
            break;
}

}  // namespace chat
