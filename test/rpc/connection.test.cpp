// SPDX-License-Identifier: MIT

#include <costar/rpc/connection.hpp>

#include <costar/core/result.hpp>
#include <costar/core/when.hpp>
#include <costar/post/strand_bound.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/thread_pool.hpp>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <capnp/ez-rpc.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>

#include <future>
#include <thread>
#include <vector>

#include <support/catch.hpp>

#include "hub.hpp"

using namespace costar;
using namespace support;
using namespace std::chrono_literals;

namespace {

template <class Request>
void set_back(Request& request)
{
    request.setBack(kj::heap<capitals>());
}

template <class Socket>
rpc::connection serves_hub(Socket socket)
{
    return rpc::connection::server(std::move(socket), kj::heap<hub_server>());
}

class counting_hub final : public hub::Hub::Server {
public:
    explicit counting_hub(int& count) : count_(&count) {}

private:
    kj::Promise<void> echo(EchoContext call) override
    {
        ++*count_;
        call.getResults().setText(call.getParams().getText());
        return kj::READY_NOW;
    }

    int* count_;
};

rpc::connection serves_counting(unix_socket socket, int& count)
{
    return rpc::connection::server(std::move(socket), kj::heap<counting_hub>(count), {.unsent_max = 100'000});
}

std::string bytes_of(capnp::MessageBuilder& message)
{
    auto words = capnp::messageToFlatArray(message);
    return {reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(capnp::word)};
}

/// What a peer sends that asks for the bootstrap capability and has it echo a text so many times.
std::string calls_of_echo(std::uint32_t count, const std::string& text)
{
    std::string all;
    capnp::MallocMessageBuilder first;
    first.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(0);
    all += bytes_of(first);
    for (std::uint32_t i = 1; i <= count; ++i) {
        capnp::MallocMessageBuilder message;
        auto call = message.initRoot<capnp::rpc::Message>().initCall();
        call.setQuestionId(i);
        call.initTarget().initPromisedAnswer().setQuestionId(0);
        call.setInterfaceId(capnp::typeId<hub::Hub>());
        call.setMethodId(0);
        call.initParams().getContent().initAs<hub::Hub::EchoParams>().setText(text.c_str());
        all += bytes_of(message);
    }
    return all;
}

}  // namespace

TEST_CASE("connection: calls are awaited", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        CHECK(co_await echo_of(hub, "hello") == "hello");

        auto [first, second] = co_await when_all(echo_of(hub, "a"), echo_of(hub, "b"));
        CHECK(first + second == "ab");

        auto request = hub.bytesRequest();
        request.setCount(300'000);
        auto answer = co_await rpc::send(request);
        CHECK(answer.getData().size() == 300'000);
        CHECK(answer.getData()[1000] == static_cast<kj::byte>(7000));
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: streamed calls arrive in order, and `done` tells how many", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io, {.stream = {.window = 4096}});
        auto hub = ends.hub();
        for (std::uint64_t i = 0; i < 2000; ++i) {
            auto request = hub.pushRequest();
            request.setValue(i);
            co_await rpc::send(request);
        }
        auto done = hub.doneRequest();
        auto answer = co_await rpc::send(done);
        CHECK(answer.getCount() == 2000);
        CHECK(answer.getSum() == 1999 * 1000);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: the four kinds of failure arrive", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        for (const auto& [sent, expected] : {std::pair(0, rpc::errc::failed), std::pair(1, rpc::errc::failed),
                 std::pair(2, rpc::errc::overloaded), std::pair(3, rpc::errc::disconnected),
                 std::pair(4, rpc::errc::unimplemented)}) {
            auto request = hub.failRequest();
            request.setKind(static_cast<std::uint16_t>(sent));
            request.setText("for this reason");
            bool has_thrown = false;
            try {
                co_await rpc::send(request);
            } catch (const rpc::error& thrown) {
                has_thrown = true;
                CHECK(thrown.kind() == expected);
                CHECK(std::string(thrown.what()).find("for this reason") != std::string::npos);
            }
            CHECK(has_thrown);
        }
        CHECK(co_await echo_of(hub, "still there") == "still there");
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: a server calls back through a capability that it was given", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<std::string> {
        hub_pair ends(io);
        auto hub = ends.hub();
        auto request = hub.ringRequest();
        set_back(request);
        request.setText("loud");
        auto answer = co_await rpc::send(request);
        co_return std::string(answer.getHeard().cStr());
    };

    CHECK(strand.run(body(strand.io())) == "LOUD");
}

TEST_CASE("connection: when it ends, calls fail and servers' tasks are cancelled", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io, bool server_ends) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        hub_server* const server = ends.server;
        auto request = hub.slowRequest();
        request.setMilliseconds(3'600'000);
        auto call = request.send();
        while (server->begun == 0)
            co_await echo_of(hub, "on");
        auto told = (server_ends ? *ends.calls : *ends.served).disconnected();
        (server_ends ? ends.served : ends.calls).reset();
        co_await kj::mv(told);
        if (server_ends) {
            bool has_thrown = false;
            try {
                co_await kj::mv(call);
            } catch (const rpc::error& thrown) {
                has_thrown = thrown.kind() == rpc::errc::disconnected;
            }
            CHECK(has_thrown);
            CHECK((co_await as_result(echo_of(hub, "nobody"))).has_value() == false);
        }
    };

    strand.run(body(strand.io(), true));
    strand.run(body(strand.io(), false));
}

