// SPDX-License-Identifier: MIT

#pragma once

#include <costar/rpc/direct_calls.hpp>
#include <costar/rpc/error.hpp>
#include <costar/rpc/event_loop.hpp>
#include <costar/rpc/message_framer.hpp>
#include <costar/rpc/message_stream.hpp>
#include <costar/rpc/output_queue.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>

#include <kj/async.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace costar::machine {

/// What an error of a connection is for KJ.
inline kj::Exception broken(const error_code& code)
{
    return rpc::to_kj(std::make_exception_ptr(boost::system::system_error(code)));
}

/// Can it be written to without waiting, as a socket can?
template <class Stream>
inline constexpr bool writes_at_once = requires(Stream& stream) { stream.non_blocking(true); };

/// How a connection ends that is a socket; others are specialized.
template <class Stream>
struct stream_end {
    /// Has the peer gone without a word? Then the framing tells whether something is missing.
    static bool is_cut(const error_code&) noexcept { return false; }

    /// Says that nothing more comes.
    template <class Handler>
    static void say(Stream& stream, Handler) noexcept
    {
        error_code ignored;
        stream.shutdown(asio::socket_base::shutdown_send, ignored);
    }
};

/// The bytes of a connection on their way in and out: read ahead, and gathered.
///
/// Every operation of Asio works on memory that the channel owns, and holds the channel; so KJ may let go of
/// whatever it wants at any time. One read and one write are under way at most.
///
/// Thread safety: where its loop is present.
template <class Stream>
class channel final : public std::enable_shared_from_this<channel<Stream>>, private gathered_output {
public:
    /// Who waits for input; told once.
    class reader {
    public:
        virtual void has_input() = 0;

    protected:
        ~reader() = default;
    };

    channel(Stream stream, const rpc::stream_options& options)
        : loop_(kj_loop::here().shared_from_this()),
          stream_(std::move(stream)),
          options_(options),
          framer_(options.read_buffer),
          linger_(stream_.get_executor())
    {
        if constexpr (writes_at_once<Stream>)
            stream_.non_blocking(true);
    }

    const rpc::stream_options& options() const noexcept { return options_; }

    // Input

    /// The next message that is not the watcher's, null when there is none yet; throws what is wrong with it.
    kj::Own<capnp::MessageReader> next(const capnp::ReaderOptions& options)
    {
        while (!is_reading_ && !holds_back()) {
            const auto message = framer_.front(options);
            if (message == nullptr)
                break;
            if (watcher_ == nullptr || !watcher_->has_come(message, options))
                return framer_.take(options);
            framer_.drop();
        }
        return {};
    }

    message_watcher* watcher() const noexcept { return watcher_; }
    void watch(message_watcher* watcher) noexcept { watcher_ = watcher; }

    /// Is there nothing behind the messages that have come? Not known while input is held back.
    bool is_over() const noexcept { return (has_ended_ || read_failure_) && !is_holding_back_; }
    bool ended_inside() const noexcept { return !framer_.is_between_messages(); }
    const error_code& read_failure() const noexcept { return read_failure_; }
    std::uint64_t bytes_read() const noexcept { return bytes_read_; }

    /// Tells `waiting` when more has come, the stream has ended or failed. False when somebody waits already.
    bool wait(reader& waiting)
    {
        if (reader_ != nullptr)
            return false;
        reader_ = &waiting;
        read();
        return true;
    }
    void forget(const reader& waiting) noexcept
    {
        if (reader_ == &waiting)
            reader_ = nullptr;
    }

    // Output

    std::uint64_t bytes_written() const noexcept { return bytes_written_; }
    bool is_output_over() const noexcept { return is_output_over_; }

    void append(const void* bytes, std::size_t size)
    {
        bytes_written_ += size;
        if (!write_failure_)
            output_.append(bytes, size);
    }
    void append(asio::const_buffer bytes, std::shared_ptr<const void> owner)
    {
        bytes_written_ += bytes.size();
        if (!write_failure_)
            output_.append(bytes, std::move(owner));
    }

    /// Bytes of output that wait to be sent.
    std::size_t unsent() const noexcept { return output_.size(); }

    /// From now on nobody waits for output; `unsent_max` bytes of it hold back input instead, if it is not 0.
    void never_wait(std::size_t unsent_max) noexcept
    {
        options_.high_water = SIZE_MAX;
        unsent_max_ = unsent_max;
    }

    /// To be called behind what was appended: done at once below the high water mark, else when all is out.
    kj::Promise<void> written()
    {
        if (write_failure_)
            return broken(write_failure_);
        send_soon();
        if (output_.size() <= options_.high_water)
            return kj::READY_NOW;
        if (all_out_.get() == nullptr) {
            auto pair = kj::newPromiseAndFulfiller<void>();
            all_out_ = kj::mv(pair.fulfiller);
            out_ = pair.promise.fork();
        }
        return out_.addBranch();
    }

    /// What was appended goes with what else the strand says by the end of its turn, much of it at once.
    void send_soon()
    {
        loop_->flush_soon(*this);
        if (output_.size() >= sent_at_once)
            push();
    }

