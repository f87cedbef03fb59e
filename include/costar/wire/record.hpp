// SPDX-License-Identifier: MIT

#pragma once

#include <costar/wire/mapping.hpp>

#include <capnp/message.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace costar::wire {

/// A message that is a struct of Cap'n Proto itself, for large ones, and for those that are passed on as they
/// are: nothing is converted, and a reader looks only at the fields that it needs.
///
///     wire::record<proto::Page> page;
///     page.build().setTitle("costar");
///     self.send(to, std::move(page));
///
///     m.match([](const wire::record<proto::Page>& page) { show(page->getTitle()); });
///
/// Addresses inside, as `costar.schema.Pid`, stay as they are: who reads them asks a translator.
///
/// Lifetime: readers and builders are valid while the record is, and is not moved from; one that was moved
/// from or is a default one reads as a struct of defaults. Cost: an allocation; a copy is one of all of it.
/// Thread safety: as a value; a reader counts what it reads, so one record is not read by two threads at a
/// time.
template <class Schema>
class record {
public:
    using schema = Schema;

    record() = default;

    /// A copy of a struct that lies elsewhere.
    explicit record(typename Schema::Reader from) { make(from); }

    record(record&& other) noexcept = default;
    record& operator=(record&& other) noexcept = default;
    record(const record& other) { copy(other); }
    record& operator=(const record& other)
    {
        if (this != &other)
            copy(other);
        return *this;
    }
    ~record() = default;

    /// To fill it in, now or later.
    typename Schema::Builder build()
    {
        if (message_ == nullptr)
            message_ = std::make_unique<holder>(first_words);
        return message_->builder.template getRoot<Schema>();
    }

    typename Schema::Reader reader() const
    {
        if (message_ == nullptr)
            return {};
        return message_->builder.template getRoot<Schema>().asReader();
    }

    /// `record->getTitle()`
    auto operator->() const
    {
        struct arrow {
            typename Schema::Reader reader;
            typename Schema::Reader* operator->() noexcept { return &reader; }
        };
        return arrow{reader()};
    }

private:
    static constexpr unsigned first_words = 64;

    struct holder {
        explicit holder(unsigned words) : builder(words) {}
        ~holder() noexcept {}  // KJ's may throw

        capnp::MallocMessageBuilder builder;
    };

    void make(typename Schema::Reader from)
    {
        auto made = std::make_unique<holder>(static_cast<unsigned>(from.totalSize().wordCount + 1));
        made->builder.setRoot(from);
        message_ = std::move(made);
    }
    void copy(const record& other)
    {
        if (other.message_ == nullptr)
            message_.reset();
        else
            make(other.reader());
    }

    std::unique_ptr<holder> message_;
};

template <class Message>
inline constexpr bool is_record = false;
template <class Schema>
inline constexpr bool is_record<record<Schema>> = true;

template <class Schema>
struct mapping<record<Schema>> {
    using schema = Schema;
};

}  // namespace costar::wire