TEST_CASE("connection: a client that has called nothing hears that the peer has gone", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        auto [near, far] = connected_pair(io);
        auto link = rpc::connection::client(std::move(near));
        auto told = link.disconnected();
        far.close();
        co_await kj::mv(told);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: a message above the limit is refused where it is sent", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io, {.message_max = 100'000});
        auto hub = ends.hub();
        auto large = co_await as_result(echo_of(hub, std::string(200'000, 'x')));
        CHECK(large.error() == rpc::errc::failed);
        CHECK(co_await echo_of(hub, std::string(50'000, 'x')) == std::string(50'000, 'x'));
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: a peer that talks nonsense is left, and hears why", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<std::string> {
        auto [near, far] = connected_pair(io);
        auto served = serves_hub(std::move(far));
        co_await asio::async_write(near, asio::buffer(std::string("GET / HTTP/1.1\r\n\r\n")), use_task);
        co_await served.disconnected();
        std::string heard(4096, ' ');
        auto [code, bytes] = co_await near.async_read_some(asio::buffer(heard), asio::as_tuple(use_task));
        static_cast<void>(code);
        heard.resize(bytes);
        co_return heard;
    };

    CHECK(strand.run(body(strand.io())).find("too many segments") != std::string::npos);
}

TEST_CASE("connection: any bytes leave the server standing", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io, const std::string& noise) -> task<> {
        hub_pair good(io);
        auto [near, far] = connected_pair(io);
        auto served = serves_hub(std::move(far));
        co_await asio::async_write(near, asio::buffer(noise), use_task);
        near.shutdown(asio::socket_base::shutdown_send);
        co_await served.disconnected();
        auto hub = good.hub();
        CHECK(co_await echo_of(hub, "unharmed") == "unharmed");
    };
    std::string call;
    {
        capnp::MallocMessageBuilder message;
        message.initRoot<hub::Hub::EchoParams>().setText("x");
        auto words = capnp::messageToFlatArray(message);
        call.assign(reinterpret_cast<const char*>(words.begin()), words.size() * 8);
    }
    std::uint32_t random = 1;
    for (int i = 0; i < 300; ++i) {
        std::string noise = i % 2 == 0 ? call : std::string(static_cast<std::size_t>(i), '\0');
        for (int change = 0; change < 1 + i % 5; ++change) {
            random = random * 1664525U + 1013904223U;
            if (!noise.empty())
                noise[(random >> 8U) % noise.size()] = static_cast<char>(random >> 24U);
        }
        strand.run(body(strand.io(), noise));
    }
}

TEST_CASE("connection: programs with KJ's own loop are peers", "[rpc][connection]")
{
    SECTION("as client")
    {
        asio::thread_pool pool(1);
        running strands(std::vector<asio::any_io_executor>{pool.get_executor()});
        asio::ip::tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), 0});
        const auto serve = [](asio::ip::tcp::acceptor& acceptor) -> task<> {
            auto socket = co_await acceptor.async_accept(use_task);
            auto served = serves_hub(std::move(socket));
            co_await served.disconnected();
        };
        auto served = async_spawn(strands[0].get_executor(), serve(acceptor), asio::use_future);
        {
            capnp::EzRpcClient client("127.0.0.1", acceptor.local_endpoint().port());
            auto hub = client.getMain<hub::Hub>();
            auto request = hub.echoRequest();
            request.setText("from KJ");
            CHECK(request.send().wait(client.getWaitScope()).getText() == "from KJ");
            auto fails = hub.failRequest();
            fails.setKind(2);
            fails.setText("busy");
            try {
                fails.send().wait(client.getWaitScope());
                FAIL("nothing was thrown");
            } catch (const kj::Exception& thrown) {
                CHECK(thrown.getType() == kj::Exception::Type::OVERLOADED);
            }
            auto ring = hub.ringRequest();
            ring.setBack(kj::heap<capitals>());
            ring.setText("back");
            CHECK(ring.send().wait(client.getWaitScope()).getHeard() == "BACK");
        }
        served.get();
    }
    SECTION("as server")
    {
        std::promise<std::uint16_t> port;
        std::promise<void> over;
        std::thread other([&] {
            class plain final : public hub::Hub::Server {
                kj::Promise<void> echo(EchoContext call) override
                {
                    call.getResults().setText(call.getParams().getText());
                    return kj::READY_NOW;
                }
            };
            capnp::EzRpcServer server(kj::heap<plain>(), "127.0.0.1", 0);
            auto& scope = server.getWaitScope();
            port.set_value(static_cast<std::uint16_t>(server.getPort().wait(scope)));
            auto pair = kj::newPromiseAndCrossThreadFulfiller<void>();
            auto ended = over.get_future();
            std::thread waiter([&] {
                ended.get();
                pair.fulfiller->fulfill();
            });
            pair.promise.wait(scope);
            waiter.join();
        });
        lone_strand strand;
        const auto body = [](asio::io_context& io, std::uint16_t port) -> task<> {
            asio::ip::tcp::socket socket(io);
            co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, use_task);
            auto link = rpc::connection::client(std::move(socket));
            auto hub = link.bootstrap<hub::Hub>();
            CHECK(co_await echo_of(hub, "to KJ") == "to KJ");
            auto done = hub.doneRequest();
            auto missing = co_await as_result(rpc::send(done));
            CHECK(missing.error() == rpc::errc::unimplemented);
        };
        strand.run(body(strand.io(), port.get_future().get()));
        over.set_value();
        other.join();
    }
}