    /// Sends what there is now.
    void push()
    {
        while (!is_writing_ && !write_failure_ && !output_.empty()) {
            if (!try_to_write() && !write_failure_)
                start_write();
        }
        if (!is_writing_ && (write_failure_ || output_.empty()))
            all_is_out();
    }

    /// Sends what was written, and then says that nothing more comes.
    void end_output()
    {
        is_output_over_ = true;
        write();
    }

    /// Nobody holds the stream any more: what was written goes out, for a while.
    void close()
    {
        is_closed_ = true;
        reader_ = nullptr;
        watcher_ = nullptr;
        all_out_ = nullptr;
        out_ = nullptr;
        leave();
        write();
        if (!is_writing_) {
            close_socket();
            return;
        }
        linger_.expires_after(options_.linger);
        linger_.async_wait(bound([self = this->shared_from_this()](const error_code& code) {
            if (!code)
                self->close_socket();
        }));
    }

private:
    static constexpr std::size_t sent_at_once = 64 * 1024;

    template <class Handler>
    auto bound(Handler handler) const
    {
        return asio::bind_executor(loop_->get_executor(), std::move(handler));
    }

    /// Does so much output wait that no more input is taken?
    bool holds_back() noexcept
    {
        if (unsent_max_ > 0 && output_.size() > unsent_max_)
            is_holding_back_ = true;
        return is_holding_back_;
    }

    void hold_back_no_more()
    {
        if (!is_holding_back_ || output_.size() > unsent_max_ / 2)
            return;
        is_holding_back_ = false;
        if (reader* waiting = std::exchange(reader_, nullptr))
            waiting->has_input();
    }

    void read()
    {
        if (is_reading_ || has_ended_ || read_failure_ || is_closed_ || holds_back())
            return;
        is_reading_ = true;
        stream_.async_read_some(framer_.prepare(),
            bound([self = this->shared_from_this()](
                      const error_code& code, std::size_t bytes) { self->has_read(code, bytes); }));
    }

    void has_read(const error_code& code, std::size_t bytes)
    {
        is_reading_ = false;
        bytes_read_ += bytes;
        framer_.commit(bytes);
        if (code == asio::error::eof || stream_end<Stream>::is_cut(code))
            has_ended_ = true;
        else if (code)
            read_failure_ = code;
        if (reader* waiting = std::exchange(reader_, nullptr))
            waiting->has_input();
    }

    void flush() noexcept override
    {
        try {
            write();
        } catch (...) {
            fail(asio::error::no_memory);
        }
    }

    void write()
    {
        push();
        hold_back_no_more();
    }

    /// Sends what a socket takes at once. False when it takes no more.
    bool try_to_write()
    {
        if constexpr (writes_at_once<Stream>) {
            error_code code;
            output_.consume(stream_.write_some(first_output(), code));
            if (code && code != asio::error::would_block)
                fail(code);
            return !code;
        } else {
            return false;
        }
    }

    /// As much of what comes next as the stream takes in one call: all of a socket's do several buffers.
    auto first_output()
    {
        const few_buffers buffers = output_.front();
        if constexpr (requires(error_code& code) { stream_.write_some(buffers, code); })
            return buffers;
        else
            return *buffers.begin();
    }

    void start_write()
    {
        is_writing_ = true;
        stream_.async_write_some(first_output(),
            bound([self = this->shared_from_this()](
                      const error_code& code, std::size_t bytes) { self->has_written(code, bytes); }));
    }

    void has_written(const error_code& code, std::size_t bytes)
    {
        is_writing_ = false;
        output_.consume(bytes);
        if (code)
            fail(code);
        write();
        if (is_closed_ && !is_writing_)
            close_socket();
    }

    void fail(const error_code& code) noexcept
    {
        write_failure_ = code;
        if (!is_writing_)  // else it is being read
            output_.clear();
        all_is_out();
    }

    void all_is_out() noexcept
    {
        if (auto waiting = kj::mv(all_out_); waiting.get() != nullptr) {
            if (write_failure_)
                waiting->reject(broken(write_failure_));
            else
                waiting->fulfill();
        }
        if (is_output_over_ && !has_said_so_) {
            has_said_so_ = true;
            stream_end<Stream>::say(stream_, bound([self = this->shared_from_this()](const error_code&) {}));
        }
    }

    void close_socket() noexcept
    {
        error_code ignored;
        linger_.cancel();
        stream_.lowest_layer().close(ignored);
    }

    std::shared_ptr<kj_loop> loop_;
    Stream stream_;
    rpc::stream_options options_;

    message_framer framer_;
    message_watcher* watcher_ = nullptr;
    reader* reader_ = nullptr;
    bool is_reading_ = false;
    bool has_ended_ = false;
    error_code read_failure_;
    std::uint64_t bytes_read_ = 0;
    std::uint64_t bytes_written_ = 0;

    output_queue output_;
    std::size_t unsent_max_ = 0;
    bool is_holding_back_ = false;
    bool is_writing_ = false;
    bool is_output_over_ = false;
    bool has_said_so_ = false;
    bool is_closed_ = false;
    error_code write_failure_;
    kj::Own<kj::PromiseFulfiller<void>> all_out_;
    kj::ForkedPromise<void> out_ = nullptr;
    asio::steady_timer linger_;
};

}  // namespace costar::machine
