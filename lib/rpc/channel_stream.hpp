// SPDX-License-Identifier: MIT

#pragma once

#include "channel.hpp"
#include "gathering_stream.hpp"

#include <capnp/serialize-async.h>
#include <kj/async.h>
#include <kj/debug.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace costar::machine {

/// Messages over a channel.
template <class Stream>
class channel_stream final : public gathering_stream {
    using input = kj::Maybe<capnp::MessageReaderAndFds>;

public:
    channel_stream(Stream stream, const rpc::stream_options& options)
        : channel_(std::make_shared<channel<Stream>>(std::move(stream), options))
    {}
    ~channel_stream() { channel_->close(); }

    using capnp::MessageStream::tryReadMessage;
    using capnp::MessageStream::writeMessage;
    using capnp::MessageStream::writeMessages;

    kj::Promise<input> tryReadMessage(
        kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions options, kj::ArrayPtr<capnp::word>) override
    {
        return kj::evalNow([&]() -> kj::Promise<input> {
            if (auto message = channel_->next(options); message.get() != nullptr)
                return input(capnp::MessageReaderAndFds{kj::mv(message), nullptr});
            if (channel_->is_over())
                return end_of(*channel_);
            return kj::newAdaptedPromise<input, pending_read>(channel_, options);
        });
    }

    kj::Promise<void> writeMessage(
        kj::ArrayPtr<const int>, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override
    {
        show(segments);
        append(segments);
        return channel_->written();
    }

    kj::Promise<void> writeMessages(
        kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override
    {
        for (auto& segments : messages) {
            show(segments);
            append(segments);
        }
        return channel_->written();
    }

    kj::Maybe<int> getSendBufferSize() override { return channel_->options().window; }

    void never_wait(std::size_t unsent_max) noexcept override { channel_->never_wait(unsent_max); }
    void send_now() override { channel_->push(); }
    std::size_t unsent() const noexcept override { return channel_->unsent(); }
    void watch(message_watcher* watcher) noexcept override { channel_->watch(watcher); }
    using gathering_stream::write;
    void write(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments,
        kj::ArrayPtr<const kj::byte> held, std::shared_ptr<const void> owner) override
    {
        append_table(segments);
        for (auto& segment : segments) {
            const auto bytes = segment.asBytes();
            if (bytes.begin() >= held.begin() && bytes.end() <= held.end())
                channel_->append(asio::const_buffer(bytes.begin(), bytes.size()), owner);
            else
                channel_->append(bytes.begin(), bytes.size());
        }
        channel_->send_soon();
    }

    std::uint64_t bytes_read() const noexcept override { return channel_->bytes_read(); }
    bool is_output_over() const noexcept override { return channel_->is_output_over(); }
    std::uint64_t bytes_written() const noexcept override { return channel_->bytes_written(); }

    kj::Promise<void> end() override
    {
        channel_->end_output();
        return kj::READY_NOW;
    }

private:
    /// What comes behind the last message.
    static input end_of(const channel<Stream>& bytes)
    {
        if (bytes.read_failure())
            kj::throwFatalException(broken(bytes.read_failure()));
        if (bytes.ended_inside())
            kj::throwFatalException(kj::Exception(kj::Exception::Type::DISCONNECTED, "", 0,
                kj::str("the connection was closed inside of a message")));
        return nullptr;
    }

    /// A read that waits; it lies in the promise.
    class pending_read final : private channel<Stream>::reader {
    public:
        pending_read(kj::PromiseFulfiller<input>& fulfiller, std::shared_ptr<channel<Stream>> bytes,
            capnp::ReaderOptions options)
            : fulfiller_(fulfiller), channel_(std::move(bytes)), options_(options)
        {
            KJ_REQUIRE(channel_->wait(*this), "two reads of a message stream at once");
        }
        pending_read(const pending_read&) = delete;
        ~pending_read() { channel_->forget(*this); }

    private:
        void has_input() override
        {
            fulfiller_.rejectIfThrows([this] {
                if (auto message = channel_->next(options_); message.get() != nullptr)
                    fulfiller_.fulfill(input(capnp::MessageReaderAndFds{kj::mv(message), nullptr}));
                else if (channel_->is_over())
                    fulfiller_.fulfill(end_of(*channel_));
                else
                    channel_->wait(*this);
            });
        }

        kj::PromiseFulfiller<input>& fulfiller_;
        std::shared_ptr<channel<Stream>> channel_;
        capnp::ReaderOptions options_;
    };

    void show(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) noexcept
    {
        if (message_watcher* const watcher = channel_->watcher())
            watcher->is_written(segments);
    }

    void append(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments)
    {
        append_table(segments);
        for (auto& segment : segments)
            channel_->append(segment.begin(), segment.size() * sizeof(capnp::word));
    }

    void append_table(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments)
    {
        KJ_REQUIRE(segments.size() > 0 && segments.size() <= message_framer::segments_max,
            "a message of Cap'n Proto has too many segments to be sent", segments.size());
        std::uint32_t table[message_framer::segments_max + 2];
        std::size_t count = 0;
        table[count++] = static_cast<std::uint32_t>(segments.size() - 1);
        for (auto& segment : segments)
            table[count++] = static_cast<std::uint32_t>(segment.size());
        if (count % 2 != 0)
            table[count++] = 0;
        channel_->append(table, count * sizeof table[0]);
    }

    std::shared_ptr<channel<Stream>> channel_;
};

}  // namespace costar::machine