TEST_CASE("connection: a peer that reads no answers is read no more, until it does", "[rpc][connection]")
{
    constexpr std::uint32_t calls = 3000;
    const std::string text(2000, 'x');
    lone_strand strand;
    int answered = 0;
    int at_rest = 0;
    std::size_t unsent = 0;
    const auto body = [](asio::io_context& io, const std::string& text, int& answered, int& at_rest,
                          std::size_t& unsent) -> task<> {
        const auto reads = [](unix_socket& peer, const rpc::connection& served, const int& answered,
                               int& at_rest, std::size_t& unsent) -> task<> {
            co_await sleep_for(50ms);
            at_rest = answered;
            unsent = served.unsent();
            std::string heard(100'000, ' ');
            while (answered < static_cast<int>(calls))
                co_await peer.async_read_some(asio::buffer(heard), use_task);
        };
        auto [peer, far] = connected_pair(io);
        auto served = serves_counting(std::move(far), answered);
        const std::string all = calls_of_echo(calls, text);
        auto sent = asio::async_write(peer, asio::buffer(all), use_task);
        co_await when_all(std::move(sent), reads(peer, served, answered, at_rest, unsent));
    };
    strand.run(body(strand.io(), text, answered, at_rest, unsent));

    CHECK(at_rest < 1000);
    CHECK(unsent > 100'000);
    CHECK(answered == static_cast<int>(calls));
}

TEST_CASE("connection: may end with a hundred thousand calls under way", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        {
            const auto calls = slow_calls(hub, 100'000, 3'600'000);
            co_await sleep_for(1ms);
        }
        ends.calls.reset();
        co_await sleep_for(1ms);
    };
    strand.run(body(strand.io()));
    SUCCEED();
}

TEST_CASE("connection: ten thousand calls wait at once", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        auto calls = slow_calls(hub, 10'000, 50);
        for (auto& each : calls)
            co_await kj::mv(each);
        CHECK(ends.server->answered == 10'000);
    };

    strand.run(body(strand.io()));
}

TEST_CASE("connection: what is in use when the strand ends does no harm", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        auto hub = ends.hub();
        CHECK(co_await echo_of(hub, "x") == "x");
        auto request = hub.slowRequest();
        request.setMilliseconds(3'600'000);
        co_await rpc::send(request);
    };
    async_spawn((*strand).get_executor(), body(strand.io()), [](std::exception_ptr) {});
    for (int i = 0; i < 20; ++i)
        strand.settle();
    strand.end();
    SUCCEED();
}

TEST_CASE("connection: what belongs to a strand says so", "[rpc][connection]")
{
    CHECK(is_strand_bound<hub::Hub::Client>);
    CHECK(is_strand_bound<rpc::nothrow<hub::Hub::Client>>);
    CHECK(is_strand_bound<kj::Promise<int>>);
    CHECK(is_strand_bound<capnp::RemotePromise<hub::Hub::EchoResults>>);
    CHECK(is_strand_bound<rpc::connection>);
    CHECK(is_strand_bound<std::vector<rpc::nothrow<hub::Hub::Client>>>);
    CHECK_FALSE(is_strand_bound<std::string>);
}

TEST_CASE("connection: one that was moved from says so", "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        hub_pair ends(io);
        const auto taken = std::move(*ends.calls);
        CHECK_THROWS_AS(ends.calls->bootstrap(), std::logic_error);
        CHECK_THROWS_AS(ends.calls->disconnected(), std::logic_error);
        co_return;
    };
    strand.run(body(strand.io()));
}

TEST_CASE("connection: in a plain Asio program", "[rpc][connection]")
{
    asio::io_context io;
    rpc::event_loop loop(io.get_executor());
    hub_pair ends(io);
    const auto body = [](rpc::nothrow<hub::Hub::Client> hub) -> asio::awaitable<std::string> {
        auto request = hub->echoRequest();
        request.setText("plain");
        auto answer = co_await rpc::async_wait(rpc::send(request), asio::use_awaitable);
        co_return std::string(answer.getText().cStr());
    };
    auto text = asio::co_spawn(io, body(ends.hub()), asio::use_future);
    while (text.wait_for(0s) != std::future_status::ready)
        io.run_one();

    CHECK(text.get() == "plain");
}

TEST_CASE("connection: who asks for the peer's object when the connection has ended is told so",
    "[rpc][connection]")
{
    lone_strand strand;
    const auto body = [](asio::io_context& io) -> task<> {
        unix_socket near(io);
        unix_socket far(io);
        asio::local::connect_pair(near, far);
        auto served = rpc::connection::server(std::move(near), kj::heap<hub_server>());
        far.close();
        auto over = served.disconnected();
        co_await kj::mv(over);
        auto hub = served.bootstrap<hub::Hub>();
        std::optional<rpc::errc> told;
        try {
            static_cast<void>(co_await echo_of(hub, "hello"));
        } catch (const rpc::error& thrown) {
            told = thrown.kind();
        }
        CHECK(told == rpc::errc::disconnected);
    };

    strand.run(body(strand.io()));
}
